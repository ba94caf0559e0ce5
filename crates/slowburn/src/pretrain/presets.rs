use slowburn_augment::presets as views;
use slowburn_contrastive::evaluation::{KnnConfig, ProbeConfig, Representation, SweepConfig};

use super::defaults::{fashion, imagenet_views};
use super::method::change_method;
use super::{Mask, Method, NetworkConfig, Recipe, Version};
use crate::args::Reading;
use crate::network::Arch;
use crate::recipes::{OURS, reproduced};
use slowburn_ema::{Length, RampShape, Schedule};
use slowburn_train::monitor::Scoring;
use slowburn_train::{Algorithm, OptimizerConfig};

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
    /// CIFAR-10 with ResNet-18 and a predictor.
    Predictor(Method),
    /// The same with LARS, as solo-learn has it.
    Lars(Method),
    /// CIFAR-10 with a ResNet-9 and masked queries.
    Masked,
}

const NOTEBOOK: &str = "MoCo's CIFAR-10 notebook";
const README: &str = "MoCo's README";
const CACHED: &str = "the probe is on cached features of whole images, without crops and flips";
const ONE_SIZE: &str = "images of one size, in memory; 8 splits for 8 GPUs; the probe is on cached centre crops";
const AS_V1: &str = "as v1";
const SIMSIAM: &str = "arXiv 2011.10566, appendix D";
const LIGHTLY: &str = "lightly's CIFAR-10 benchmark";
const SOLO: &str = "solo-learn's README";
const MASKED: &str = "57.5 linear, 49.5 kNN with --bf16, one seed; a ResNet-9 of half the width, 0.3 of a query masked";
const SIMSIAM_NOTE: &str = "crops of MoCo's notebook, from 0.08 of the area, the paper's from 0.2; the last scale of each residual block begins at \
                            1, theirs at 0; the probe is on cached features, theirs is not said";
const BYOL_NOTE: &str = "published is the best epoch on the test images, with a constant decay; 2 − 2cos summed over both directions, at \
                         a quarter of the rate and four times the weight decay, is their mean of −cos; inputs have CIFAR's mean and std, \
                         theirs ImageNet's";
const SOLO_NOTE: &str =
    "both views are those of MoCo's notebook, solo-learn's are of two kinds; the probe is on cached features";

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

/// Every row that MoCo's authors published: of their CIFAR-10 notebook, and of arXiv 1911.05722 and 2003.04297 (ImageNet). Of
/// SimSiam, BYOL and MoCo v3, rows on CIFAR-10 with ResNet-18. Nothing is published of masked queries: the row is ours.
#[rustfmt::skip] // a table reads best with one row a line
pub const PRESETS: &[Preset] = &[
    row("cifar10-200", ASYMMETRIC, 200, "82.6 kNN", NOTEBOOK, CACHED),
    row("cifar10-400", ASYMMETRIC, 400, "86.3 kNN", NOTEBOOK, CACHED),
    row("cifar10-800", ASYMMETRIC, 800, "88.7 kNN", NOTEBOOK, CACHED),
    row("cifar10-symmetric-200", SYMMETRIC, 200, "85.3 kNN", NOTEBOOK, CACHED),
    row("cifar10-symmetric-400", SYMMETRIC, 400, "88.5 kNN", NOTEBOOK, CACHED),
    row("cifar10-symmetric-800", SYMMETRIC, 800, "89.7 kNN, 90.7 linear", NOTEBOOK, CACHED),
    row("simsiam-cifar10-800", Family::Predictor(Method::SimSiam), 800, "91.8 linear", SIMSIAM, SIMSIAM_NOTE),
    row("byol-cifar10-200", Family::Predictor(Method::Byol), 200, "86.8 kNN", LIGHTLY, BYOL_NOTE),
    row("byol-cifar10-800", Family::Predictor(Method::Byol), 800, "91.0 kNN", LIGHTLY, BYOL_NOTE),
    row("byol-cifar10-1000", Family::Lars(Method::Byol), 1000, "92.6 (probe not said)", SOLO, SOLO_NOTE),
    row("moco-v3-cifar10-1000", Family::Lars(Method::MocoV3), 1000, "93.1 (probe not said)", SOLO, SOLO_NOTE),
    row("moco-masked-cifar10-10", Family::Masked, 10, "none published", OURS, MASKED),
    row("imagenet-v1-200", V1, 200, "60.8 ± 0.2 linear", README, ONE_SIZE),
    row("imagenet-v2-200", V2, 200, "67.5 ± 0.1 linear", README, AS_V1),
    row("imagenet-v2-800", V2, 800, "71.1 linear", README, AS_V1),
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The presets with their published accuracies, as a table.
pub fn preset_list() -> String {
    let mut text = format!(
        "{:<24} {:>6}  {:<24} {:<10}  {:<26} {}\n",
        "recipe", "epochs", "published top-1, %", "reproduced", "source", "what differs"
    );
    for preset in PRESETS {
        let Preset { name, accuracy, source, note, epochs, .. } = preset;
        let reproduced = reproduced(source);
        text += &format!("{name:<24} {epochs:>6}  {accuracy:<24} {reproduced:<10}  {source:<26} {note}\n");
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
            Family::Predictor(method) => predictor(length, method),
            Family::Lars(method) => lars(length, method),
            Family::Masked => masked(length),
        };
        Recipe { preset: Some(self.name.to_owned()), reading: Reading::default(), ..recipe }
    }
}

