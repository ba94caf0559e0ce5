//! What one method asks for that another does not.

use anyhow::{Result, bail};
use slowburn_augment::{Operation, Pipeline};
use slowburn_ema::{Decay, Length, RampShape};
use slowburn_semi::{
    Consistency, CostReduction, FlexThresholds, FreeThresholds, LabelForm, LabelSource, Mix, Selection,
};
use slowburn_train::{Algorithm, OptimizerConfig};

use super::targets::SOFT;
use super::{ConsistencyConfig, Method, Recipe, TargetConfig, fashion};
use crate::network::Arch;

/// FixMatch's threshold (arXiv 2001.07685, table 4).
const THRESHOLD: f64 = 0.95;
/// FixMatch's unlabelled images for each labelled one, μ (the same table).
const UNLABELED: usize = 7;
/// That of trainings of some thousand steps, in which few predictions reach the paper's.
const SHORT_THRESHOLD: f64 = 0.8;
/// The decay of FreeMatch's averages in trainings of some thousand steps: the paper's 0.999 is for a million.
const SHORT: f64 = 0.99;
/// ICT's weight at full strength (arXiv 1903.03825, §3.2).
const ICT_WEIGHT: f64 = 100.0;

/// The method where nobody says another.
pub const DEFAULT: Method = Method::FixMatch;

/// Where the settings of a training with this method start, where no published recipe is asked for: see docs/trials.md.
pub fn default_recipe(method: Method) -> Recipe {
    let mut recipe = fashion();
    (recipe.network.arch, recipe.network.whiten_patches) = (Arch::ResNet9Quarter, true);
    change_method(&mut recipe, method);
    if let Some(targets) = &mut recipe.targets {
        targets.source = Some(LabelSource::Average);
        match &mut targets.selection {
            Selection::Fixed { threshold } => *threshold = SHORT_THRESHOLD,
            Selection::Free(free) => free.decay = SHORT,
            _ => {}
        }
        train_on_strong_views(&mut recipe);
    }
    recipe
}

/// Mean Teacher with strong views, and where its settings start.
pub fn default_strong_teacher() -> Recipe {
    let mut recipe = default_recipe(Method::MeanTeacher);
    strengthen(&mut recipe);
    train_on_strong_views(&mut recipe);
    recipe
}

/// The optimizer and the length that were chosen for strong views of the shipped images.
fn train_on_strong_views(recipe: &mut Recipe) {
    let optimizer = &mut recipe.optimizer;
    optimizer.algorithm = Algorithm::Sgd { momentum: 0.9, nesterov: true };
    optimizer.schedule.learning_rate = 0.1;
    (optimizer.weight_decay, optimizer.decay_norm_and_bias) = (5e-4, false);
    if let Length::Epochs(epochs) = recipe.length {
        recipe.set_length(Length::Epochs(passes_of_strong_views(epochs as u32).into()));
    }
}

/// The network for photos, with the optimizer that was chosen for it, in the place of those for small images.
pub fn change_to_photos(recipe: &mut Recipe) {
    recipe.network.set_arch(Arch::ResNet10Quarter);
    let OptimizerConfig { algorithm, schedule, weight_decay, decay_norm_and_bias } = fashion().optimizer;
    let optimizer = &mut recipe.optimizer;
    (optimizer.algorithm, optimizer.schedule.learning_rate) = (algorithm, schedule.learning_rate);
    (optimizer.weight_decay, optimizer.decay_norm_and_bias) = (weight_decay, decay_norm_and_bias);
}

