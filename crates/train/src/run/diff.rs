use serde::Serialize;
use serde_json::Value;

/// Where two values of one type differ, by field: `network.arch: "small" in the run, "resnet18" asked for`.
pub fn differences<T: Serialize>(run: &T, asked: &T) -> Vec<String> {
    let mut found = Vec::new();
    // A recipe of plain structs and numbers always serialises; a value that does not shows as null.
    let tree = |value| serde_json::to_value(value).unwrap_or(Value::Null);
    compare("", &tree(run), &tree(asked), &mut found);
    found
}

fn compare(path: &str, run: &Value, asked: &Value, found: &mut Vec<String>) {
    match (run, asked) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, value, &b[key], found);
            }
        }
        _ if run != asked => found.push(format!("{path}: {run} in the run, {asked} asked for")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_differing_field_is_named_with_both_values() {
        let run = json!({"network": {"arch": "small", "heads": 1}, "seed": 1, "length": {"epochs": 2.0}});
        let asked = json!({"network": {"arch": "resnet18", "heads": 1}, "seed": 1, "length": {"steps": 5}});
        assert_eq!(
            differences(&run, &asked),
            [
                "length: {\"epochs\":2.0} in the run, {\"steps\":5} asked for",
                "network.arch: \"small\" in the run, \"resnet18\" asked for",
            ]
        );
        assert!(differences(&run, &run).is_empty());
    }
}