fn sgd(learning_rate: f64, weight_decay: f32, ramp_down: RampShape) -> OptimizerConfig {
    OptimizerConfig {
        algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: false },
        schedule: Schedule { learning_rate, ramp_up: RampShape::None, ramp_down },
        weight_decay,
        decay_norm_and_bias: true,
    }
}

/// MoCo's own probe: features as they are, a learning rate of 30.
fn moco_probe() -> SweepConfig {
    let probe = ProbeConfig::moco();
    SweepConfig { learning_rates: vec![probe.learning_rate], probe, ..SweepConfig::default() }
}

/// ResNet-18 with batches of 512; the kNN score is of the embedding, the probe's of the features below.
fn notebook(length: Length, symmetric: bool) -> Recipe {
    Recipe {
        views: views::moco_cifar(32),
        network: NetworkConfig {
            arch: Arch::ResNet18,
            splits: 8,
            version: Version::V1,
            dim: 128,
            stem: None,
            heads: None,
            whiten_patches: false,
        },
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
            probe_representation: Some(Representation::Features),
            knn: KnnConfig { k: 200, temperature: 0.1 },
            sweep: moco_probe(),
        },
        monitor: 1,
        ..fashion()
    }
}

/// The notebook with another method, heads of this width and embeddings of this length, and statistics of the whole batch.
fn with_heads(length: Length, method: Method, hidden: usize, dim: usize) -> Recipe {
    let mut recipe = notebook(length, false);
    change_method(&mut recipe, method);
    recipe.network.heads = method.heads(hidden, dim);
    recipe.network.dim = dim;
    recipe.temperature = 0.2;
    recipe.scoring.representation = Representation::Features;
    recipe
}

/// ResNet-18 with batches of 512.
fn predictor(length: Length, method: Method) -> Recipe {
    // Width and length of the heads, learning rate, weight decay.
    let (hidden, dim, rate, penalty) = match method {
        // 0.06·batch/128 and 5e-4 for the mean of −cos, of which ours is four times as steep.
        Method::Byol => (1024, 256, 0.06, 2e-3),
        // 0.03·batch/256; a bottleneck of 512.
        _ => (2048, 2048, 0.06, 5e-4),
    };
    let optimizer = sgd(rate, penalty, RampShape::CosineByEpochFromZero);
    Recipe { optimizer, ..with_heads(length, method, hidden, dim) }
}

