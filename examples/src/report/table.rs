use std::fmt::Write as _;

use slowburn_semi::{Consistency, Mix, Reduction};

use crate::data::Dataset;
use crate::recipe::{Method, Recipe};
use crate::run::Summary;
use crate::training::Plan;

/// What is active in a run: costs with their weights, schedules, data, device, seed.
pub fn active_terms(recipe: &Recipe, plan: &Plan, data: &Dataset) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<18} {value}");
    };
    let objective = recipe.objective(plan.steps.per_epoch, plan.steps.total);
    let optimizer = recipe.optimizer.init(plan.steps.per_epoch, plan.steps.total);
    let fraction = plan.stream.labeled_fraction();
    if let Some(preset) = &recipe.preset {
        line("preset", preset.clone());
    }
    line("method", recipe.method.to_string());
    line(
        "network",
        format!("{:?}, {}", recipe.network.arch, if recipe.network.two_heads { "two heads" } else { "one head" }),
    );
    let divisor = match objective.class_reduction {
        Reduction::Minibatch => "over the whole batch",
        Reduction::Selected => "over its labelled images",
    };
    line("class cost", format!("cross entropy, mean {divisor}"));
    if recipe.method == Method::Supervised {
        line("consistency", "none".to_owned());
    } else {
        let cost = match objective.consistency {
            Consistency::Mse => "mean squared error of probabilities",
            Consistency::Kl => "KL divergence, summed over classes",
        };
        let on = if objective.consistency_on_labeled { "all images" } else { "unlabelled images" };
        line("consistency", format!("{cost}, weight {} on {on}, {}", objective.weight, objective.ramp_up));
        let labeled = (fraction * 1e6).round() as usize;
        let effective = objective.effective_weight(labeled, 1_000_000);
        line(
            "effective ratio",
            format!("{effective:.1} (weight / labelled fraction {fraction:.4} of the class cost's mean)"),
        );
    }
    if let Some(weight) = recipe.consistency.logit_distance {
        line("logit distance", format!("weight {weight} between the two heads"));
    }
    match recipe.method {
        Method::MeanTeacher => line("teacher", format!("average of weights, decay {}", recipe.decay)),
        Method::Pi => line("teacher", "the student itself, under other noise".to_owned()),
        Method::Temporal => line("teacher", format!("average of predictions, decay {}", recipe.decay)),
        Method::Supervised => line("teacher", "none".to_owned()),
    }
    line("learning rate", optimizer.describe());
    line("views", recipe.views.to_string());
    let labeled = match recipe.mix {
        Mix::Fixed { labeled } => format!("{labeled} labelled"),
        Mix::Natural => "labels as they come".to_owned(),
    };
    line("batch", format!("{} images, {labeled}", recipe.batch));
    line(
        "length",
        format!("{} epochs of {} steps: {} steps", plan.steps.epochs(), plan.steps.per_epoch, plan.steps.total),
    );
    line("data", data.describe());
    line(
        "labels",
        format!("{} used ({}), {} images in the unlabelled stream", plan.labeled(), recipe.labels, plan.unlabeled),
    );
    let baseline = match (recipe.method, recipe.baseline) {
        (Method::Supervised, _) => "this run is one",
        (_, true) => "trained first: same network, steps, views and labels",
        (_, false) => "not trained",
    };
    line("baseline", baseline.to_owned());
    line("device", recipe.device.clone());
    line("seed", recipe.seed.to_string());
    text
}

/// The closing table.
pub fn final_table(summary: &Summary) -> String {
    let percent = |accuracy: f64| format!("{:6.2} %", 100.0 * accuracy);
    let mut text =
        format!("test accuracy, {} images, {} labels, seed {}\n", summary.test_images, summary.labels, summary.seed);
    let mut line = |name: &str, accuracy: f64| {
        let _ = writeln!(text, "  {name:<26} {}", percent(accuracy));
    };
    match summary.supervised_accuracy {
        Some(accuracy) if summary.method != "supervised" => line("supervised, labels alone", accuracy),
        _ => {}
    }
    line(&format!("{}, student", summary.method), summary.student_accuracy);
    if summary.method == "mean-teacher" {
        line(&format!("{}, teacher", summary.method), summary.teacher_accuracy);
    }
    let _ = writeln!(
        text,
        "{} epochs, {} steps, {:.0} s of training, {:.0} images/s",
        summary.epochs, summary.steps, summary.train_seconds, summary.images_per_second
    );
    text
}
