//! Five steps of MoCo beside PyTorch's: `fixtures/generate.py`.

use std::collections::HashMap;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use slowburn_contrastive::{Contrastive, InfoNce, MocoConfig, SymmetricReduction, ViewPair};
use slowburn_ema::Decay;
use slowburn_models::{HeadVersion, ProjectionHead, StateDict, load_state_dict, parameters, state_dict};

use crate::support::{BATCH, DIM, INPUT, Network, QUEUE, assert_close, matrix, optimizer, read, scalar};

/// Of each number, or of a tensor's root mean square for numbers below it: f32 through three layers, five times.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    version: usize,
    symmetric: bool,
    reduction: SymmetricReduction,
    splits: usize,
    decoupled: bool,
    masked: bool,
    temperature: f64,
    decay: f64,
    rate: f64,
    seed: u64,
    start: HashMap<String, Vec<f32>>,
    start_queue: Vec<f32>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    query_view: Vec<f32>,
    key_view: Vec<f32>,
    loss: f64,
    accuracy: f64,
    gradient: HashMap<String, Vec<f64>>,
    query: HashMap<String, Vec<f64>>,
    key: HashMap<String, Vec<f64>>,
    queue: Vec<f64>,
    pointer: usize,
}

fn network(case: &Case, device: &Device) -> Network {
    let version = if case.version == 1 { HeadVersion::V1 } else { HeadVersion::V2 };
    let network = Network::new(0, version, case.splits, 0.0, device);
    let entries = parameters(&network).into_iter().map(|parameter| {
        let values = case.start[&parameter.name].clone();
        (parameter.name, TensorData::new(values, parameter.shape))
    });
    let state: StateDict = entries.collect();
    load_state_dict(network, &state).unwrap()
}

/// PyTorch's running variance, which it keeps unbiased, as Burn keeps it: that of n samples of a split, after as many
/// passes. Both start at 1 and forget a tenth a pass.
pub(crate) fn biased(unbiased: f64, passes: i32, n: usize) -> f64 {
    let start = 0.9f64.powi(passes);
    start + (unbiased - start) * (n as f64 - 1.0) / n as f64
}

/// Compares an encoder of `case` with PyTorch's after `steps` steps.
#[track_caller]
fn assert_network(ours: &Network, expected: &HashMap<String, Vec<f64>>, case: &Case, steps: usize, what: &str) {
    let ours = state_dict(ours);
    assert_eq!(ours.len(), expected.len(), "{what}");
    let (passes, n) = (steps * if case.symmetric { 2 } else { 1 }, BATCH / case.splits);
    for (name, data) in ours {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let mut expected = expected[&name].clone();
        if name == "norm.running_var" {
            expected = expected.into_iter().map(|value| biased(value, passes as i32, n)).collect();
        }
        assert_close(&values, &expected, TOLERANCE, &format!("{what}, {name}"));
    }
}

/// Gradients under PyTorch's names, in its layout.
fn gradients(network: &Network, gradients: &GradientsParams) -> HashMap<String, Vec<f64>> {
    let matrix = |param: &burn::module::Param<Tensor<2>>| -> Vec<f64> {
        read(gradients.get::<2>(param.id).unwrap().transpose())
    };
    let vector = |param: &burn::module::Param<Tensor<1>>| read(gradients.get::<1>(param.id).unwrap());
    let mut found = HashMap::from([
        ("first.weight".to_owned(), matrix(&network.first.weight)),
        ("norm.weight".to_owned(), vector(&network.norm.norm.gamma)),
        ("norm.bias".to_owned(), vector(&network.norm.norm.beta)),
    ]);
    let layers = match &network.fc {
        ProjectionHead::V1(linear) => vec![("fc", linear)],
        ProjectionHead::V2(mlp) => vec![("fc.0", &mlp.hidden), ("fc.2", &mlp.output)],
        ProjectionHead::Mlp(_) => panic!("MoCo has no such head"),
    };
    for (name, layer) in layers {
        found.insert(format!("{name}.weight"), matrix(&layer.weight));
        found.insert(format!("{name}.bias"), vector(layer.bias.as_ref().unwrap()));
    }
    found
}

fn assert_case(case: &Case) {
    let device = Device::flex().autodiff();
    let name =
        format!("v{}, symmetric {}, {} splits, masked {}", case.version, case.symmetric, case.splits, case.masked);
    let config = MocoConfig {
        dim: DIM,
        queue: QUEUE,
        decay: Decay::Constant { decay: case.decay },
        loss: InfoNce::new(case.temperature).with_decoupled(case.decoupled),
        symmetric: case.symmetric,
        reduction: case.reduction,
        seed: case.seed,
        masked: case.masked,
        ..MocoConfig::v1()
    };
    let mut moco = config.init(network(case, &device), &device).unwrap();
    // A whole round of the queue: its rows are the fixture's, its pointer is 0 again.
    moco.queue = moco.queue.enqueue(matrix(case.start_queue.clone(), DIM, &device)).unwrap();
    assert_eq!((moco.queue.pointer(), moco.queue.filled()), (0, QUEUE));
    let mut optimizer = optimizer();
    for (index, expected) in case.steps.iter().enumerate() {
        let what = format!("{name}, step {index}");
        let batch = ViewPair {
            query: matrix(expected.query_view.clone(), INPUT, &device),
            key: matrix(expected.key_view.clone(), INPUT, &device),
            samples: (0..BATCH).collect(),
        };
        let outcome;
        (moco, outcome) = moco.contrast(batch).unwrap();
        assert_close(&[scalar(&outcome.loss)], &[expected.loss], TOLERANCE, &format!("{what}, loss"));
        assert!((scalar(&outcome.accuracy) - expected.accuracy).abs() < 1e-6, "{what}, accuracy");
        let all = GradientsParams::from_grads(outcome.loss.backward(), &moco.query);
        let ours = gradients(&moco.query, &all);
        assert_eq!(ours.len(), expected.gradient.len(), "{what}");
        for (name, values) in &ours {
            assert_close(values, &expected.gradient[name], TOLERANCE, &format!("{what}, gradient of {name}"));
        }
        moco = moco.optimize(&mut optimizer, case.rate, all);
        assert_network(&moco.query, &expected.query, case, index + 1, &format!("{what}, query"));
        assert_network(moco.key.module(), &expected.key, case, index + 1, &format!("{what}, key"));
        assert_close(&read(moco.queue.rows()), &expected.queue, TOLERANCE, &format!("{what}, queue"));
        assert_eq!(moco.queue.pointer(), expected.pointer, "{what}");
    }
    assert_eq!(moco.steps(), 5);
    assert_eq!(moco.key.updates(), 5);
}

#[test]
fn five_steps_equal_pytorchs() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/training.json")).unwrap();
    assert_eq!(fixture.cases.len(), 6, "v1, v2, symmetric as a sum and as a mean, decoupled, masked queries");
    fixture.cases.iter().for_each(assert_case);
}
