//! The published rows, each as a complete recipe.

use slowburn_augment::{WhiteningConfig, presets as views};
use slowburn_ema::{Decay, Length, RampShape, Schedule};
use slowburn_semi::{Consistency, CostReduction, LabelForm, LabelSource, Mix, Selection};
use slowburn_train::{Algorithm, OptimizerConfig};

use super::defaults::fashion;
use super::{ConsistencyConfig, Labels, Method, Recipe, change_method};
use crate::args::Reading;
use crate::network::{Arch, NetworkConfig, Normalization};
use crate::recipes::OURS;

/// A published row and the recipe behind it.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// The published test error in percent, as printed.
    pub error: &'static str,
    /// Where the number stands.
    pub source: &'static str,
    /// What differs from the publication, if anything.
    pub note: &'static str,
    family: Family,
    method: Method,
    labels: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// The paper's ConvNet on CIFAR-10.
    Cifar,
    /// The paper's ConvNet on SVHN.
    Svhn,
    /// The authors' short CIFAR-10 run.
    QuickCifar,
    /// The authors' short SVHN run.
    QuickSvhn,
    /// TorchSSL's and USB's Wide-ResNet-28-2 on CIFAR-10 or CIFAR-100.
    WideCifar,
    /// The same on SVHN.
    WideSvhn,
    /// FixMatch's Wide-ResNet-28-2 on CIFAR-10, with its weak and strong views.
    Strong,
    /// The same with UDA's targets.
    Sharpened,
    /// ICT's ConvNet on CIFAR-10.
    Mixed,
    /// Ours: a short residual network on CIFAR-10, for two cores.
    Afternoon,
}

const ALL: usize = usize::MAX;
const PAPER: &str = "arXiv 1703.01780, table 2";
const PAPER_SVHN: &str = "arXiv 1703.01780, table 1";
const TORCHSSL: &str = "TorchSSL README";
const USB: &str = "USB results/classic_cv.csv";
const AUTHORS: &str = "authors' train_*.py";
const FIXMATCH: &str = "arXiv 2001.07685, table 2";
const FLEXMATCH: &str = "arXiv 2110.08263, table 1";
const ICT: &str = "arXiv 1903.03825, table 1";
const LAST: &str = "RandAugment, both operations always applied, 4 to 8 bits; inputs have mean 0 and std 1; published is the median of \
    the last 20 checkpoints";
const BEST: &str = "FixMatch's strong views, theirs have 3 operations and cut-out of any size; published is the best of all checkpoints \
    on the test images";
const FAIRNESS: &str = "as for flexmatch, and the fairness term has the weight 0.01, USB's file 0.001";
const SHARPENED: &str = "as for flexmatch: FixMatch with targets that are sharpened, not hard (T 0.4), from 0.8 on; cross entropy, which is \
    their divergence but for a constant";
const MIXED: &str = "batch normalisation; labelled images are not mixed, and probabilities are, not logits; published is the \
    epoch that is best on 5,000 validation labels";
const AFTERNOON: &str = "9.1 in 96 minutes of two cores with --bf16 and 1,000 more labels to choose the epoch by, one seed; Mean Teacher's \
    paper has 12.31";
const NO_EXTRA: &str = "on the 73,257 training images; the original adds 531,131 extra ones";

const CIFAR_100: &str = "inputs are normalised as for CIFAR-10";

const fn row(
    name: &'static str,
    family: Family,
    method: Method,
    labels: usize,
    error: &'static str,
    source: &'static str,
    note: &'static str,
) -> Preset {
    Preset { name, error, source, note, family, method, labels }
}

use Family::{Afternoon, Cifar, Mixed, QuickCifar, QuickSvhn, Sharpened, Strong, Svhn, WideCifar, WideSvhn};
use Method::{FixMatch, FlexMatch, FreeMatch, Ict, MeanTeacher, Pi, Supervised};

