use slowburn_augment::presets;
use slowburn_ema::{Decay, Length, RampShape, Schedule};
use slowburn_semi::{Consistency, CostReduction, Mix};
use slowburn_train::{Algorithm, OptimizerConfig};

use super::{ConsistencyConfig, Labels, Method, Recipe};
use crate::args::Reading;
use crate::network::{Arch, NetworkConfig, Normalization};

/// The recipe of the first command in the README: 100 labels of Fashion-MNIST, minutes on two CPU cores.
pub fn fashion() -> Recipe {
    Recipe {
        preset: None,
        data: crate::data::shipped(),
        labels: Labels::Count(100),
        seed: 0,
        whitening: None,
        views: presets::fashion(),
        strong_views: None,
        strong_unlabeled: false,
        strong_labels: false,
        network: small_network(),
        method: Method::MeanTeacher,
        consistency: ConsistencyConfig {
            cost: Consistency::Mse,
            weight: 10.0,
            ramp_up: RampShape::SigmoidUp(Length::Epochs(6.0)),
            ramp_down: RampShape::None,
            on_labeled: true,
            reduction: CostReduction::Minibatch,
            logit_distance: None,
        },
        targets: None,
        decay: Decay::WarmUp { decay: 0.99 },
        batch: 64,
        mix: Mix::Fixed { labeled: 16 },
        labeled_in_unlabeled: false,
        length: Length::Epochs(10.0),
        optimizer: adam_over(11.0),
        baseline: true,
        device: "cpu".to_owned(),
        exact: false,
        bf16: false,
        curve_images: 2000,
        size: None,
        reading: Reading::PHOTOS,
        pretrain: None,
        start: None,
        start_views: None,
        start_branch: None,
        fresh_head: false,
        compare_scratch: false,
        validation: 0.0,
        patience: None,
        time: None,
        start_sha256: None,
        classes: Vec::new(),
        image: None,
        labels_sha256: None,
        fixed: None,
    }
}

fn small_network() -> NetworkConfig {
    NetworkConfig {
        arch: Arch::Small,
        normalization: Normalization::Batch,
        two_heads: false,
        dropout: 0.0,
        input_noise: 0.0,
        group: Some(16),
        whiten_patches: false,
        stem: None,
    }
}

/// Adam whose rate falls as half a cosine that would reach 0 after so many epochs.
fn adam_over(epochs: f64) -> OptimizerConfig {
    OptimizerConfig {
        algorithm: Algorithm::Adam { beta_1: 0.9, beta_1_end: 0.9, beta_2: 0.999, epsilon: 1e-8 },
        schedule: Schedule {
            learning_rate: 0.003,
            ramp_up: RampShape::None,
            ramp_down: RampShape::CosineDown(Length::Epochs(epochs)),
        },
        weight_decay: 0.0,
        decay_norm_and_bias: true,
    }
}
