use crate::report::{Across, BLUE, Curve, GREEN, GREY, ORANGE, Panel};
use slowburn_train::task::SemiMetrics;

use super::BASELINE_PHASE;

/// Accuracies and costs over the steps.
///
/// Accuracies are of so many of all test images.
pub fn panels(metrics: &[SemiMetrics], (monitored, all): (usize, usize)) -> [Panel; 2] {
    let images = if monitored < all { format!(", {monitored} of {all} images") } else { String::new() };
    let title = match (all, metrics.iter().any(|row| row.validation_accuracy.is_some())) {
        (0, true) => "accuracy on held-back labels, %".to_owned(),
        (0, false) => "no accuracy: no test images".to_owned(),
        _ => format!("test accuracy, %{images}"),
    };
    [
        Panel { title, curves: accuracies(metrics), across: Across::Steps },
        Panel { title: "mean cost of an epoch".to_owned(), curves: costs(metrics), across: Across::Steps },
    ]
}

fn accuracies(metrics: &[SemiMetrics]) -> Vec<Curve> {
    let of = |baseline: bool, value: fn(&SemiMetrics) -> Option<f64>| {
        metrics
            .iter()
            .filter(|row| (row.phase == BASELINE_PHASE) == baseline)
            .filter_map(|row| value(row).map(|value| (row.step as f64, 100.0 * value)))
            .collect()
    };
    vec![
        Curve { name: "labels alone", color: GREY, points: of(true, |row| row.student_accuracy) },
        Curve { name: "student", color: BLUE, points: of(false, |row| row.student_accuracy) },
        Curve { name: "teacher", color: ORANGE, points: of(false, |row| row.teacher_accuracy) },
        Curve { name: "held-back labels", color: GREEN, points: of(false, |row| row.validation_accuracy) },
    ]
}

fn costs(metrics: &[SemiMetrics]) -> Vec<Curve> {
    let of = |value: fn(&SemiMetrics) -> f64| {
        metrics
            .iter()
            .filter(|row| row.phase != BASELINE_PHASE)
            .map(|row| (row.step as f64, value(row)))
            .collect::<Vec<_>>()
    };
    let mut curves = vec![Curve { name: "class cost", color: BLUE, points: of(|row| row.class_cost) }];
    let weighted = of(|row| row.consistency_cost * row.consistency_weight);
    if weighted.iter().any(|(_, value)| *value > 0.0) {
        curves.push(Curve { name: "consistency, weighted", color: ORANGE, points: weighted });
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phase: &str, step: u64, accuracy: f64) -> SemiMetrics {
        SemiMetrics {
            phase: phase.to_owned(),
            epoch: step / 10,
            step,
            loss: 1.0,
            class_cost: 0.5,
            consistency_cost: 0.01,
            logit_distance: 0.0,
            consistency_weight: 5.0,
            kept: None,
            regularizer: None,
            decay: Some(0.99),
            learning_rate: 0.003,
            student_accuracy: Some(accuracy),
            teacher_accuracy: Some(accuracy),
            validation_accuracy: None,
        }
    }

    #[test]
    fn the_baseline_is_a_curve_of_its_own() {
        let [left, right] =
            panels(&[row(BASELINE_PHASE, 10, 0.5), row("mean-teacher", 10, 0.6), row("mean-teacher", 20, 0.7)], (2, 9));
        assert_eq!(left.title, "test accuracy, %, 2 of 9 images");
        let points = |name: &str| left.curves.iter().find(|curve| curve.name == name).expect(name).points.clone();
        assert_eq!(points("labels alone"), [(10.0, 50.0)]);
        assert_eq!(points("teacher"), [(10.0, 60.0), (20.0, 70.0)]);
        assert_eq!(right.curves.len(), 2, "class and consistency cost");
    }
}