/// Every row of arXiv 1703.01780 (tables 1 and 2), TorchSSL and USB whose network is here and whose recipe is known, and the
/// CIFAR-10 rows of FixMatch, UDA, FlexMatch, FreeMatch and ICT. We know of no published number of Mean Teacher with hard or
/// sharpened targets, nor, with these networks, of a training that begins with pre-training.
#[rustfmt::skip] // a table reads best with one row a line
pub const PRESETS: &[Preset] = &[
    row("cifar10-1000", Cifar, MeanTeacher, 1000, "21.55 ± 1.48", PAPER, ""),
    row("cifar10-2000", Cifar, MeanTeacher, 2000, "15.73 ± 0.31", PAPER, ""),
    row("cifar10-4000", Cifar, MeanTeacher, 4000, "12.31 ± 0.28", PAPER, ""),
    row("cifar10-all", Cifar, MeanTeacher, ALL, "5.94 ± 0.15", PAPER, ""),
    row("cifar10-pi-1000", Cifar, Pi, 1000, "27.36 ± 1.20", PAPER, ""),
    row("cifar10-pi-2000", Cifar, Pi, 2000, "18.02 ± 0.60", PAPER, ""),
    row("cifar10-pi-4000", Cifar, Pi, 4000, "13.20 ± 0.27", PAPER, ""),
    row("cifar10-pi-all", Cifar, Pi, ALL, "6.06 ± 0.11", PAPER, ""),
    row("cifar10-supervised-1000", Cifar, Supervised, 1000, "46.43 ± 1.21", PAPER, ""),
    row("cifar10-supervised-2000", Cifar, Supervised, 2000, "33.94 ± 0.73", PAPER, ""),
    row("cifar10-supervised-4000", Cifar, Supervised, 4000, "20.66 ± 0.57", PAPER, ""),
    row("cifar10-supervised-all", Cifar, Supervised, ALL, "5.82 ± 0.15", PAPER, ""),
    row("svhn-250", Svhn, MeanTeacher, 250, "4.35 ± 0.50", PAPER_SVHN, ""),
    row("svhn-500", Svhn, MeanTeacher, 500, "4.18 ± 0.27", PAPER_SVHN, ""),
    row("svhn-1000", Svhn, MeanTeacher, 1000, "3.95 ± 0.19", PAPER_SVHN, ""),
    row("svhn-all", Svhn, MeanTeacher, ALL, "2.50 ± 0.05", PAPER_SVHN, ""),
    row("svhn-supervised-250", Svhn, Supervised, 250, "27.77 ± 3.18", PAPER_SVHN, ""),
    row("svhn-supervised-500", Svhn, Supervised, 500, "16.88 ± 1.30", PAPER_SVHN, ""),
    row("svhn-supervised-1000", Svhn, Supervised, 1000, "12.32 ± 0.95", PAPER_SVHN, ""),
    row("svhn-supervised-all", Svhn, Supervised, ALL, "2.75 ± 0.10", PAPER_SVHN, ""),
    row("cifar10-quick-4000", QuickCifar, MeanTeacher, 4000, "none published", AUTHORS, ""),
    row("svhn-quick-500", QuickSvhn, MeanTeacher, 500, "about 5 to 6 (author)", AUTHORS, ""),
    row("wrn-cifar10-40", WideCifar, MeanTeacher, 40, "70.09", TORCHSSL, ""),
    row("wrn-cifar10-250", WideCifar, MeanTeacher, 250, "37.46", TORCHSSL, ""),
    row("wrn-cifar10-4000", WideCifar, MeanTeacher, 4000, "8.10", TORCHSSL, ""),
    row("wrn-cifar10-supervised-40", WideCifar, Supervised, 40, "77.58", USB, ""),
    row("wrn-cifar10-supervised-250", WideCifar, Supervised, 250, "55.96", USB, ""),
    row("wrn-cifar10-supervised-4000", WideCifar, Supervised, 4000, "15.51", USB, ""),
    row("wrn-cifar100-400", WideCifar, MeanTeacher, 400, "81.11", TORCHSSL, CIFAR_100),
    row("wrn-cifar100-2500", WideCifar, MeanTeacher, 2500, "45.17", TORCHSSL, CIFAR_100),
    row("wrn-cifar100-10000", WideCifar, MeanTeacher, 10_000, "31.75", TORCHSSL, CIFAR_100),
    row("wrn-cifar100-supervised-400", WideCifar, Supervised, 400, "89.87", USB, CIFAR_100),
    row("wrn-cifar100-supervised-2500", WideCifar, Supervised, 2500, "61.25", USB, CIFAR_100),
    row("wrn-cifar100-supervised-10000", WideCifar, Supervised, 10_000, "38.99", USB, CIFAR_100),
    row("wrn-svhn-40", WideSvhn, MeanTeacher, 40, "36.09", TORCHSSL, NO_EXTRA),
    row("wrn-svhn-250", WideSvhn, MeanTeacher, 250, "3.45", TORCHSSL, NO_EXTRA),
    row("wrn-svhn-1000", WideSvhn, MeanTeacher, 1000, "3.27", TORCHSSL, NO_EXTRA),
    row("wrn-svhn-supervised-40", WideSvhn, Supervised, 40, "82.21", USB, NO_EXTRA),
    row("wrn-svhn-supervised-250", WideSvhn, Supervised, 250, "25.70", USB, NO_EXTRA),
    row("wrn-svhn-supervised-1000", WideSvhn, Supervised, 1000, "12.46", USB, NO_EXTRA),
    row("fixmatch-cifar10-40", Strong, FixMatch, 40, "13.81 ± 3.37", FIXMATCH, LAST),
    row("fixmatch-cifar10-250", Strong, FixMatch, 250, "5.07 ± 0.65", FIXMATCH, LAST),
    row("fixmatch-cifar10-4000", Strong, FixMatch, 4000, "4.26 ± 0.05", FIXMATCH, LAST),
    row("uda-cifar10-40", Sharpened, FixMatch, 40, "10.62 ± 3.75", FLEXMATCH, SHARPENED),
    row("uda-cifar10-250", Sharpened, FixMatch, 250, "5.16", FLEXMATCH, SHARPENED),
    row("uda-cifar10-4000", Sharpened, FixMatch, 4000, "4.29", FLEXMATCH, SHARPENED),
    row("flexmatch-cifar10-40", Strong, FlexMatch, 40, "4.97 ± 0.06", FLEXMATCH, BEST),
    row("flexmatch-cifar10-250", Strong, FlexMatch, 250, "4.98 ± 0.09", FLEXMATCH, BEST),
    row("flexmatch-cifar10-4000", Strong, FlexMatch, 4000, "4.19 ± 0.01", FLEXMATCH, BEST),
    row("freematch-cifar10-40", Strong, FreeMatch, 40, "4.97 ± 0.09", USB, FAIRNESS),
    row("freematch-cifar10-250", Strong, FreeMatch, 250, "4.85", USB, FAIRNESS),
    row("freematch-cifar10-4000", Strong, FreeMatch, 4000, "4.14", USB, FAIRNESS),
    row("ict-cifar10-1000", Mixed, Ict, 1000, "15.48", ICT, MIXED),
    row("ict-cifar10-2000", Mixed, Ict, 2000, "9.26", ICT, MIXED),
    row("ict-cifar10-4000", Mixed, Ict, 4000, "7.29", ICT, MIXED),
    row("cifar10-afternoon", Afternoon, FixMatch, 4000, "none published", OURS, AFTERNOON),
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// The labels that the published row used.
    pub fn labels(&self) -> Labels {
        match self.labels {
            ALL => Labels::All,
            count => Labels::Count(count),
        }
    }

    /// The complete recipe, but for `data`, which is where you keep it.
    pub fn recipe(&self) -> Recipe {
        let mut recipe = match self.family {
            Family::Cifar => self.paper_cifar(),
            Family::Svhn => self.paper_svhn(),
            Family::QuickCifar => whitened(quick(views::mean_teacher_cifar_tf())),
            Family::QuickSvhn => quick(views::mean_teacher_svhn()),
            Family::WideCifar => wide(views::usb_weak_cifar()),
            Family::WideSvhn => wide(views::usb_weak_svhn()),
            Family::Strong => strong(self.method),
            Family::Sharpened => sharpened(self.method),
            Family::Mixed => mixed(),
            Family::Afternoon => afternoon(self.method),
        };
        recipe.preset = Some(self.name.to_owned());
        recipe.labels = self.labels();
        recipe.method = self.method;
        recipe.baseline = false;
        recipe.reading = Reading::default();
        recipe.curve_images = match self.family {
            // All test images after each pass would take a twelfth of the time.
            Family::Afternoon => 500,
            _ => usize::MAX,
        };
        recipe
    }

    /// The authors' `cifar10_final_eval`: 150,000 steps of 100 images, with labels as often as they occur.
    fn paper_cifar(&self) -> Recipe {
        const ALL_IMAGES: f64 = 50_000.0;
        let mut recipe = whitened(tensorflow(views::mean_teacher_cifar_tf(), 150_000));
        recipe.mix = Mix::Natural;
        // λ = 100·n/50,000 against a class cost divided by the whole batch: an effective weight of 100 for any n.
        recipe.consistency.weight = 100.0 * (self.labels as f64).min(ALL_IMAGES) / ALL_IMAGES;
        recipe.optimizer.algorithm = Algorithm::Adam { beta_1: 0.9, beta_1_end: 0.5, beta_2: 0.999, epsilon: 1e-8 };
        recipe.optimizer.schedule.ramp_down = RampShape::SigmoidDown(Length::Steps(25_000));
        if self.method == Method::Supervised && self.labels != ALL {
            // 750 passes over the labelled images, the last 100 of which ramp down.
            let epoch = self.labels as u64 / 100;
            recipe.length = Length::Steps(750 * epoch);
            recipe.optimizer.schedule.ramp_down = RampShape::SigmoidDown(Length::Steps(100 * epoch));
            recipe.mix = Mix::Fixed { labeled: 100 };
        }
        recipe
    }

    /// The authors' `svhn_final_eval`: one label in each batch, consistency on the others.
    fn paper_svhn(&self) -> Recipe {
        let mut recipe = tensorflow(views::mean_teacher_svhn(), 180_000);
        recipe.labeled_in_unlabeled = true;
        recipe.mix = Mix::Fixed { labeled: 1 };
        recipe.consistency.weight = 1.0;
        recipe.consistency.on_labeled = false;
        recipe.decay = Decay::Step { first: 0.99, then: 0.999, until: 40_000 };
        if self.labels == ALL {
            recipe.mix = Mix::Fixed { labeled: 100 };
            recipe.consistency.weight = 100.0;
            recipe.consistency.on_labeled = true;
        }
        if self.method == Method::Supervised {
            recipe.mix = Mix::Fixed { labeled: 100 };
            recipe.length = Length::Steps(40_000);
            recipe.optimizer.schedule.ramp_down = RampShape::SigmoidDown(Length::Steps(10_000));
        }
        recipe
    }
}

