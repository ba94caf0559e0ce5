//! A small encoder with all that a method must take care of, and what tests need to look into it.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_contrastive::{Contrastive, ContrastiveError, Encode, InfoNce, Moco, MocoConfig, ViewPair};
use slowburn_ema::Decay;
use slowburn_models::{
    HeadVersion, MlpHead, MlpHeadConfig, ProjectionConfig, ProjectionHead, SplitBatchNorm, SplitBatchNormConfig,
    StateDict, load_state_dict, parameters,
};
use slowburn_testkit::generator;
pub(crate) use slowburn_testkit::{matrix, numbers, read, scalar, seeded};

pub(crate) const INPUT: usize = 5;
pub(crate) const HIDDEN: usize = 8;
pub(crate) const DIM: usize = 4;
pub(crate) const BATCH: usize = 6;
pub(crate) const QUEUE: usize = 15;

/// Running statistics, dropout, a head.
#[derive(Module, Debug)]
pub(crate) struct Network {
    pub(crate) first: Linear,
    pub(crate) norm: SplitBatchNorm,
    pub(crate) dropout: Dropout,
    pub(crate) fc: ProjectionHead,
}

impl Network {
    pub(crate) fn new(seed: u32, version: HeadVersion, splits: usize, dropout: f64, device: &Device) -> Self {
        // First weights are drawn before they are replaced.
        let _held = generator();
        let network = Self {
            first: LinearConfig::new(INPUT, HIDDEN).with_bias(false).init(device),
            norm: SplitBatchNormConfig::new(HIDDEN).with_splits(splits).init(device).unwrap(),
            dropout: DropoutConfig::new(dropout).init(),
            fc: ProjectionConfig::new(version).with_dim(DIM).init_head(HIDDEN, device).unwrap(),
        };
        filled(network, seed)
    }

    /// One linear head, no splits, no dropout.
    pub(crate) fn plain(seed: u32, device: &Device) -> Self {
        Self::new(seed, HeadVersion::V1, 1, 0.0, device)
    }
}

/// The module with numbers that differ by `seed` and by the parameter's name; scales near 1, statistics as they start.
pub(crate) fn filled<M: Module>(module: M, seed: u32) -> M {
    let mut state = StateDict::new();
    for parameter in parameters(&module) {
        let number = parameter.name.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31) + u32::from(byte));
        let length = parameter.shape.iter().product();
        let (name, vector) = (parameter.name.as_str(), parameter.shape.len() == 1);
        let values = match name.rsplit('.').next() {
            Some("running_mean") => vec![0.0; length],
            Some("running_var") => vec![1.0; length],
            Some("weight") if vector => numbers(number, length).iter().map(|n| 1.0 + 0.2 * n).collect(),
            _ => numbers(number, length),
        };
        state.insert(parameter.name, TensorData::new(values, parameter.shape));
    }
    load_state_dict(module, &state).unwrap()
}

/// A small predictor of embeddings, with batch normalisation.
pub(crate) fn predictor(seed: u32, device: &Device) -> MlpHead {
    let _held = generator();
    filled(MlpHeadConfig::new(vec![7], DIM).init(DIM, device).unwrap(), seed)
}

impl Encode for Network {
    type Input = Tensor<2>;

    fn embed(&self, input: Tensor<2>) -> Tensor<2> {
        self.fc.forward(self.features(input))
    }

    fn features(&self, input: Tensor<2>) -> Tensor<2> {
        self.dropout.forward(relu(self.norm.forward(self.first.forward(input))))
    }

    fn splits(&self) -> usize {
        self.norm.splits
    }
}

/// A small MoCo: decay 0.75, so that the average is neither encoder.
pub(crate) fn config() -> MocoConfig {
    MocoConfig {
        dim: DIM,
        queue: QUEUE,
        decay: Decay::Constant { decay: 0.75 },
        loss: InfoNce::new(0.2),
        seed: 3,
        ..MocoConfig::v1()
    }
}

pub(crate) fn moco(config: &MocoConfig, device: &Device) -> Moco<Network> {
    config.init(Network::plain(1, device), device).unwrap()
}

/// A view of a batch.
pub(crate) fn view(seed: u32, device: &Device) -> Tensor<2> {
    matrix(numbers(seed, BATCH * INPUT), INPUT, device)
}

/// Two views of six samples.
pub(crate) fn views(seed: u32, device: &Device) -> ViewPair<Tensor<2>> {
    ViewPair {
        query: view(2 * seed, device),
        key: view(2 * seed + 1, device),
        samples: (0..BATCH).map(|sample| (sample + 5 * seed as usize) % 20).collect(),
    }
}

/// Momentum and weight decay: an optimizer with a state, and one that moves what it should not see.
pub(crate) fn optimizer() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_momentum(0.875).with_dampening(0.0)))
        .with_weight_decay(Some(WeightDecayConfig::new(0.0009765625)))
        .init()
}

/// Every tensor of a module by path, in the order of a traversal, pending statistics included.
pub(crate) fn tensors<M: Module>(module: &M) -> Vec<(String, Vec<f64>)> {
    slowburn_testkit::tensors(&module.valid())
}

/// The tensors that an optimizer would learn, or the running statistics.
pub(crate) fn part<M: Module>(module: &M, statistics: bool) -> Vec<(String, Vec<f64>)> {
    tensors(module).into_iter().filter(|(path, _)| path.contains("running") == statistics).collect()
}

/// Why a method refuses a batch, and that it comes back with all that it learns and remembers as it was.
#[track_caller]
pub(crate) fn refused<M: Contrastive<Encoder = Network>>(method: M, batch: ViewPair<Tensor<2>>) -> ContrastiveError {
    let before = part(&method, false);
    let (after, error) = method.contrast(batch).expect_err("the batch is refused").into_parts();
    assert_eq!(part(&after, false), before, "{error}");
    error
}

/// Fails unless every number is within `relative` of the expected one, or of the root mean square of all where that is
/// larger: a number that is small because larger ones cancel has the error of these.
#[track_caller]
pub(crate) fn assert_close(ours: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let rms = (expected.iter().map(|value| value * value).sum::<f64>() / expected.len() as f64).sqrt();
    for (index, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= relative * b.abs().max(rms), "{what}, at {index}: {a} instead of {b}, beside {rms}");
    }
}
