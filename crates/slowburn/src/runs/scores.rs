//! Scores of a run: from its summary, or from the last line of its metrics.

use serde_json::Value;

use super::Score;

/// Where a score stands, and what it is called here; the one that a run is judged by first.
const PLACES: [(&str, &str); 15] = [
    ("/pretrained/mean_teacher", "pre-trained"),
    ("/pretrained/supervised", "pre-trained"),
    ("/scratch/mean_teacher", "scratch"),
    ("/scratch/supervised", "scratch"),
    ("/teacher_accuracy", "teacher"),
    ("/last/teacher_accuracy", "teacher"),
    ("/student_accuracy", "student"),
    ("/last/student_accuracy", "student"),
    ("/best/score", "validation"),
    ("/validation_accuracy", "validation"),
    ("/linear_accuracy", "linear"),
    ("/knn_accuracy", "kNN"),
    ("/last/knn_accuracy", "kNN"),
    ("/supervised_accuracy", "labels alone"),
    ("/baseline_accuracy", "labels alone"),
];

/// The scores in a summary or a line of metrics, the one that a run is judged by first.
pub(super) fn scores(of: &Value) -> Vec<Score> {
    let mut scores: Vec<Score> = Vec::new();
    for (place, name) in PLACES {
        if let Some(accuracy) = of.pointer(place).and_then(Value::as_f64)
            && !scores.iter().any(|score| score.name == name)
        {
            scores.push(Score { name, accuracy });
        }
    }
    // Of a method whose teacher is no network of its own both are the same number.
    let of = |name: &str| scores.iter().find(|score| score.name == name).map(|score| score.accuracy);
    if of("teacher").is_some() && of("teacher") == of("student") {
        scores.retain(|score| score.name != "teacher");
    }
    scores
}