/// What the authors' TensorFlow runs have in common: the ConvNet, Adam at 0.003, ramps over 40,000 steps.
fn tensorflow(views: slowburn_augment::Pipeline, steps: u64) -> Recipe {
    Recipe {
        views,
        network: NetworkConfig {
            arch: Arch::ConvNet13,
            normalization: Normalization::Weight,
            two_heads: false,
            dropout: 0.5,
            input_noise: 0.15,
            group: None,
            whiten_patches: false,
            stem: None,
        },
        consistency: ConsistencyConfig {
            cost: Consistency::Mse,
            weight: 100.0,
            ramp_up: RampShape::SigmoidUp(Length::Steps(40_000)),
            ramp_down: RampShape::None,
            on_labeled: true,
            reduction: CostReduction::Minibatch,
            logit_distance: None,
        },
        decay: Decay::Constant { decay: 0.999 },
        batch: 100,
        length: Length::Steps(steps),
        optimizer: OptimizerConfig {
            algorithm: Algorithm::Adam { beta_1: 0.9, beta_1_end: 0.9, beta_2: 0.999, epsilon: 1e-8 },
            // The learning rate rises with the consistency weight.
            schedule: Schedule {
                learning_rate: 0.003,
                ramp_up: RampShape::SigmoidUp(Length::Steps(40_000)),
                ramp_down: RampShape::None,
            },
            weight_decay: 0.0,
            decay_norm_and_bias: true,
        },
        ..fashion()
    }
}

