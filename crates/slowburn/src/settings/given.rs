use std::collections::BTreeSet;

/// The settings that somebody said, by their paths in the recipe (`optimizer.learning_rate`): what nobody said may be
/// chosen for the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    flags: BTreeSet<String>,
    config: BTreeSet<String>,
}

impl Given {
    /// Settings of flags, each with whether it was given, and those of a file.
    pub fn new<'a>(flags: impl IntoIterator<Item = (&'a str, bool)>, config: impl IntoIterator<Item = String>) -> Self {
        let flags = flags.into_iter().filter(|(_, given)| *given).map(|(setting, _)| setting.to_owned()).collect();
        Self { flags, config: config.into_iter().collect() }
    }

    /// The same with these settings said by flags.
    pub fn with_flags<'a>(mut self, flags: impl IntoIterator<Item = &'a str>) -> Self {
        self.flags.extend(flags.into_iter().map(str::to_owned));
        self
    }

    /// Whether somebody said this setting, part of it, or what it is part of.
    pub fn says(&self, setting: &str) -> bool {
        self.flag(setting) || self.config(setting)
    }

    /// Whether a flag did.
    pub fn flag(&self, setting: &str) -> bool {
        self.flags.iter().any(|said| touches(said, setting))
    }

    /// Whether the file did.
    pub fn config(&self, setting: &str) -> bool {
        self.config.iter().any(|said| touches(said, setting))
    }

    /// What was said of one part of the recipe, by the paths in that part.
    pub fn below(&self, part: &str) -> Self {
        let inner = |said: &String| Some(said.strip_prefix(part)?.strip_prefix('.')?.to_owned());
        Self {
            flags: self.flags.iter().filter_map(inner).collect(),
            config: self.config.iter().filter_map(inner).collect(),
        }
    }
}

/// Whether one of two paths is the other, or begins it.
fn touches(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_setting_is_the_setting() {
        let given = Given::new([("labels", true), ("seed", false)], ["optimizer.learning_rate".to_owned()]);
        assert!(given.says("labels.count") && given.says("labels") && given.says("optimizer"));
        assert!(given.flag("labels.count") && !given.config("labels.count"));
        assert!(!given.says("seed") && !given.says("label") && !given.says("optimizer.algorithm"));
        let below = given.below("optimizer");
        assert!(below.config("learning_rate") && !below.says("labels") && !below.says("optimizer"));
    }
}
