use slowburn_augment::presets as views;
use slowburn_contrastive::evaluation::{KnnConfig, ProbeConfig, Representation, SweepConfig};

use super::defaults::fashion;
use super::{Method, NetworkConfig, Recipe, Version};
use crate::network::Arch;
use crate::recipe::{Algorithm, Length, OptimizerConfig, RampShape};
use crate::scoring::Scoring;

/// A published row and the recipe behind it.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// The published accuracy in percent, as printed.
    pub accuracy: &'static str,
    /// Where the number stands.
    pub source: &'static str,
    /// What differs from the publication, if anything.
    pub note: &'static str,
    family: Family,
    epochs: u32,
}

#[derive(Debug, Clone, Copy)]
enum Family {
    /// The CIFAR-10 notebook of MoCo's authors.
    Notebook { symmetric: bool },
    /// MoCo's ImageNet runs.
    ImageNet(Version),
}

const NOTEBOOK: &str = "MoCo's CIFAR-10 notebook";
const README: &str = "MoCo's README";
const ONE_SIZE: &str = "images of one size, in memory; 8 splits for 8 GPUs";
const BY_STEP: &str = "as v1; the cosine falls by step, not by epoch";

const fn row(
    name: &'static str,
    family: Family,
    epochs: u32,
    accuracy: &'static str,
    source: &'static str,
    note: &'static str,
) -> Preset {
    Preset { name, accuracy, source, note, family, epochs }
}

const ASYMMETRIC: Family = Family::Notebook { symmetric: false };
const SYMMETRIC: Family = Family::Notebook { symmetric: true };
const V1: Family = Family::ImageNet(Version::V1);
const V2: Family = Family::ImageNet(Version::V2);

/// Every published row of REFERENCE §2.1 of MoCo's authors.
#[rustfmt::skip] // a table reads best with one row a line
pub const PRESETS: &[Preset] = &[
    row("cifar10-200", ASYMMETRIC, 200, "82.6 kNN", NOTEBOOK, ""),
    row("cifar10-400", ASYMMETRIC, 400, "86.3 kNN", NOTEBOOK, ""),
    row("cifar10-800", ASYMMETRIC, 800, "88.7 kNN", NOTEBOOK, ""),
    row("cifar10-symmetric-200", SYMMETRIC, 200, "85.3 kNN", NOTEBOOK, ""),
    row("cifar10-symmetric-400", SYMMETRIC, 400, "88.5 kNN", NOTEBOOK, ""),
    row("cifar10-symmetric-800", SYMMETRIC, 800, "89.7 kNN, 90.7 linear", NOTEBOOK, ""),
    row("imagenet-v1-200", V1, 200, "60.8 ± 0.2 linear", README, ONE_SIZE),
    row("imagenet-v2-200", V2, 200, "67.5 ± 0.1 linear", README, BY_STEP),
    row("imagenet-v2-800", V2, 800, "71.1 linear", README, BY_STEP),
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The presets with their published accuracies, as a table.
pub fn preset_list() -> String {
    let mut text =
        format!("{:<24} {:>6}  {:<24} {:<26} {}\n", "preset", "epochs", "published top-1, %", "source", "what differs");
    for preset in PRESETS {
        let Preset { name, accuracy, source, note, epochs, .. } = preset;
        text += &format!("{name:<24} {epochs:>6}  {accuracy:<24} {source:<26} {note}\n");
    }
    text
}

impl Preset {
    /// The complete recipe, but for `data`, which is where you keep it.
    pub fn recipe(&self) -> Recipe {
        let length = Length::Epochs(f64::from(self.epochs));
        let recipe = match self.family {
            Family::Notebook { symmetric } => notebook(length, symmetric),
            Family::ImageNet(version) => imagenet(length, version),
        };
        Recipe { preset: Some(self.name.to_owned()), ..recipe }
    }
}

fn sgd(learning_rate: f64, weight_decay: f32, ramp_down: RampShape) -> OptimizerConfig {
    OptimizerConfig {
        algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: false },
        learning_rate,
        ramp_up: RampShape::None,
        ramp_down,
        weight_decay,
        decay_norm_and_bias: true,
    }
}

/// MoCo's own probe: features as they are, a learning rate of 30.
fn moco_probe() -> SweepConfig {
    let probe = ProbeConfig::moco();
    SweepConfig { learning_rates: vec![probe.learning_rate], probe, ..SweepConfig::default() }
}

/// ResNet-18 with batches of 512; the kNN score is of the embedding.
fn notebook(length: Length, symmetric: bool) -> Recipe {
    Recipe {
        views: views::moco_cifar(32),
        network: NetworkConfig { arch: Arch::ResNet18, splits: 8, version: Version::V1, dim: 128 },
        method: Method::Moco,
        queue: 4096,
        decay: 0.99,
        temperature: 0.1,
        symmetric,
        shuffle: true,
        batch: 512,
        length,
        optimizer: sgd(0.06, 5e-4, RampShape::CosineByEpoch),
        scoring: Scoring {
            representation: Representation::Embedding,
            knn: KnnConfig { k: 200, temperature: 0.1 },
            sweep: moco_probe(),
        },
        monitor: 1,
        ..fashion()
    }
}

/// ResNet-50 with batches of 256 on 8 GPUs.
fn imagenet(length: Length, version: Version) -> Recipe {
    let (views, temperature, ramp_down) = match version {
        Version::V1 => (views::moco_v1(224), 0.07, RampShape::Milestones(0.6, 0.8)),
        Version::V2 => (views::moco_v2(224), 0.2, RampShape::CosineDown(length)),
    };
    Recipe {
        views,
        network: NetworkConfig { arch: Arch::ResNet50, splits: 8, version, dim: 128 },
        method: Method::Moco,
        queue: 65_536,
        decay: 0.999,
        temperature,
        symmetric: false,
        shuffle: true,
        batch: 256,
        length,
        optimizer: sgd(0.03, 1e-4, ramp_down),
        scoring: Scoring { sweep: moco_probe(), ..Scoring::default() },
        monitor: 10,
        ..fashion()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_valid_recipe_that_survives_serialisation() {
        for preset in PRESETS {
            let recipe = preset.recipe();
            recipe.validate().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let text = serde_json::to_string(&recipe).expect("recipes serialise");
            assert_eq!(recipe, serde_json::from_str(&text).expect("and come back"), "{}", preset.name);
            assert!(preset_list().contains(preset.accuracy), "{}", preset.name);
        }
    }

    #[test]
    fn the_notebook_fits_cifar_10_and_the_paper_fits_imagenet() {
        assert_eq!(preset("cifar10-200").expect("exists").recipe().validate_for(50_000, 50_000), Ok(()));
        assert_eq!(preset("imagenet-v1-200").expect("exists").recipe().validate_for(1_281_167, 1_281_167), Ok(()));
    }

    #[test]
    fn the_notebooks_last_epoch_has_the_rate_zero_and_its_first_not_the_highest() {
        let recipe = preset("cifar10-200").expect("exists").recipe();
        let mut optimizer = recipe.optimizer.init(97, 97 * 200).expect("valid");
        let expected = 0.06 * 0.5 * (1.0 + (std::f64::consts::PI / 200.0).cos());
        assert!((optimizer.prepare(0) - expected).abs() < 1e-12);
        assert!(optimizer.prepare(97 * 200 - 1).abs() < 1e-12);
    }
}