/// The authors' CIFAR-10 is whitened before any view is drawn.
fn whitened(recipe: Recipe) -> Recipe {
    Recipe { whitening: Some(WhiteningConfig::mean_teacher_cifar()), ..recipe }
}

/// The authors' `train_cifar10` and `train_svhn`: 40,000 steps, half of each batch labelled.
fn quick(views: slowburn_augment::Pipeline) -> Recipe {
    let mut recipe = tensorflow(views, 40_000);
    recipe.mix = Mix::Fixed { labeled: 50 };
    recipe.consistency.weight = 50.0;
    recipe.consistency.ramp_up = RampShape::SigmoidUp(Length::Steps(5_000));
    recipe.optimizer.schedule.ramp_up = RampShape::SigmoidUp(Length::Steps(5_000));
    recipe.decay = Decay::Step { first: 0.99, then: 0.999, until: 5_000 };
    recipe
}

/// TorchSSL's and USB's classic setting: 64 labelled and 64 unlabelled images, 2²⁰ steps, means on both sides.
fn wide(views: slowburn_augment::Pipeline) -> Recipe {
    let steps = Length::Steps(1 << 20);
    Recipe {
        views,
        network: NetworkConfig {
            arch: Arch::WideResNet28x2,
            normalization: Normalization::SlowBatch,
            two_heads: false,
            dropout: 0.0,
            input_noise: 0.0,
            group: None,
            whiten_patches: false,
            stem: None,
        },
        consistency: ConsistencyConfig {
            cost: Consistency::Mse,
            weight: 50.0,
            ramp_up: RampShape::LinearUp(Length::Steps((1 << 20) * 2 / 5)),
            ramp_down: RampShape::None,
            on_labeled: false,
            reduction: CostReduction::Selected,
            logit_distance: None,
        },
        decay: Decay::Constant { decay: 0.999 },
        batch: 128,
        mix: Mix::Fixed { labeled: 64 },
        labeled_in_unlabeled: true,
        length: steps,
        optimizer: OptimizerConfig {
            algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: true },
            schedule: Schedule {
                learning_rate: 0.03,
                ramp_up: RampShape::None,
                ramp_down: RampShape::CosineSevenSixteenths(steps),
            },
            weight_decay: 5e-4,
            decay_norm_and_bias: false,
        },
        ..fashion()
    }
}

