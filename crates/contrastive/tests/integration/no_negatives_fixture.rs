//! Five steps of BYOL, SimSiam and MoCo v3 beside PyTorch's: `fixtures/generate_no_negatives.py`.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use slowburn_contrastive::{ByolConfig, Contrastive, InfoNce, MocoV3Config, Online, SimSiamConfig, ViewPair};
use slowburn_ema::Decay;
use slowburn_models::{
    MlpHead, MlpHeadConfig, OutputNorm, ProjectionHead, StateDict, load_state_dict, parameters, state_dict,
};

use crate::support::{BATCH, DIM, HIDDEN, INPUT, Network, assert_close, matrix, optimizer, read, scalar};
use crate::training_fixture::biased;

/// Of each number, or of a tensor's root mean square for numbers below it: f32 through six layers, five times, with
/// batches of six, whose normalisation enlarges errors.
const TOLERANCE: f64 = 3e-5;

type Numbers<T> = HashMap<String, Vec<T>>;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    method: String,
    apart: bool,
    base: Option<f64>,
    length: u64,
    rate: f64,
    temperature: Option<f64>,
    start: Start,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Start {
    online: Numbers<f32>,
    predictor: Numbers<f32>,
    target: Numbers<f32>,
}

#[derive(Deserialize)]
struct Gradients {
    online: Numbers<f64>,
    predictor: Numbers<f64>,
}

#[derive(Deserialize)]
struct Step {
    query_view: Vec<f32>,
    key_view: Vec<f32>,
    loss: f64,
    accuracy: f64,
    gradient: Gradients,
    online: Numbers<f64>,
    predictor: Numbers<f64>,
    target: Numbers<f64>,
}

/// The papers' heads with small widths.
fn heads(method: &str) -> [MlpHeadConfig; 2] {
    match method {
        "byol" => [MlpHeadConfig::byol(), MlpHeadConfig::byol()].map(|head| narrow(head, vec![12])),
        "simsiam" => [
            narrow(MlpHeadConfig::simsiam_projector(), vec![12, 6]),
            narrow(MlpHeadConfig::simsiam_predictor(), vec![3]),
        ],
        "moco_v3" => {
            [MlpHeadConfig::moco_v3_projector(), MlpHeadConfig::moco_v3_predictor()].map(|head| narrow(head, vec![12]))
        }
        other => panic!("no heads of {other}"),
    }
}

fn narrow(head: MlpHeadConfig, hidden: Vec<usize>) -> MlpHeadConfig {
    assert_eq!(head.hidden.len(), hidden.len());
    MlpHeadConfig { hidden, dim: DIM, ..head }
}

fn load<M: Module>(module: M, numbers: &Numbers<f32>) -> M {
    let entries = parameters(&module).into_iter().map(|parameter| {
        let values = numbers[&parameter.name].clone();
        (parameter.name, TensorData::new(values, parameter.shape))
    });
    let state: StateDict = entries.collect();
    assert_eq!(state.len(), numbers.len(), "PyTorch's names are ours");
    load_state_dict(module, &state).unwrap()
}

fn network(case: &Case, numbers: &Numbers<f32>, device: &Device) -> Network {
    let [projector, _] = heads(&case.method);
    let fc = ProjectionHead::Mlp(projector.init(HIDDEN, device).unwrap());
    load(Network { fc, ..Network::plain(0, device) }, numbers)
}

fn head(case: &Case, device: &Device) -> MlpHead {
    let [_, predictor] = heads(&case.method);
    load(predictor.init(DIM, device).unwrap(), &case.start.predictor)
}

/// Gradients under PyTorch's names, in its layout: those of a module's learned parameters.
fn named<M: Module>(module: &M, gradients: &GradientsParams) -> Numbers<f64> {
    struct InOrder<'a>(&'a GradientsParams, Vec<Option<Vec<f64>>>);
    impl ModuleVisitor for InOrder<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push(self.0.get::<D>(param.id).map(|gradient| match D {
                2 => read(gradient.swap_dims(0, 1)),
                _ => read(gradient),
            }));
        }
    }
    let mut visitor = InOrder(gradients, Vec::new());
    module.visit(&mut visitor);
    let names = parameters(module).into_iter().map(|parameter| parameter.name);
    names.zip(visitor.1).filter_map(|(name, gradient)| Some((name, gradient?))).collect()
}

#[track_caller]
fn assert_gradients(ours: &Numbers<f64>, expected: &Numbers<f64>, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (name, expected) in expected {
        assert_numbers(&ours[name], expected, &format!("{what}, gradient of {name}"));
    }
}

/// Numbers that are 0 but for rounding are so in ours: the gradient of a bias before batch normalisation, the mean of what
/// comes from embeddings whose own is 0.
#[track_caller]
fn assert_numbers(ours: &[f64], expected: &[f64], what: &str) {
    match expected.iter().all(|value| value.abs() < 1e-12) {
        true => assert!(ours.iter().all(|value| value.abs() < 1e-6), "{what}: {ours:?}"),
        false => assert_close(ours, expected, TOLERANCE, what),
    }
}

