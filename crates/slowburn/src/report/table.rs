use std::fmt::Write as _;

use slowburn_semi::{Consistency, CostReduction, LabelForm, LabelSource, Mix, Selection};

use crate::data::Dataset;
use crate::train::recipe::{Method, Recipe, TargetConfig};
use crate::train::{Plan, Summary};

/// What is active in a run: costs with their weights, schedules, data, device, seed.
pub fn active_terms(recipe: &Recipe, plan: &Plan, data: &Dataset) -> String {
    let mut lines = Lines::default();
    if let Some(preset) = &recipe.preset {
        lines.add("preset", preset.clone());
    }
    lines.add("method", recipe.method.to_string());
    let heads = if recipe.network.two_heads { "two heads" } else { "one head" };
    lines.add("network", format!("{:?}, {heads}", recipe.network.arch));
    lines.costs(recipe, plan);
    lines.images(recipe, plan, data);
    let baseline = match (recipe.method, recipe.baseline) {
        (Method::Supervised, _) => "this run is one",
        (_, true) => "trained first: same network, steps, views and labels",
        (_, false) => "not trained",
    };
    lines.add("baseline", baseline.to_owned());
    lines.add("device", recipe.device.clone());
    lines.add("seed", recipe.seed.to_string());
    lines.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: String) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name:<18} {value}");
    }

    /// What is minimised, against which targets and how fast.
    fn costs(&mut self, recipe: &Recipe, plan: &Plan) {
        let objective = recipe.objective(plan.steps);
        let divisor = match objective.class_reduction {
            CostReduction::Minibatch => "over the whole batch",
            CostReduction::Selected => "over its labelled images",
        };
        self.add("class cost", format!("cross entropy, mean {divisor}"));
        if recipe.method == Method::Supervised {
            self.add("consistency", "none".to_owned());
        } else {
            let cost = match objective.consistency {
                Consistency::Mse => "mean squared error of probabilities",
                Consistency::Kl => "KL divergence, summed over classes",
                Consistency::CrossEntropy => "cross entropy, summed over classes",
                other => &format!("{other:?}"),
            };
            let on = if objective.consistency_on_labeled { "all images" } else { "unlabelled images" };
            self.add("consistency", format!("{cost}, weight {} on {on}, {}", objective.weight, objective.ramp_up));
            let fraction = plan.stream.labeled_fraction();
            let labeled = (fraction * 1e6).round() as usize;
            let effective = objective.effective_weight(labeled, 1_000_000);
            let of = format!("of their means, with a labelled fraction of {fraction:.4}");
            self.add("effective ratio", format!("{effective:.1} to 1, {of}"));
        }
        if let Some(weight) = recipe.consistency.logit_distance {
            self.add("logit distance", format!("weight {weight} between the two heads"));
        }
        let source = recipe.targets.as_ref().map(|targets| targets.source_of(recipe.method));
        let teacher = match recipe.method {
            Method::MeanTeacher => format!("average of weights, decay {}", recipe.decay),
            Method::Pi => "the student itself, under other noise".to_owned(),
            Method::Temporal => format!("average of predictions, decay {}", recipe.decay),
            Method::FixMatch | Method::FlexMatch | Method::FreeMatch if source == Some(LabelSource::Average) => {
                format!("average of weights on weak views, decay {}", recipe.decay)
            }
            Method::FixMatch | Method::FlexMatch | Method::FreeMatch => {
                format!("the student on weak views; evaluated is an average of weights, decay {}", recipe.decay)
            }
            Method::Ict => format!("average of weights, decay {}, on mixed images", recipe.decay),
            Method::Supervised => "none".to_owned(),
        };
        self.add("teacher", teacher);
        if let Some(TargetConfig { form, selection, alignment, .. }) =
            recipe.targets.as_ref().filter(|_| recipe.method != Method::Supervised)
        {
            let source = match source {
                Some(LabelSource::Average) => "of the average",
                _ => "of the student",
            };
            let aligned = if alignment.is_some() { ", aligned with the classes of the data" } else { "" };
            let (form, selection) = (form_in_words(*form), selection_in_words(selection));
            self.add("targets", format!("{source}{aligned}: {form}, {selection}"));
        }
        self.add("learning rate", recipe.optimizer.describe(plan.steps));
    }

    /// What is learned from.
    fn images(&mut self, recipe: &Recipe, plan: &Plan, data: &Dataset) {
        if let Some(whitening) = &recipe.whitening {
            let preparation = &whitening.preparation;
            self.add("whitening", format!("ZCA of bias {} behind {preparation}", whitening.bias));
        }
        self.add("views", recipe.views.to_string());
        if let Some(strong) = &recipe.strong_views {
            let whose = if recipe.strong_labels { "of all images" } else { "of images without a label" };
            self.add("strong views", format!("{whose}: {strong}"));
        }
        let labeled = match recipe.mix {
            Mix::Fixed { labeled } => format!("{labeled} labelled"),
            Mix::Natural => "labels as they come".to_owned(),
            other => format!("{other:?}"),
        };
        self.add("batch", format!("{} images, {labeled}", recipe.batch));
        let steps = plan.steps;
        self.add("length", format!("{} epochs of {} steps: {} steps", steps.epochs(), steps.per_epoch, steps.total));
        self.add("data", data.describe());
        let (used, unlabeled) = (plan.labeled(), plan.unlabeled);
        let held_out = plan.held_out.iter().flatten().count();
        if held_out > 0 {
            self.add("validation", format!("{held_out} labels held back, to keep the best epoch by"));
        }
        let (all, curves) = (data.test.len(), recipe.curve_images);
        if curves < all {
            self.add("curves", format!("of {curves} test images, spread evenly; the final table of all {all}"));
        }
        self.add("labels", format!("{used} used ({}), {unlabeled} images in the unlabelled stream", recipe.labels));
    }
}