/// FixMatch's CIFAR-10 (arXiv 2001.07685, table 4): 64 labelled and 448 unlabelled images; FlexMatch and FreeMatch keep it.
fn strong(method: Method) -> Recipe {
    let mut recipe = wide(views::fixmatch_cifar_weak());
    recipe.strong_views = Some(views::fixmatch_cifar_strong());
    recipe.batch = 512;
    recipe.method = Method::Supervised;
    change_method(&mut recipe, method);
    recipe
}

/// UDA (arXiv 1904.12848) in FlexMatch's protocol. Its signal annealing of labels is off on CIFAR-10, in the authors' script too.
fn sharpened(method: Method) -> Recipe {
    const THRESHOLD: f64 = 0.8;
    let mut recipe = strong(method);
    if let Some(targets) = &mut recipe.targets {
        (targets.form, targets.selection) = (LabelForm::UDA, Selection::Fixed { threshold: THRESHOLD });
    }
    recipe
}

/// FixMatch for an afternoon on two cores: a ResNet-9 of half the width that begins by whitening patches, targets from a fast
/// average, which costs a pass forward where the student would have one back too, groups that do not mix weak and strong views,
/// and a rate that falls to 0. See docs/trials.md.
fn afternoon(method: Method) -> Recipe {
    let mut recipe = strong(method);
    recipe.network.arch = Arch::ResNet9Half;
    recipe.network.normalization = Normalization::Batch;
    recipe.network.group = Some(32);
    recipe.network.whiten_patches = true;
    (recipe.batch, recipe.mix) = (128, Mix::Fixed { labeled: 32 });
    recipe.decay = Decay::WarmUp { decay: 0.996 };
    if let Some(targets) = &mut recipe.targets {
        targets.source = Some(LabelSource::Average);
        targets.selection = Selection::Fixed { threshold: 0.9 };
    }
    recipe.set_length(Length::Epochs(90.0));
    recipe.optimizer.schedule.learning_rate = 0.1;
    recipe.optimizer.schedule.ramp_down = RampShape::CosineDown(Length::Share(1.0));
    recipe
}

