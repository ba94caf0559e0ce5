use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::Given;
use super::config::leaves;

/// Where settings came from: three stages of a recipe, and what was said.
#[derive(Debug)]
pub struct Origins<'a, R> {
    /// What the settings are where nobody says anything: the default, or a published recipe.
    pub base: &'a R,
    /// The name of the published recipe.
    pub recipe: Option<&'a str>,
    /// With files and flags, before the data were seen.
    pub asked: &'a R,
    /// What was said.
    pub given: &'a Given,
    /// How many training images there are.
    pub images: usize,
}

/// Settings that are lists of operations: their names are enough.
const NAMED: [&str; 2] = ["views", "evaluation"];

/// Longer values are cut; `config.json` has them whole.
const LONGEST: usize = 60;

/// Every setting of a run with where it came from, a line each.
pub fn table<R: Serialize>(recipe: &R, origins: &Origins<'_, R>) -> String {
    let (base, asked, last) = (flat(origins.base), flat(origins.asked), flat(recipe));
    let width = last.keys().map(String::len).max().unwrap_or(0);
    let values: Vec<String> = last.values().map(shown).collect();
    let longest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for ((path, value), shown) in last.iter().zip(&values) {
        let (given, chosen) = (origins.given, asked.get(path) != Some(value));
        let origin = match origins.recipe {
            _ if given.flag(path) => "flag".to_owned(),
            _ if chosen => format!("chosen for {} images", origins.images),
            _ if given.config(path) => "config".to_owned(),
            _ if base.get(path) != Some(value) => "follows from other settings".to_owned(),
            Some(recipe) => format!("recipe {recipe}"),
            None => "default".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{path:<width$}  {shown:<longest$}  {origin}");
    }
    text
}

fn flat<R: Serialize>(recipe: &R) -> BTreeMap<String, Value> {
    let mut value = serde_json::to_value(recipe).unwrap_or_default();
    if let Value::Object(settings) = &mut value {
        for name in NAMED {
            if let Some(pipeline) = settings.get_mut(name)
                && let Some(name) = pipeline.get("name").cloned()
            {
                *pipeline = name;
            }
        }
    }
    let mut found = BTreeMap::new();
    leaves(&value, "", &mut |path, value| {
        found.insert(path.to_owned(), value.clone());
    });
    found
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Number(number) => number_in_words(number),
        value => value.to_string(),
    };
    match text.chars().count() > LONGEST {
        true => format!("{}…", text.chars().take(LONGEST - 1).collect::<String>()),
        false => text,
    }
}

/// A number with the digits that somebody wrote.
pub fn number_in_words(number: &serde_json::Number) -> String {
    match number.as_f64() {
        // Settings of 32 bits are stored with all digits of 64: 0.4000000059604645.
        Some(value) if !number.is_i64() && !number.is_u64() => {
            let short = (value as f32).to_string();
            if short.len() < value.to_string().len() { short } else { value.to_string() }
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipe::{Recipe, fashion};

    #[test]
    fn every_setting_says_where_it_came_from() {
        let given = Given::new([("seed", true), ("patience", true)], ["batch".to_owned()]);
        let base = fashion();
        let asked = Recipe { seed: 5, batch: 32, patience: Some(3), validation: 0.2, ..fashion() };
        let last = Recipe { curve_images: 9, ..asked.clone() };
        let origins = Origins { base: &base, recipe: None, asked: &asked, given: &given, images: 60 };
        let text = table(&last, &origins);
        let line = |setting: &str| text.lines().find(|line| line.starts_with(&format!("{setting} "))).expect("a line");
        assert!(line("seed").ends_with("flag") && line("batch").ends_with("config"), "{text}");
        assert!(line("validation").ends_with("follows from other settings"), "{text}");
        assert!(line("curve_images").ends_with("chosen for 60 images"), "{text}");
        assert!(line("decay.warm_up.decay").ends_with("default"), "{text}");
        assert!(line("views").contains("fashion") && !text.contains("operations"), "{text}");
    }
}