/// ResNet-18 with batches of 256 and LARS: `scripts/pretrain/cifar/byol.yaml` and `mocov3.yaml` of solo-learn.
fn lars(length: Length, method: Method) -> Recipe {
    let (learning_rate, weight_decay) = match method {
        Method::Byol => (1.0, 1e-5),
        _ => (0.3, 1e-6),
    };
    let optimizer = OptimizerConfig {
        algorithm: Algorithm::Lars { momentum: 0.9, trust: 0.02, clip: true },
        schedule: Schedule {
            learning_rate,
            ramp_up: RampShape::LinearUp(Length::Epochs(10.0)),
            ramp_down: RampShape::CosineDown(length),
        },
        weight_decay,
        decay_norm_and_bias: false,
    };
    Recipe { batch: 256, optimizer, ..with_heads(length, method, 4096, 256) }
}

/// The settings of docs/cifar10.md, "Short schedules without labels".
fn masked(length: Length) -> Recipe {
    let mut recipe = Recipe {
        views: views::moco_cifar(32),
        network: NetworkConfig { arch: Arch::ResNet9Half, ..fashion().network },
        mask: Some(Mask { share: 0.3, patch: Some(4) }),
        monitor: 1,
        ..fashion()
    };
    recipe.set_length(length);
    recipe
}

