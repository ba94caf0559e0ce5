use serde_json::Value;

use super::RunInfo;
use super::info::metrics;

/// What counts epochs and steps in a line of metrics.
const COUNTERS: [&str; 2] = ["epoch", "step"];

/// Every figure of a run's `metrics.jsonl` with its points, (optimizer steps, value) by step: `loss`, `student accuracy`.
/// Accuracies are in percent. What the baseline of a run reached has figures of its own, `baseline loss`. A run without metrics,
/// or whose metrics cannot be understood, has none.
pub fn curves(run: &RunInfo) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut curves: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for row in metrics(&run.path).unwrap_or_default() {
        let Some(step) = row.get("step").and_then(Value::as_f64) else { continue };
        let baseline = row.get("phase").and_then(Value::as_str) == Some(crate::train::BASELINE_PHASE);
        let mut figures = Vec::new();
        add(&row, &mut Vec::new(), &mut figures);
        for (name, value) in figures {
            let name = if baseline { format!("baseline {name}") } else { name };
            let value = if name.ends_with("accuracy") { 100.0 * value } else { value };
            match curves.iter_mut().find(|(other, _)| *other == name) {
                Some((_, points)) => points.push((step, value)),
                None => curves.push((name, vec![(step, value)])),
            }
        }
    }
    curves
}

/// Adds the finite numbers of a line, with their names in words.
fn add(value: &Value, path: &mut Vec<String>, figures: &mut Vec<(String, f64)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !COUNTERS.contains(&key.as_str())) {
                path.push(key.replace('_', " "));
                add(value, path, figures);
                path.pop();
            }
        }
        value => figures.extend(value.as_f64().map(|number| (path.join(" "), number))),
    }
}
