use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use slowburn_train::run::write_atomically;

use slowburn_train::data::nearest_name;

/// What can be wrong with a file of settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no JSON object.
    #[error("{path} is no file of settings: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting that does not exist.
    #[error("{path}: there is no setting `{setting}`{}", hint(.near.as_deref(), .known))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The setting.
        setting: String,
        /// What was probably meant.
        near: Option<String>,
        /// What there is in its place.
        known: Vec<String>,
    },
}

fn hint(near: Option<&str>, known: &[String]) -> String {
    match near {
        Some(near) => format!(": did you mean `{near}`?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// Facts that a run notes among its settings, which no file sets.
const FACTS: [&str; 6] = ["fixed", "classes", "image", "start_sha256", "labels_sha256", "preset"];

/// A file of settings, or of some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    path: PathBuf,
    settings: Map<String, Value>,
}

impl Config {
    /// Reads settings, or a run's `config.json`.
    ///
    /// # Errors
    /// [`ConfigError::Io`] or [`ConfigError::Format`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        let format = |reason: String| ConfigError::Format { path: path.to_owned(), reason };
        let value: Value = serde_json::from_slice(&text).map_err(|error| format(error.to_string()))?;
        let Value::Object(mut settings) = value else {
            return Err(format("it must be a JSON object".to_owned()));
        };
        if let (true, Some(Value::Object(recipe))) = (settings.contains_key("data_sha256"), settings.get("recipe")) {
            settings = recipe.clone();
            // A run's length says how many steps its time had.
            settings.remove("time");
        }
        settings.retain(|name, _| !FACTS.contains(&name.as_str()));
        Ok(Self { path: path.to_owned(), settings })
    }

    /// Writes every setting of a recipe, for editing.
    ///
    /// # Errors
    /// [`ConfigError::Io`].
    pub fn write<R: Serialize>(recipe: &R, path: &Path) -> Result<(), ConfigError> {
        let io = |source| ConfigError::Io { path: path.to_owned(), source };
        let mut value = serde_json::to_value(recipe).map_err(|error| io(error.into()))?;
        if let Value::Object(settings) = &mut value {
            settings.retain(|name, _| !FACTS.contains(&name.as_str()));
        }
        let mut text = serde_json::to_vec_pretty(&value).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        write_atomically(path, &text).map_err(io)
    }

    /// A recipe with the file's settings in the place of its own.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] for a setting that does not exist, [`ConfigError::Format`] for a value that cannot be.
    pub fn on<R: Serialize + DeserializeOwned>(&self, recipe: &R) -> Result<R, ConfigError> {
        let format = |reason: String| ConfigError::Format { path: self.path.clone(), reason };
        let mut value = serde_json::to_value(recipe).map_err(|error| format(error.to_string()))?;
        self.merge(&mut value, &self.settings, "")?;
        serde_json::from_value(value).map_err(|error| format(error.to_string()))
    }

    /// The method by which other settings start: that of a flag, else that of the file.
    ///
    /// # Errors
    /// [`ConfigError::Format`] for a method that there is not.
    pub fn method_or_flag<M: DeserializeOwned>(
        config: Option<&Self>,
        flag: Option<M>,
    ) -> Result<Option<M>, ConfigError> {
        match (flag, config) {
            (None, Some(config)) => config.method(),
            (flag, _) => Ok(flag),
        }
    }

    fn method<M: DeserializeOwned>(&self) -> Result<Option<M>, ConfigError> {
        let method = self.settings.get("method").cloned().map(serde_json::from_value).transpose();
        method.map_err(|error| ConfigError::Format { path: self.path.clone(), reason: error.to_string() })
    }

    /// The paths of what the file says.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        leaves(&Value::Object(self.settings.clone()), "", &mut |path, _| paths.push(path.to_owned()));
        paths
    }

    fn merge(&self, base: &mut Value, over: &Map<String, Value>, at: &str) -> Result<(), ConfigError> {
        let Value::Object(base) = base else {
            *base = Value::Object(over.clone());
            return Ok(());
        };
        // A choice among variants is an object of one key, the variant's name.
        if !at.is_empty() && base.len() == 1 && over.len() == 1 && base.keys().ne(over.keys()) {
            *base = over.clone();
            return Ok(());
        }
        for (name, value) in over {
            let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let known: Vec<String> = base.keys().filter(|key| !FACTS.contains(&key.as_str())).cloned().collect();
            let Some(setting) = base.get_mut(name) else {
                let near = nearest_name(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(ConfigError::Unknown { path: self.path.clone(), setting: path, near, known });
            };
            match value {
                Value::Object(inner) => self.merge(setting, inner, &path)?,
                value => *setting = value.clone(),
            }
        }
        Ok(())
    }
}

/// Calls with path and value of everything that is no object.
pub(super) fn leaves(value: &Value, at: &str, found: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                leaves(value, &path, found);
            }
        }
        value => found(at, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipe::{Labels, Recipe, fashion};

    fn config_of(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mine.json");
        std::fs::write(&path, text).expect("written");
        Config::read(&path)
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mine.json");
        Config::write(&fashion(), &path).expect("written");
        let config = Config::read(&path).expect("read");
        assert_eq!(config.on(&Recipe { seed: 7, ..fashion() }).expect("fits"), fashion());
        assert!(config.paths().contains(&"optimizer.learning_rate".to_owned()));
    }

    #[test]
    fn a_part_of_the_settings_is_enough() {
        let config = config_of(r#"{"seed": 3, "labels": "all", "optimizer": {"learning_rate": 0.5}}"#);
        let recipe = config.expect("JSON").on(&fashion()).expect("settings");
        assert_eq!((recipe.seed, recipe.labels.clone()), (3, Labels::All));
        assert_eq!(recipe.optimizer.schedule.learning_rate, 0.5);
        assert_eq!(recipe.network, fashion().network);
        let variant = config_of(r#"{"length": {"steps": 5}, "labels": {"file": "x.csv"}}"#);
        let recipe = variant.expect("JSON").on(&fashion()).expect("settings");
        assert_eq!(recipe.length, slowburn_ema::Length::Steps(5));
        assert_eq!(recipe.labels, Labels::File("x.csv".into()));
    }

    #[test]
    fn a_misspelt_setting_is_named_with_the_one_that_was_meant() {
        for (text, setting, near) in [
            (r#"{"bacth": 3}"#, "`bacth`", "did you mean `batch`?"),
            (r#"{"optimizer": {"learning_rat": 3}}"#, "optimizer.learning_rat", "`learning_rate`"),
            (r#"{"zzz": 3}"#, "`zzz`", "there are"),
        ] {
            let error = config_of(text).expect("JSON").on(&fashion()).expect_err("no such setting").to_string();
            assert!(error.contains(setting) && error.contains(near), "{error}");
        }
        assert!(matches!(config_of("[1]"), Err(ConfigError::Format { .. })));
        let error = config_of(r#"{"batch": "many"}"#).expect("JSON").on(&fashion()).expect_err("no number").to_string();
        assert!(error.contains("many"), "{error}");
    }
}