/// Takes another method, with the costs, targets and batches of its paper. Nothing changes for the method that a recipe has.
pub fn change_method(recipe: &mut Recipe, method: Method) {
    if recipe.method == method {
        return;
    }
    let (before, strong) = (recipe.method, recipe.has_strong_views());
    (recipe.method, recipe.strong_unlabeled) = (method, false);
    match before {
        // Of predictions: it says nothing about weights.
        Method::Temporal => recipe.decay = fashion().decay,
        Method::Ict => forget_interpolation(recipe),
        _ => {}
    }
    if strong && !method.has_strong_views() {
        forget_strong_views(recipe);
    }
    if !method.has_targets() {
        recipe.targets = None;
    }
    let selection = match method {
        Method::Temporal => {
            // The paper's decay of predictions (arXiv 1610.02242, §3): one of weights would be far too slow.
            recipe.decay = Decay::Constant { decay: 0.6 };
            return;
        }
        Method::MeanTeacher | Method::Pi | Method::Supervised => return,
        Method::Ict => return interpolate(recipe),
        Method::FixMatch => Selection::Fixed { threshold: THRESHOLD },
        Method::FlexMatch => Selection::Flex(FlexThresholds { threshold: THRESHOLD, ..FlexThresholds::default() }),
        Method::FreeMatch => Selection::Free(FreeThresholds::default()),
    };
    let kin = recipe.targets.take().filter(|_| before.has_strong_views());
    let (source, alignment) = kin.map_or((None, None), |targets| (targets.source, targets.alignment));
    recipe.targets = Some(TargetConfig { form: LabelForm::Hard, selection, alignment, source });
    if !before.has_strong_views() {
        cost_of_strong_views(recipe, RampShape::None);
    }
}

/// FixMatch's cost and batches, for a weight that rises so.
fn cost_of_strong_views(recipe: &mut Recipe, rise: RampShape) {
    recipe.consistency.cost = Consistency::CrossEntropy;
    recipe.consistency.weight = 1.0;
    recipe.consistency.ramp_up = rise;
    over_its_samples(recipe);
    recipe.labeled_in_unlabeled = true;
    recipe.mix = Mix::Fixed { labeled: labeled_share(recipe.batch) };
}

/// Gives Mean Teacher's student strong views of images without a label, and FixMatch's cost and batches. The average's predictions
/// on weak views are sharpened and all count, from a weight on that rises: see docs/trials.md.
///
/// # Errors
/// For other methods: FixMatch and its kin have strong views, and those that are left have no network for the weak ones.
pub fn set_strong_views(recipe: &mut Recipe) -> Result<()> {
    match recipe.method {
        Method::MeanTeacher if recipe.strong_unlabeled => {}
        Method::MeanTeacher => strengthen(recipe),
        method if method.has_strong_views() => bail!("--strong-views is for mean-teacher: {method} has them anyway"),
        method => bail!("--strong-views is for mean-teacher, not for {method}"),
    }
    Ok(())
}

fn strengthen(recipe: &mut Recipe) {
    const RISE: f64 = 0.3;
    recipe.strong_unlabeled = true;
    cost_of_strong_views(recipe, RampShape::SigmoidUp(Length::Share(RISE)));
    recipe.targets = Some(TargetConfig { form: LabelForm::UDA, ..SOFT });
}

/// Undoes what FixMatch and its kin ask of views, targets, costs and batches: the default's in their place. Labels alone keep the
/// batches, as the baseline of a method does.
fn forget_strong_views(recipe: &mut Recipe) {
    const RISE: f64 = 0.6;
    let Recipe { consistency, labeled_in_unlabeled, .. } = fashion();
    (recipe.strong_views, recipe.targets) = (None, None);
    recipe.consistency = ConsistencyConfig { ramp_up: RampShape::SigmoidUp(Length::Share(RISE)), ..consistency };
    if recipe.method != Method::Supervised {
        recipe.labeled_in_unlabeled = labeled_in_unlabeled;
        recipe.mix = Mix::Fixed { labeled: recipe.batch.div_ceil(4) };
    }
}

/// The passes of methods with strong views where others have so many and nothing is said.
pub fn passes_of_strong_views(epochs: u32) -> u32 {
    epochs + epochs / 2
}

/// The labelled images in a batch of FixMatch: one for each seven without a label.
pub fn labeled_share(batch: usize) -> usize {
    batch.div_ceil(UNLABELED + 1)
}

fn interpolate(recipe: &mut Recipe) {
    recipe.consistency.weight = ICT_WEIGHT;
    over_its_samples(recipe);
    recipe.labeled_in_unlabeled = true;
}

/// Undoes what ICT asks of costs and streams: the default's in their place.
fn forget_interpolation(recipe: &mut Recipe) {
    let Recipe { consistency, labeled_in_unlabeled, .. } = fashion();
    recipe.consistency.weight = consistency.weight;
    (recipe.consistency.on_labeled, recipe.consistency.reduction) = (consistency.on_labeled, consistency.reduction);
    recipe.labeled_in_unlabeled = labeled_in_unlabeled;
}

