use std::fmt::Write as _;

use slowburn_ema::Timeline;
use slowburn_train::task::ContrastMetrics;

use super::summary::Scored;
use super::{Heads, Method, NetworkConfig, Recipe, Summary};
use crate::data::Dataset;
use crate::report::{Across, BLUE, Curve, GREY, ORANGE, Panel};

/// What is active in a run: method, schedules, data, device, seed.
pub(super) fn active_terms(recipe: &Recipe, steps: Timeline, data: &Dataset) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<18} {value}");
    };
    if let Some(preset) = &recipe.preset {
        line("preset", preset.clone());
    }
    line("method", recipe.method.to_string());
    line("network", network(&recipe.network));
    line("loss", loss(recipe));
    line("keys", keys(recipe));
    if let Some(mask) = recipe.mask {
        let (share, patch) = (mask.share, mask.side());
        line("masked queries", format!("{share} of the patches of {patch}×{patch} px; keys are of whole images"));
    }
    line("batch statistics", batch_statistics(recipe));
    line("learning rate", recipe.optimizer.describe(steps));
    line("views", recipe.views.to_string());
    line("scored on", recipe.evaluation().to_string());
    line("batch", format!("{} images", recipe.batch));
    line("length", format!("{} epochs of {} steps: {} steps", steps.epochs(), steps.per_epoch, steps.total));
    line("data", data.describe());
    let scoring = &recipe.scoring;
    line("kNN", format!("k {}, τ {}, {:?}", scoring.knn.k, scoring.knn.temperature, scoring.representation));
    let rates = &scoring.sweep.learning_rates;
    let (epochs, what) = (scoring.sweep.probe.epochs, scoring.probe_representation());
    line("linear probe", format!("{epochs} epochs, rates {rates:?} by a held-out part, {what:?}"));
    line("device", recipe.device.clone());
    line("seed", recipe.seed.to_string());
    text
}

fn network(network: &NetworkConfig) -> String {
    let NetworkConfig { arch, version, dim, heads, .. } = network;
    match heads {
        Some(Heads { projector, predictor }) => format!(
            "{arch:?}, projector of {:?} and predictor of {:?} hidden numbers, {dim} in the end",
            projector.hidden, predictor.hidden
        ),
        None => format!("{arch:?}, head of {version:?} with {dim} numbers"),
    }
}

fn loss(recipe: &Recipe) -> String {
    let what = match recipe.method.has_negatives() {
        true => format!("InfoNCE, τ {}", recipe.temperature),
        false => "negative cosine of predictions and targets".to_owned(),
    };
    let both = if recipe.symmetric || recipe.method.is_symmetric() { ", both directions" } else { "" };
    format!("{what}{both}")
}

/// What queries or predictions are compared with.
fn keys(recipe: &Recipe) -> String {
    let Recipe { queue, decay, batch, .. } = recipe;
    match recipe.method {
        Method::Moco => format!("queue of {queue} from an average of the encoder, decay {decay}"),
        Method::MocoV3 => format!("the batch, {} negatives, from an average, decay from {decay} to 1", batch - 1),
        Method::Byol => format!("no negatives; targets from an average of the encoder, decay from {decay} to 1"),
        Method::SimSiam => "no negatives; targets from the encoder itself, without gradient".to_owned(),
        Method::EndToEnd => format!("the batch: {} negatives", 2 * (batch - 1)),
        Method::MemoryBank => format!("{queue} of one slot an image, decay of a slot {decay}"),
    }
}

/// Over which images batch statistics are taken, and which of them are encoded in another order, where a method knows
/// two.
fn batch_statistics(recipe: &Recipe) -> String {
    let groups = match recipe.network.splits {
        0 | 1 => "of the whole batch".to_owned(),
        splits => format!("in {splits} splits"),
    };
    let order = if recipe.shuffle { "shuffled" } else { "not shuffled" };
    match recipe.method {
        Method::Moco => format!("{groups}, keys {order}"),
        Method::EndToEnd => format!("{groups}, second views {order}"),
        Method::MocoV3 | Method::Byol | Method::SimSiam | Method::MemoryBank => groups,
    }
}

fn scores(summary: &Summary, scored: &Scored) -> String {
    let mut text = format!("test accuracy, {} images, seed {}\n", scored.test_images, summary.seed);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {:<28} {:>10} {:>14}", "", "kNN", "linear probe");
    let mut rows = vec![(format!("{}, pre-trained", summary.method), scored.knn_accuracy, scored.linear_accuracy)];
    if let Some(beside) = &scored.baseline {
        rows.push(("random encoder".to_owned(), beside.random_knn_accuracy, beside.random_linear_accuracy));
        rows.push(("pixels".to_owned(), beside.pixel_knn_accuracy, beside.pixel_linear_accuracy));
    }
    for (name, knn, linear) in rows {
        let _ = writeln!(text, "  {name:<28} {:>8.2} % {:>12.2} %", 100.0 * knn, 100.0 * linear);
    }
    text
}

/// The closing table.
pub(super) fn final_table(summary: &Summary) -> String {
    let mut text = match &summary.scored {
        Some(scored) => scores(summary, scored),
        None => "no scores: they need labels of training and of test images\n".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "loss {:.3} (chance {:.3}), contrastive accuracy {:.1} %, feature std {:.4} (evenly spread {:.4})",
        summary.loss,
        summary.chance_loss,
        100.0 * summary.contrast_accuracy,
        summary.feature_std,
        summary.even_std
    );
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

/// Accuracy of the monitor beside that of the random encoder, and the loss beside chance.
pub(super) fn panels(metrics: &[ContrastMetrics], random: Option<f64>) -> [Panel; 2] {
    let of = |value: &dyn Fn(&ContrastMetrics) -> Option<f64>| -> Vec<(f64, f64)> {
        metrics.iter().filter_map(|row| value(row).map(|value| (row.step as f64, value))).collect()
    };
    let accuracies = vec![
        Curve { name: "random encoder", color: GREY, points: of(&|_| random.map(|random| 100.0 * random)) },
        Curve { name: "kNN, training images", color: BLUE, points: of(&|row| row.knn_accuracy.map(|a| 100.0 * a)) },
        Curve { name: "contrastive", color: ORANGE, points: of(&|row| Some(100.0 * row.contrast_accuracy)) },
    ];
    let losses = vec![
        Curve { name: "chance", color: GREY, points: of(&|row| Some(row.chance_loss)) },
        Curve { name: "loss", color: BLUE, points: of(&|row| Some(row.loss)) },
    ];
    let across = Across::Steps;
    [
        Panel { title: "accuracy, %".to_owned(), curves: accuracies, across },
        Panel { title: "mean loss of an epoch".to_owned(), curves: losses, across },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretrain::fashion;

    #[test]
    fn what_is_shuffled_is_said_as_it_is() {
        let said = |method, splits, shuffle| {
            let mut recipe = Recipe { method, shuffle, ..fashion() };
            recipe.network.splits = splits;
            batch_statistics(&recipe)
        };
        assert_eq!(said(Method::Moco, 8, true), "in 8 splits, keys shuffled");
        assert_eq!(said(Method::Moco, 1, false), "of the whole batch, keys not shuffled");
        assert_eq!(said(Method::EndToEnd, 8, true), "in 8 splits, second views shuffled");
        assert_eq!(said(Method::EndToEnd, 8, false), "in 8 splits, second views not shuffled");
        assert_eq!(said(Method::MemoryBank, 8, true), "in 8 splits");
    }
}
