//! Settings of runs of all kinds as one flat list, so that they can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::RunInfo;
use crate::settings::number_in_words;

/// A setting: what is compared, and what is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// As `config.json` has it.
    pub value: Value,
    /// In a few characters: a pipeline by its name.
    #[serde(skip)]
    pub shown: String,
}

/// The settings of a run by name. A name is the path in `config.json` with dots between its parts, without what differs from one
/// kind of run to another.
pub type Settings = BTreeMap<String, Setting>;

/// Parts of a path that say in which kind of run a setting stands.
const PREFIXES: [&str; 4] = ["tuning", "trainer", "task", "start"];
/// What is shown elsewhere, or follows from other settings and the data.
const SHOWN_ELSEWHERE: [&str; 10] = [
    "data",
    "method",
    "fixed",
    "timeline",
    "evaluation",
    "start_sha256",
    "classes",
    "labels_sha256",
    "images",
    "image",
];

/// The settings in the recipe of a `config.json`.
pub(super) fn flatten(recipe: &Value) -> Settings {
    let mut settings = Settings::new();
    add(recipe, &mut Vec::new(), &mut settings);
    settings
}

fn add(value: &Value, path: &mut Vec<String>, settings: &mut Settings) {
    match (leaf(value, path.last().map(String::as_str)), value) {
        (None, Value::Object(fields)) => {
            for (key, value) in fields {
                let skipped = SHOWN_ELSEWHERE.contains(&key.as_str());
                let prefix = PREFIXES.contains(&key.as_str()) && value.is_object();
                if skipped {
                    continue;
                }
                if !prefix {
                    path.push(key.clone());
                }
                add(value, path, settings);
                if !prefix {
                    path.pop();
                }
            }
        }
        (shown, value) => {
            let shown = shown.unwrap_or_else(|| value.to_string());
            settings.insert(path.join("."), Setting { value: value.clone(), shown });
        }
    }
}

/// The value in a few characters, if it is shown as one.
fn leaf(value: &Value, key: Option<&str>) -> Option<String> {
    match value {
        Value::Null => Some("none".to_owned()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number_in_words(number)),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) => Some(value.to_string()),
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str).filter(|_| fields.contains_key("operations"));
            let groups = || {
                let groups = fields.get("groups")?.as_array()?;
                let names = groups.iter().map(|group| group.get("pipeline")?.get("name")?.as_str());
                Some(names.collect::<Option<Vec<_>>>()?.join(" + "))
            };
            let single = || match fields.iter().next() {
                Some((kind, of)) if fields.len() == 1 && !of.is_object() && !of.is_array() && key.is_some() => {
                    let of = leaf(of, None)?;
                    Some(if kind == "count" || kind == "file" { of } else { format!("{of} {kind}") })
                }
                _ => None,
            };
            name.map(str::to_owned).or_else(groups).or_else(single).or_else(|| fields.is_empty().then(String::new))
        }
    }
}

/// Names of the settings that have two values or more among the runs that have them, the most asked for first.
pub fn differing(runs: &[RunInfo]) -> Vec<String> {
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, setting) in runs.iter().flat_map(|run| &run.settings) {
        let values = values.entry(name).or_default();
        if !values.contains(&&setting.value) {
            values.push(&setting.value);
        }
    }
    let mut names: Vec<String> =
        values.into_iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| name.to_owned()).collect();
    let place = |name: &str| FIRST.iter().position(|first| name.ends_with(first)).unwrap_or(FIRST.len());
    names.sort_by_key(|name| (place(name), name.matches('.').count()));
    names
}

/// Settings that people change most, in the order of the table.
const FIRST: [&str; 12] = [
    "preset",
    "labels",
    "seed",
    "length",
    "batch",
    "learning_rate",
    "decay",
    "queue",
    "temperature",
    "arch",
    "version",
    "consistency.weight",
];

/// What is shown of a setting in each run: different values never look the same.
pub(super) fn column(runs: &[RunInfo], name: &str) -> Vec<String> {
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for setting in runs.iter().filter_map(|run| run.settings.get(name)) {
        let values = values.entry(&setting.shown).or_default();
        if !values.contains(&&setting.value) {
            values.push(&setting.value);
        }
    }
    let cell = |run: &RunInfo| match run.settings.get(name) {
        None => "–".to_owned(),
        Some(Setting { value, shown }) => match values.get(shown.as_str()) {
            Some(values) if values.len() > 1 => {
                let number = values.iter().position(|other| *other == value).unwrap_or_default() + 1;
                format!("{shown} #{number}")
            }
            _ => shown.clone(),
        },
    };
    runs.iter().map(cell).collect()
}

/// The last parts of the names, as many as tell one from another.
pub(super) fn short_names(names: &[String]) -> Vec<String> {
    let tail = |name: &str, parts: usize| {
        let all: Vec<&str> = name.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let short = |name: &String| {
        (1..=name.split('.').count())
            .map(|parts| tail(name, parts))
            .find(|short| {
                let parts = short.split('.').count();
                names.iter().map(|other| tail(other, parts)).collect::<Vec<_>>().iter().filter(|o| *o == short).count()
                    == 1
            })
            .unwrap_or_else(|| name.clone())
    };
    let shorts: Vec<String> = names.iter().map(short).collect();
    let different: BTreeSet<&String> = shorts.iter().collect();
    if different.len() == names.len() { shorts } else { names.to_vec() }
}