/// ICT's CIFAR-10 (the authors' code and its README): 100 labelled and 100 unlabelled images, no dropout, an average that warms up,
/// SGD at 0.1, a cosine that ends beyond the training, weight 100 after a quarter of it.
fn mixed() -> Recipe {
    let length = Length::Epochs(400.0);
    let mut recipe = whitened(tensorflow(views::mean_teacher_cifar_tf(), 1));
    recipe.method = Method::Supervised;
    change_method(&mut recipe, Method::Ict);
    recipe.network.normalization = Normalization::Batch;
    (recipe.network.input_noise, recipe.network.dropout) = (0.0, 0.0);
    recipe.decay = Decay::WarmUp { decay: 0.999 };
    recipe.consistency.ramp_up = RampShape::SigmoidUp(Length::Epochs(100.0));
    (recipe.batch, recipe.mix, recipe.length) = (200, Mix::Fixed { labeled: 100 }, length);
    recipe.optimizer = OptimizerConfig {
        algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: true },
        schedule: Schedule {
            learning_rate: 0.1,
            ramp_up: RampShape::None,
            ramp_down: RampShape::CosineDown(Length::Epochs(450.0)),
        },
        weight_decay: 1e-4,
        decay_norm_and_bias: true,
    };
    recipe
}

#[cfg(test)]
mod tests {
    use slowburn_ema::Timeline;

    use super::super::TargetConfig;
    use super::*;

    #[test]
    fn every_preset_is_a_valid_recipe_that_survives_serialisation() {
        for preset in PRESETS {
            let recipe = preset.recipe();
            recipe.validate().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let text = serde_json::to_string(&recipe).expect("recipes serialise");
            let back: Recipe = serde_json::from_str(&text).expect("and come back");
            assert_eq!(recipe, back, "{}", preset.name);
        }
    }

    #[test]
    fn the_rows_of_fixmatch_have_its_numbers() {
        let recipe = preset("fixmatch-cifar10-250").expect("exists").recipe();
        assert_eq!((recipe.batch, recipe.mix), (512, Mix::Fixed { labeled: 64 }));
        assert_eq!((recipe.consistency.weight, recipe.consistency.ramp_up), (1.0, RampShape::None));
        assert_eq!((recipe.decay, recipe.length), (Decay::Constant { decay: 0.999 }, Length::Steps(1 << 20)));
        assert!(recipe.labeled_in_unlabeled && recipe.strong_views.is_some());
        let optimizer = &recipe.optimizer;
        assert_eq!((optimizer.schedule.learning_rate, optimizer.weight_decay), (0.03, 5e-4));
        assert_eq!(optimizer.algorithm, Algorithm::Sgd { momentum: 0.9, nesterov: true });
        let uda = preset("uda-cifar10-250").expect("exists").recipe();
        let targets = uda.targets.as_ref().expect("sharpened");
        assert_eq!((targets.form, &targets.selection), (LabelForm::UDA, &Selection::Fixed { threshold: 0.8 }));
        assert_eq!(targets.source_of(uda.method), LabelSource::Student);
        assert_eq!((uda.consistency, uda.mix), (recipe.consistency.clone(), recipe.mix));
        let freematch = preset("freematch-cifar10-4000").expect("exists").recipe();
        let Some(TargetConfig { selection: Selection::Free(free), .. }) = freematch.targets else {
            panic!("FreeMatch's thresholds");
        };
        assert_eq!(free.decay, 0.999);
        for name in ["flexmatch-cifar10-40", "freematch-cifar10-4000"] {
            let other = preset(name).expect("exists").recipe();
            assert_eq!((other.optimizer, other.strong_views), (recipe.optimizer.clone(), recipe.strong_views.clone()));
        }
        let recipe = preset("ict-cifar10-4000").expect("exists").recipe();
        assert_eq!((recipe.batch, recipe.mix, recipe.consistency.weight), (200, Mix::Fixed { labeled: 100 }, 100.0));
        assert_eq!((recipe.network.dropout, recipe.decay), (0.0, Decay::WarmUp { decay: 0.999 }));
        assert_eq!(recipe.optimizer.schedule.learning_rate, 0.1);
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = PRESETS.iter().map(|preset| preset.name).collect();
        assert_eq!(names.len(), PRESETS.len());
    }

    #[test]
    fn the_paper_has_one_effective_weight_for_every_number_of_labels() {
        for (name, labels) in [("cifar10-1000", 1000), ("cifar10-2000", 2000), ("cifar10-4000", 4000)] {
            let recipe = preset(name).expect("exists").recipe();
            let effective =
                recipe.objective(Timeline { per_epoch: 500, total: 150_000 }).effective_weight(labels, 50_000);
            assert!((effective - 100.0).abs() < 1e-9, "{name}: {effective}");
        }
    }
}