/// ResNet-50 with batches of 256 on 8 GPUs.
fn imagenet(length: Length, version: Version) -> Recipe {
    let (temperature, ramp_down) = match version {
        Version::V1 => (0.07, RampShape::Milestones(0.6, 0.8)),
        Version::V2 => (0.2, RampShape::CosineByEpochFromZero),
    };
    Recipe {
        views: imagenet_views(version, 224),
        evaluation: Some(views::imagenet_evaluation(224)),
        network: NetworkConfig { arch: Arch::ResNet50, splits: 8, version, dim: 128, ..fashion().network },
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
    use slowburn_augment::{Filter, ImageSize, Operation, ResizeTo};
    use slowburn_contrastive::evaluation::ProbeSchedule;
    use slowburn_ema::Timeline;

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
    fn the_notebook_counts_epochs_from_one_and_the_paper_from_zero() {
        let cosine = |epoch: f64| 0.5 * (1.0 + (std::f64::consts::PI * epoch / 200.0).cos());
        let rates = |name: &str| -> [f64; 4] {
            let recipe = preset(name).expect("exists").recipe();
            let mut optimizer = recipe.optimizer.init(Timeline { per_epoch: 97, total: 97 * 200 }).expect("valid");
            [0, 96, 97, 97 * 200 - 1].map(|step| optimizer.prepare(step) / recipe.optimizer.schedule.learning_rate)
        };
        for (name, epochs) in [("cifar10-200", [1.0, 1.0, 2.0, 200.0]), ("imagenet-v2-200", [0.0, 0.0, 1.0, 199.0])] {
            for (ours, epoch) in rates(name).into_iter().zip(epochs) {
                assert!((ours - cosine(epoch)).abs() < 1e-12, "{name}: {ours} at epoch {epoch}");
            }
        }
    }

    /// Images of ImageNet's presets are scored as the original does it: 256 for the shorter side, the middle 224.
    #[test]
    fn imagenet_is_scored_on_the_middle_of_a_larger_image() {
        for preset in PRESETS.iter().filter(|preset| preset.name.starts_with("imagenet")) {
            let recipe = preset.recipe();
            assert_eq!(recipe.evaluation(), views::imagenet_evaluation(224), "{}", preset.name);
            let resize = Operation::Resize { to: ResizeTo::ShorterSide(256), filter: Filter::Bilinear };
            assert_eq!(recipe.evaluation().operations()[0], resize);
            assert_eq!(recipe.evaluation().output_size(ImageSize::new(300, 400, 3)), ImageSize::new(224, 224, 3));
        }
        let recipe = preset("cifar10-200").expect("exists").recipe();
        assert_eq!(recipe.evaluation(), views::moco_cifar(32).evaluation());
    }

    #[test]
    fn a_version_changes_the_views_where_the_papers_differ() {
        let mut recipe = preset("imagenet-v1-200").expect("exists").recipe();
        recipe.set_version(Version::V2);
        assert_eq!(recipe.views, views::moco_v2(224));
        assert_eq!(recipe.optimizer, preset("imagenet-v2-200").expect("exists").recipe().optimizer);
        recipe.set_version(Version::V1);
        assert_eq!(recipe, preset("imagenet-v1-200").expect("exists").recipe());
        let mut recipe = preset("cifar10-200").expect("exists").recipe();
        recipe.set_version(Version::V2);
        assert_eq!(recipe.views, views::moco_cifar(32), "the notebook has one kind");
    }

    /// What a preset says beside its epochs, as its source has it.
    struct Row {
        names: [&'static str; 3],
        arch: Arch,
        version: Version,
        views: fn(u32) -> slowburn_augment::Pipeline,
        side: u32,
        /// Queue, dimension, batch, splits.
        sizes: [usize; 4],
        /// m, τ, learning rate, weight decay.
        numbers: [f64; 4],
        symmetric: bool,
        ramp: RampShape,
        representation: Representation,
    }

    const LARGE: [usize; 4] = [65_536, 128, 256, 8];
    const SMALL: [usize; 4] = [4096, 128, 512, 8];
    const TABLE: [Row; 4] = [
        Row {
            names: ["cifar10-200", "cifar10-400", "cifar10-800"],
            arch: Arch::ResNet18,
            version: Version::V1,
            views: views::moco_cifar,
            side: 32,
            sizes: SMALL,
            numbers: [0.99, 0.1, 0.06, 5e-4],
            symmetric: false,
            ramp: RampShape::CosineByEpoch,
            representation: Representation::Embedding,
        },
        Row {
            names: ["cifar10-symmetric-200", "cifar10-symmetric-400", "cifar10-symmetric-800"],
            arch: Arch::ResNet18,
            version: Version::V1,
            views: views::moco_cifar,
            side: 32,
            sizes: SMALL,
            numbers: [0.99, 0.1, 0.06, 5e-4],
            symmetric: true,
            ramp: RampShape::CosineByEpoch,
            representation: Representation::Embedding,
        },
        Row {
            names: ["imagenet-v1-200", "", ""],
            arch: Arch::ResNet50,
            version: Version::V1,
            views: views::moco_v1,
            side: 224,
            sizes: LARGE,
            numbers: [0.999, 0.07, 0.03, 1e-4],
            symmetric: false,
            ramp: RampShape::Milestones(0.6, 0.8),
            representation: Representation::Features,
        },
        Row {
            names: ["imagenet-v2-200", "imagenet-v2-800", ""],
            arch: Arch::ResNet50,
            version: Version::V2,
            views: views::moco_v2,
            side: 224,
            sizes: LARGE,
            numbers: [0.999, 0.2, 0.03, 1e-4],
            symmetric: false,
            ramp: RampShape::CosineByEpochFromZero,
            representation: Representation::Features,
        },
    ];

    #[test]
    fn every_number_is_the_published_one() {
        let mut seen = 0;
        for row in &TABLE {
            for name in row.names.into_iter().filter(|name| !name.is_empty()) {
                check_row(name, row);
                seen += 1;
            }
        }
        let of_others = |preset: &&Preset| !matches!(preset.family, Family::Notebook { .. } | Family::ImageNet(_));
        let others = PRESETS.iter().filter(of_others).count();
        assert_eq!(seen + others, PRESETS.len(), "every preset of MoCo is in the table");
        let siamese = preset("simsiam-cifar10-800").expect("exists").recipe();
        assert_eq!((siamese.batch, siamese.network.dim, siamese.network.splits), (512, 2048, 1));
        assert_eq!((siamese.optimizer.schedule.learning_rate, siamese.optimizer.weight_decay), (0.06, 5e-4));
        for name in ["byol-cifar10-200", "byol-cifar10-800"] {
            let byol = preset(name).expect("exists").recipe();
            assert_eq!((byol.optimizer.schedule.learning_rate, byol.optimizer.weight_decay), (0.06, 2e-3), "{name}");
            let heads = byol.network.heads.expect("two");
            assert_eq!((&heads.projector.hidden[..], heads.projector.dim), (&[1024][..], 256), "{name}");
        }
        let heads = siamese.network.heads.expect("two");
        assert_eq!((&heads.projector.hidden[..], &heads.predictor.hidden[..]), (&[2048][..], &[512][..]));
    }

    #[test]
    fn masked_queries_have_the_settings_of_the_experiment() {
        let recipe = preset("moco-masked-cifar10-10").expect("exists").recipe();
        assert_eq!((recipe.network.arch, recipe.mask), (Arch::ResNet9Half, Some(Mask { share: 0.3, patch: Some(4) })));
        assert_eq!((recipe.batch, recipe.queue, recipe.network.splits, recipe.decay), (128, 4096, 8, 0.99));
        assert_eq!((recipe.temperature, recipe.optimizer.schedule.learning_rate), (0.2, 0.06));
        assert_eq!(recipe.optimizer.schedule.ramp_down, RampShape::CosineDown(Length::Share(1.0)));
    }

    #[test]
    fn solo_learns_recipes_train_with_lars() {
        for (name, method, rate, penalty) in
            [("byol-cifar10-1000", Method::Byol, 1.0, 1e-5), ("moco-v3-cifar10-1000", Method::MocoV3, 0.3, 1e-6)]
        {
            let recipe = preset(name).expect("exists").recipe();
            let heads = recipe.network.heads.expect("two");
            assert_eq!((recipe.method, recipe.batch, recipe.decay, recipe.temperature), (method, 256, 0.99, 0.2));
            assert_eq!((&heads.projector.hidden[..], &heads.predictor.hidden[..]), (&[4096][..], &[4096][..]));
            assert_eq!((heads.projector.dim, heads.predictor.dim, recipe.network.splits), (256, 256, 1));
            let optimizer = &recipe.optimizer;
            assert_eq!(optimizer.algorithm, Algorithm::Lars { momentum: 0.9, trust: 0.02, clip: true });
            assert_eq!((optimizer.schedule.learning_rate, optimizer.weight_decay), (rate, penalty), "{name}");
            let mut optimizer = optimizer.init(Timeline { per_epoch: 195, total: 195 * 1000 }).expect("valid");
            assert!((optimizer.prepare(975) / rate - 0.5).abs() < 1e-4, "half way up after five epochs");
        }
    }

    fn check_row(name: &str, row: &Row) {
        let recipe = preset(name).expect(name).recipe();
        let network = &recipe.network;
        assert_eq!((network.arch, network.version), (row.arch, row.version), "{name}");
        assert_eq!(recipe.views, (row.views)(row.side), "{name}");
        assert_eq!([recipe.queue, network.dim, recipe.batch, network.splits], row.sizes, "{name}");
        let optimizer = &recipe.optimizer;
        let [decay, temperature, rate, penalty] = row.numbers;
        assert_eq!(
            (recipe.decay, recipe.temperature, optimizer.schedule.learning_rate),
            (decay, temperature, rate),
            "{name}"
        );
        assert_eq!((optimizer.weight_decay, optimizer.decay_norm_and_bias), (penalty as f32, true), "{name}");
        assert_eq!(optimizer.algorithm, Algorithm::Sgd { momentum: 0.9, nesterov: false }, "{name}");
        assert_eq!((optimizer.schedule.ramp_up, optimizer.schedule.ramp_down), (RampShape::None, row.ramp), "{name}");
        let epochs: f64 = name.rsplit('-').next().and_then(|epochs| epochs.parse().ok()).expect("in the name");
        assert_eq!(recipe.length, Length::Epochs(epochs), "{name}");
        assert_eq!((recipe.method, recipe.symmetric, recipe.shuffle), (Method::Moco, row.symmetric, true), "{name}");
        let scoring = &recipe.scoring;
        assert_eq!(scoring.representation, row.representation, "{name}");
        assert_eq!(scoring.probe_representation(), Representation::Features, "{name}");
        assert_eq!(scoring.knn, KnnConfig { k: 200, temperature: 0.1 }, "{name}");
        let probe = &scoring.sweep.probe;
        assert_eq!((&scoring.sweep.learning_rates[..], probe.epochs, probe.batch), (&[30.0][..], 100, 256), "{name}");
        assert_eq!(probe.schedule, ProbeSchedule::Steps { at: vec![60, 80], factor: 0.1 }, "{name}");
        assert_eq!((probe.weight_decay, probe.momentum, probe.standardize), (0.0, 0.9, false), "{name}");
    }
}
