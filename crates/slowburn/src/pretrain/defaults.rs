use slowburn_augment::{Pipeline, presets};

use super::{Method, NetworkConfig, Recipe, Version};
use crate::args::Reading;
use crate::network::Arch;
use slowburn_ema::{Length, RampShape, Schedule};
use slowburn_train::monitor::Scoring;
use slowburn_train::{Algorithm, OptimizerConfig};

/// The views of grey images.
pub(super) fn gray_views(version: Version, side: u32) -> Pipeline {
    match version {
        Version::V1 => presets::moco_fashion_v1(side),
        Version::V2 => presets::moco_fashion(side),
    }
}

/// The views of ImageNet.
pub(super) fn imagenet_views(version: Version, side: u32) -> Pipeline {
    match version {
        Version::V1 => presets::moco_v1(side),
        Version::V2 => presets::moco_v2(side),
    }
}

/// The recipe of the example without flags: the shipped images of Fashion-MNIST, minutes on two CPU cores.
pub fn fashion() -> Recipe {
    let length = Length::Epochs(60.0);
    Recipe {
        preset: None,
        size: None,
        reading: Reading::PHOTOS,
        start: None,
        patience: None,
        time: None,
        start_branch: None,
        start_sha256: None,
        image: None,
        fixed: None,
        data: crate::data::shipped(),
        seed: 0,
        views: gray_views(Version::V2, 28),
        evaluation: None,
        mask: None,
        network: NetworkConfig {
            arch: Arch::Small,
            splits: 8,
            version: Version::V2,
            dim: 64,
            stem: None,
            heads: None,
            whiten_patches: false,
        },
        method: Method::Moco,
        queue: 4096,
        decay: 0.99,
        temperature: 0.2,
        symmetric: false,
        shuffle: true,
        batch: 128,
        length,
        optimizer: OptimizerConfig {
            algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: false },
            schedule: Schedule {
                learning_rate: 0.06,
                ramp_up: RampShape::None,
                ramp_down: RampShape::CosineDown(length),
            },
            weight_decay: 5e-4,
            decay_norm_and_bias: true,
        },
        scoring: Scoring::default(),
        baseline: true,
        monitor: 4,
        device: "cpu".to_owned(),
        exact: false,
        bf16: false,
    }
}