fn form_in_words(form: LabelForm) -> String {
    match form {
        LabelForm::Soft => "probabilities as they are".to_owned(),
        LabelForm::Sharpened { temperature } => format!("probabilities at temperature {temperature}"),
        LabelForm::Hard => "the most probable class".to_owned(),
        other => format!("{other:?}"),
    }
}

fn selection_in_words(selection: &Selection) -> String {
    match selection {
        Selection::All => "all of them".to_owned(),
        Selection::Fixed { threshold } => format!("of a probability from {threshold} on"),
        Selection::Flex(flex) => {
            format!("of a probability from {} on, less for classes that are learned slowly", flex.threshold)
        }
        Selection::Free(_) => "of a probability above the running mean, less for rare classes".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The closing table: accuracies on test images, else on those that were held back, beside those from random weights where both
/// were trained.
pub fn final_table(summary: &Summary) -> String {
    let mut text = match (summary.test_images, summary.validation_accuracy) {
        (0, None) => {
            format!("no accuracy: there are no test images, and no label was held back; seed {}\n", summary.seed)
        }
        (0, Some(_)) => format!("accuracy on held-back labels, {} labels, seed {}\n", summary.labels, summary.seed),
        (images, _) => format!("test accuracy, {images} images, {} labels, seed {}\n", summary.labels, summary.seed),
    };
    let scratch = summary.scratch.as_deref();
    if scratch.is_some() {
        let _ = writeln!(text, "  {:<26} {:>12} {:>12} {:>9}", "", "from scratch", "pre-trained", "gain");
    }
    let mut line = |name: &str, of: fn(&Summary) -> Option<f64>| {
        let percent = |accuracy: f64| 100.0 * accuracy;
        // Writing to a string cannot fail.
        let _ = match (of(summary).map(percent), scratch.and_then(of).map(percent)) {
            (Some(with), Some(without)) => {
                writeln!(text, "  {name:<26} {without:>10.2} % {with:>10.2} % {:>+9.2}", with - without)
            }
            (Some(accuracy), None) => writeln!(text, "  {name:<26} {accuracy:6.2} %"),
            (None, _) => Ok(()),
        };
    };
    let method = &summary.method;
    if method != "supervised" {
        line("supervised, labels alone", |summary| summary.supervised_accuracy);
    }
    line(&format!("{method}, student"), |summary| summary.student_accuracy);
    let average = match method.as_str() {
        "mean-teacher" => Some("teacher"),
        "fixmatch" | "flexmatch" | "freematch" | "ict" => Some("average"),
        _ => None,
    };
    if let Some(average) = average {
        line(&format!("{method}, {average}"), |summary| summary.teacher_accuracy);
    }
    line("on held-back labels", |summary| summary.validation_accuracy);
    if let Some(epoch) = summary.best_epoch {
        let _ = writeln!(text, "the networks of epoch {epoch} were kept, the best on held-back labels");
    }
    let _ = writeln!(
        text,
        "{} epochs, {} steps, {:.0} s of training, {:.0} images/s",
        summary.epochs, summary.steps, summary.train_seconds, summary.images_per_second
    );
    if summary.left_out > 0 {
        let _ = writeln!(text, "{}", crate::out::left_out(summary.left_out));
    }
    text
}