/// Each cost is a mean over the samples that it is about, and images with a label have the class cost alone.
fn over_its_samples(recipe: &mut Recipe) {
    recipe.consistency.on_labeled = false;
    recipe.consistency.reduction = CostReduction::Selected;
}

/// Refuses a flag that says nothing to a method.
///
/// # Errors
/// An error that names both.
pub fn check_flag(method: Method, flag: &str) -> Result<()> {
    let ignored = match flag {
        "--weight" | "--consistency" | "--ramp-up" => method == Method::Supervised,
        "--decay" => matches!(method, Method::Supervised | Method::Pi),
        "--targets" | "--align" => !method.has_targets(),
        _ => false,
    };
    if ignored {
        bail!("{flag} says nothing to {method}");
    }
    Ok(())
}

/// Another number of images in a batch, of which as large a part has a label as before.
pub fn set_batch(recipe: &mut Recipe, batch: usize) {
    if let Mix::Fixed { labeled } = &mut recipe.mix {
        *labeled = labeled.saturating_mul(batch).div_ceil(recipe.batch.max(1));
    }
    recipe.batch = batch;
}

/// A weak pipeline with two operations of RandAugment and a square of half the side in mid-grey before its normalisation: FixMatch's
/// strong view for images that `side` pixels are high.
///
/// # Errors
/// None for pipelines of this program.
pub fn strong(weak: &Pipeline, side: usize) -> Result<Pipeline> {
    let unit = |operation: &Operation| {
        !matches!(
            operation,
            Operation::Normalize { .. } | Operation::Standardize { .. } | Operation::GlobalContrast { .. }
        )
    };
    let mut operations = weak.operations().to_vec();
    let end = operations.iter().position(|operation| !unit(operation)).unwrap_or(operations.len());
    let cutout = Operation::Cutout { side: (side / 2).max(1) as u32, fill: 0.5 };
    operations.splice(end..end, [Operation::fixmatch_rand_augment(2), cutout]);
    Ok(weak.clone().with_name(format!("{}_strong", weak.name())).with_operations(operations)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipe::preset;

    #[test]
    fn a_method_brings_the_costs_of_its_paper() {
        let mut recipe = fashion();
        change_method(&mut recipe, Method::FixMatch);
        assert_eq!(recipe.consistency.weight, 1.0);
        assert_eq!(recipe.mix, Mix::Fixed { labeled: 8 });
        assert!(recipe.labeled_in_unlabeled && !recipe.consistency.on_labeled);
        let hard = TargetConfig {
            form: LabelForm::Hard,
            selection: Selection::Fixed { threshold: 0.95 },
            alignment: None,
            source: None,
        };
        assert_eq!(recipe.targets, Some(hard));
        recipe.validate().expect("valid");
        let before = recipe.clone();
        change_method(&mut recipe, Method::FixMatch);
        assert_eq!(recipe, before);
        for method in [Method::FlexMatch, Method::FreeMatch, Method::Ict, Method::Temporal, Method::Pi] {
            let mut recipe = fashion();
            change_method(&mut recipe, method);
            recipe.validate().expect("valid");
        }
    }

    #[test]
    fn another_method_for_a_recipe_of_fixmatch_keeps_nothing_that_is_fixmatchs() {
        let afternoon = preset("cifar10-afternoon").expect("exists").recipe();
        for method in [Method::MeanTeacher, Method::Pi, Method::Temporal, Method::Ict, Method::Supervised] {
            let mut recipe = afternoon.clone();
            change_method(&mut recipe, method);
            recipe.validate().expect("valid");
            assert_eq!((recipe.targets, recipe.consistency.cost), (None, Consistency::Mse), "{method}");
            assert_eq!(recipe.strong_views, None, "{method}");
        }
        let mut recipe = afternoon.clone();
        change_method(&mut recipe, Method::MeanTeacher);
        assert_eq!(recipe.consistency.weight, 10.0);
        assert_eq!(recipe.consistency.ramp_up, RampShape::SigmoidUp(Length::Share(0.6)));
        // The weight was chosen for this mean.
        assert_eq!(recipe.consistency.reduction, CostReduction::Minibatch);
        assert!(recipe.consistency.on_labeled && !recipe.labeled_in_unlabeled);
        let mut alone = preset("fixmatch-cifar10-250").expect("exists").recipe();
        let (batches, both) = (alone.mix, alone.labeled_in_unlabeled);
        change_method(&mut alone, Method::Supervised);
        assert_eq!((alone.mix, alone.labeled_in_unlabeled), (batches, both), "the baseline's batches are the method's");

        // Its kin have the same batches, and targets from the same network.
        let mut recipe = afternoon.clone();
        change_method(&mut recipe, Method::FreeMatch);
        let targets = recipe.targets.as_ref().expect("of FreeMatch");
        assert_eq!((targets.source, recipe.mix), (Some(LabelSource::Average), afternoon.mix));
        assert_eq!(targets.selection, Selection::Free(FreeThresholds::default()));
        let Some(TargetConfig { selection: Selection::Free(short), .. }) = default_recipe(Method::FreeMatch).targets
        else {
            panic!("FreeMatch finds its thresholds")
        };
        assert_eq!(short.decay, 0.99);
    }

    #[test]
    fn no_method_leaves_its_numbers_to_another() {
        use Method::{FixMatch, FlexMatch, FreeMatch, Ict, MeanTeacher, Pi, Supervised, Temporal};
        let all = [MeanTeacher, Pi, Temporal, Ict, FixMatch, FlexMatch, FreeMatch, Supervised];
        for (before, method) in all.into_iter().flat_map(|before| all.map(|method| (before, method))) {
            let (mut recipe, expected) = (default_recipe(before), default_recipe(method));
            change_method(&mut recipe, method);
            assert_eq!(recipe.decay, expected.decay, "{before}, then {method}");
            // Labels alone keep the batches, and have no other cost.
            if method != Supervised {
                recipe.consistency.ramp_up = expected.consistency.ramp_up;
                assert_eq!(recipe.consistency, expected.consistency, "{before}, then {method}");
                let streams = |recipe: &Recipe| (recipe.mix, recipe.labeled_in_unlabeled);
                assert_eq!(streams(&recipe), streams(&expected), "{before}, then {method}");
            }
        }
    }

    #[test]
    fn mean_teacher_with_strong_views_has_fixmatchs_cost_and_batches() {
        let (strong, fixmatch) = (default_strong_teacher(), default_recipe(Method::FixMatch));
        strong.validate().expect("valid");
        assert_eq!((strong.mix, strong.labeled_in_unlabeled), (fixmatch.mix, fixmatch.labeled_in_unlabeled));
        assert_eq!((&strong.optimizer, strong.length), (&fixmatch.optimizer, fixmatch.length));
        assert_eq!((strong.consistency.cost, strong.consistency.on_labeled), (Consistency::CrossEntropy, false));
        let targets = strong.targets.as_ref().expect("sharpened");
        assert_eq!((targets.form, &targets.selection), (LabelForm::UDA, &Selection::All));
        assert_eq!(targets.source_of(strong.method), LabelSource::Average);

        let mut same = strong.clone();
        set_strong_views(&mut same).expect("it has them");
        assert_eq!(same, strong);
        let mut other = strong.clone();
        change_method(&mut other, Method::Pi);
        assert_eq!((other.strong_unlabeled, other.targets, other.consistency.cost), (false, None, Consistency::Mse));
        for method in [Method::FixMatch, Method::Pi] {
            let error = set_strong_views(&mut default_recipe(method)).expect_err("Mean Teacher alone").to_string();
            assert!(error.contains("--strong-views") && error.contains(&method.to_string()), "{error}");
        }
    }

    #[test]
    fn a_batch_of_another_size_has_labels_in_the_same_part() {
        for (method, labeled) in [(Method::FixMatch, [4, 1, 13]), (Method::MeanTeacher, [8, 1, 25])] {
            for (batch, expected) in [32, 4, 100].into_iter().zip(labeled) {
                let mut recipe = default_recipe(method);
                set_batch(&mut recipe, batch);
                assert_eq!((recipe.batch, recipe.mix), (batch, Mix::Fixed { labeled: expected }), "{method}");
            }
        }
    }

    #[test]
    fn the_strong_view_is_the_weak_one_with_more_before_its_normalisation() {
        let weak = fashion().views;
        let strong = strong(&weak, 28).expect("valid");
        let names: Vec<&str> = strong.operations().iter().map(Operation::name).collect();
        assert_eq!(names[names.len() - 3..], ["RandAugment", "Cutout", "Normalize"]);
        assert_eq!(strong.evaluation().operations(), weak.evaluation().operations());
    }
}