/// Compares a module with PyTorch's after so many passes in training mode.
#[track_caller]
fn assert_module<M: Module>(ours: &M, expected: &Numbers<f64>, passes: usize, what: &str) {
    let ours = state_dict(ours);
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (name, data) in ours {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let mut expected = expected[&name].clone();
        if name.ends_with("running_var") {
            expected = expected.into_iter().map(|value| biased(value, passes as i32, BATCH)).collect();
        }
        assert_numbers(&values, &expected, &format!("{what}, {name}"));
    }
}

fn assert_case<M>(case: &Case, mut method: M, target: impl Fn(&M) -> Option<&Network>)
where
    M: Contrastive<Encoder = Network, Trained = Online<Network, MlpHead>>,
{
    let device = Device::flex().autodiff();
    let mut optimizer = optimizer();
    for (index, expected) in case.steps.iter().enumerate() {
        let what = format!("{}, apart {}, step {index}", case.method, case.apart);
        let batch = ViewPair {
            query: matrix(expected.query_view.clone(), INPUT, &device),
            key: matrix(expected.key_view.clone(), INPUT, &device),
            samples: (0..BATCH).collect(),
        };
        let outcome;
        (method, outcome) = method.contrast(batch).unwrap();
        // Of its whole range: a cosine near 0 is small by cancellation.
        assert!((scalar(&outcome.loss) - expected.loss).abs() < 1e-5, "{what}: {} {}", outcome.loss, expected.loss);
        assert!((scalar(&outcome.accuracy) - expected.accuracy).abs() < 1e-6, "{what}, accuracy {}", outcome.accuracy);
        let all = method.gradients(&outcome);
        assert_gradients(&named(method.query(), &all), &expected.gradient.online, &what);
        assert_gradients(&named(&method.trained().predictor, &all), &expected.gradient.predictor, &what);
        method = method.optimize(&mut optimizer, case.rate, all);
        let passes = 2 * (index + 1);
        assert_module(method.query(), &expected.online, passes, &format!("{what}, online"));
        assert_module(&method.trained().predictor, &expected.predictor, passes, &format!("{what}, predictor"));
        if let Some(target) = target(&method) {
            assert_module(target, &expected.target, passes, &format!("{what}, target"));
        }
    }
    assert_eq!(method.steps(), 5);
}

#[test]
fn five_steps_equal_pytorchs() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/no_negatives.json")).unwrap();
    let methods: Vec<(&str, bool)> = fixture.cases.iter().map(|case| (case.method.as_str(), case.apart)).collect();
    assert_eq!(methods, [("byol", false), ("byol", true), ("simsiam", false), ("moco_v3", false)]);
    let device = Device::flex().autodiff();
    for case in &fixture.cases {
        let (online, predictor) = (network(case, &case.start.online, &device), head(case, &device));
        let decay = || Decay::Cosine { base: case.base.unwrap(), end: 1.0, steps: case.length };
        match (case.method.as_str(), case.apart) {
            ("byol", apart) => {
                let config = ByolConfig { dim: DIM, decay: decay() };
                let byol = match apart {
                    true => {
                        let target = network(case, &case.start.target, &device);
                        config.init_apart(online, predictor, &target, &device).unwrap()
                    }
                    false => config.init(online, predictor, &device).unwrap(),
                };
                assert_case(case, byol, |byol| Some(byol.target.module()));
            }
            ("simsiam", _) => {
                let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
                assert_case(case, config.init(online, predictor, &device).unwrap(), |_| None);
            }
            _ => {
                let loss = InfoNce::new(case.temperature.unwrap());
                let config = MocoV3Config { dim: DIM, decay: decay(), loss };
                assert_case(case, config.init(online, predictor, &device).unwrap(), |moco| Some(moco.key.module()));
            }
        }
    }
}

/// The table of the papers, whose widths the fixture has made small.
#[test]
fn heads_are_the_papers() {
    let [simsiam, moco] = [MlpHeadConfig::simsiam_projector(), MlpHeadConfig::moco_v3_projector()];
    assert_eq!((simsiam.hidden, simsiam.dim, simsiam.output_norm), (vec![2048, 2048], 2048, OutputNorm::Plain));
    assert_eq!((moco.hidden, moco.dim, moco.output_norm), (vec![4096], 256, OutputNorm::Plain));
    assert_eq!(MlpHeadConfig::simsiam_projector_cifar().hidden, [2048]);
    let byol = MlpHeadConfig::byol();
    assert_eq!((byol.hidden, byol.dim, byol.hidden_bias, byol.output_bias), (vec![4096], 256, true, false));
    let predictor = MlpHeadConfig::simsiam_predictor();
    assert_eq!((predictor.hidden, predictor.dim, predictor.output_bias), (vec![512], 2048, true));
    assert_eq!(MlpHeadConfig::moco_v3_predictor().output_norm, OutputNorm::None);
}
