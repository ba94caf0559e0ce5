//! Stop and go: a run that is loaded from its records goes on bit for bit.

use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{
    ByolConfig, Contrastive, EndToEndConfig, InfoNce, MemoryBankConfig, MocoConfig, MocoV3Config, SimSiamConfig,
    Unfilled,
};
use slowburn_ema::Decay;
use slowburn_models::HeadVersion;

use crate::support::{DIM, Network, config, optimizer, predictor, scalar, seeded, tensors, views};

/// A network with splits and dropout; each step seeds its draws by its number, as a run that can resume must.
fn network(seed: u32, device: &Device) -> Network {
    Network::new(seed, HeadVersion::V2, 2, 0.3, device)
}

/// The conformance test of every method: save method and optimizer after `before` steps, load them into objects made
/// from another network, and take as many steps with both.
fn assert_resumes<M: Contrastive<Encoder = Network>>(
    make: impl Fn(Network, &Device) -> M,
    optimizer: impl Fn() -> ModuleOptimizer,
) where
    Network: slowburn_contrastive::Encode<Input = Tensor<2>>,
{
    let device = Device::flex().autodiff();
    let advance = |method: M, optimizer: &mut ModuleOptimizer, number: u32| {
        seeded(u64::from(number), || method.step(views(number, &device), optimizer, 0.05).unwrap())
    };
    let (mut method, mut first) = (make(network(1, &device), &device), optimizer());
    for number in 0..4 {
        method = advance(method, &mut first, number).0;
    }
    let bytes = method.clone().into_record().into_bytes().unwrap();
    let mut resumed = make(network(2, &device), &device).load_record(ModuleRecord::from_bytes(bytes).unwrap());
    let mut second = optimizer().from_bytes(first.into_bytes().unwrap()).unwrap();
    assert_eq!(resumed.steps(), 4);
    assert_eq!(tensors(&resumed), tensors(&method), "as loaded");
    for number in 4..8 {
        let (ours, theirs);
        (method, ours) = advance(method, &mut first, number);
        (resumed, theirs) = advance(resumed, &mut second, number);
        assert_eq!(scalar(&ours.loss).to_bits(), scalar(&theirs.loss).to_bits(), "the loss of step {number}");
        assert_eq!(tensors(&resumed), tensors(&method), "after step {number}");
    }
    let restarted = resumed.restart();
    assert_eq!(restarted.steps(), 0);
    let floats = |method: &M| {
        tensors(method)
            .into_iter()
            .filter(|(path, _)| !path.split('.').any(|part| ["steps", "calls", "bank"].contains(&part)))
            .collect::<Vec<_>>()
    };
    assert_eq!(floats(&restarted), floats(&method), "what it has learned stays");
    // The other network would not have come here: what was compared is not constant.
    let fresh = advance(make(network(2, &device), &device), &mut optimizer(), 7).0;
    assert_ne!(tensors(&fresh), tensors(&method));
}

#[test]
fn moco() {
    // A schedule, so that a lost count of updates shows; a queue that has not wrapped when it is saved.
    let decay = Decay::Cosine { base: 0.5, end: 1.0, steps: 10 };
    for (symmetric, unfilled, queue) in [(false, Unfilled::Mask, 31), (true, Unfilled::Keep, 15)] {
        let config = MocoConfig { symmetric, unfilled, queue, decay, ..config() };
        assert_resumes(|network, device| config.init(network, device).unwrap(), optimizer);
    }
    assert_resumes(|network, device| config().init(network, device).unwrap(), || AdamConfig::new().init());
}

#[test]
fn end_to_end() {
    assert_resumes(|network, device| EndToEndConfig::default().init(network, device).unwrap(), optimizer);
}

#[test]
fn memory_bank() {
    let config = MemoryBankConfig { dim: DIM, negatives: 9, loss: InfoNce::new(0.2), ..Default::default() };
    assert_resumes(|network, device| config.init(network, 20, device).unwrap(), optimizer);
    // Its slots are of the samples of one training.
    let device = Device::flex().autodiff();
    let made = config.init(network(1, &device), 20, &device).unwrap();
    let fresh = made.slots().into_data();
    let (moved, _) = seeded(0, || made.step(views(0, &device), &mut optimizer(), 0.05).unwrap());
    assert_ne!(moved.slots().into_data(), fresh);
    assert_eq!(moved.restart().slots().into_data(), fresh);
}

#[test]
fn byol() {
    let config = ByolConfig { dim: DIM, decay: Decay::Cosine { base: 0.5, end: 1.0, steps: 10 } };
    assert_resumes(|network, device| config.init(network, predictor(3, device), device).unwrap(), optimizer);
    let apart =
        |online, device: &Device| config.init_apart(online, predictor(3, device), &network(5, device), device).unwrap();
    assert_resumes(apart, || AdamConfig::new().init());
}

#[test]
fn sim_siam() {
    let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
    for config in [config.clone(), config.with_constant_predictor(0.1)] {
        assert_resumes(|network, device| config.init(network, predictor(3, device), device).unwrap(), optimizer);
    }
}

#[test]
fn moco_v3() {
    let decay = Decay::Cosine { base: 0.5, end: 1.0, steps: 10 };
    let config = MocoV3Config { dim: DIM, decay, loss: InfoNce::new(0.2) };
    assert_resumes(|network, device| config.init(network, predictor(3, device), device).unwrap(), optimizer);
}
