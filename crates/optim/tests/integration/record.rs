//! A record holds all that the next step depends on, under the names of Burn's SGD.

use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_optim::FusedSgdConfig;

use crate::{bits, numbers, rules, tensor};

pub(crate) fn train(optimizer: &mut ModuleOptimizer, mut network: Linear, seeds: std::ops::Range<u32>) -> Linear {
    for seed in seeds {
        let input = Tensor::from_inner(tensor(&numbers(seed, 20), [4, 5]));
        let gradients = GradientsParams::from_grads(network.forward(input).square().mean().backward(), &network);
        network = optimizer.step(0.1, network, gradients);
    }
    network
}

pub(crate) fn all_bits(network: &Linear) -> Vec<u32> {
    [bits(&network.weight.val()), bits(&network.bias.as_ref().unwrap().val())].concat()
}

/// Three steps, then five with what the first optimizer saved, loaded into the second.
pub(crate) fn resumed(mut first: ModuleOptimizer, second: ModuleOptimizer, start: Linear) -> Vec<u32> {
    let network = train(&mut first, start, 0..3);
    let mut second = second.from_bytes(first.into_bytes().unwrap()).unwrap();
    all_bits(&train(&mut second, network, 3..8))
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    let start = LinearConfig::new(5, 6).init(&Device::flex().autodiff());
    for rule in rules(0.9, 0.1, 0.05) {
        let optimizer = || rule.init().unwrap();
        let whole = all_bits(&train(&mut optimizer(), start.clone(), 0..8));
        assert_eq!(resumed(optimizer(), optimizer(), start.clone()), whole, "{rule:?}");
        // The test would notice a velocity that is lost.
        let forgotten = all_bits(&train(&mut optimizer(), train(&mut optimizer(), start.clone(), 0..3), 3..8));
        assert_eq!(forgotten == whole, rule.momentum == 0.0, "{rule:?}");
    }
}

#[test]
fn a_training_goes_on_from_burns_record_and_burns_from_ours() {
    let start = LinearConfig::new(5, 6).init(&Device::flex().autodiff());
    let ours = || FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let burns = || burn::optim::SgdConfig::new().with_momentum(Some(momentum.clone())).init();
    let whole = all_bits(&train(&mut ours(), start.clone(), 0..8));
    assert_eq!(resumed(burns(), ours(), start.clone()), whole);
    assert_eq!(resumed(ours(), burns(), start), whole);
}

#[test]
fn settings_survive_serde() {
    let config = FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(1e-4).with_nesterov(true);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(text, r#"{"momentum":0.9,"dampening":0.0,"weight_decay":0.0001,"nesterov":true}"#);
    assert_eq!(serde_json::from_str::<FusedSgdConfig>(&text).unwrap(), config);
}
