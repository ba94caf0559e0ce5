//! The published recipes, with their numbers.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use clap::Args;

use crate::{pretrain, train};
use slowburn_train::data::nearest_name;

/// List published recipes, each with its number, its source, and whether it was reproduced here
#[derive(Debug, Clone, Default, Args)]
pub struct Cli {
    /// Print every setting of this one, as `--config` takes them
    pub name: Option<String>,
}

/// Does what the command line says and returns what to print.
///
/// # Errors
/// For an unknown recipe.
pub fn run(cli: &Cli) -> Result<String> {
    let Some(name) = &cli.name else {
        return Ok(format!(
            "slowburn train --recipe NAME --data DIR\n\n{}\nslowburn pretrain --recipe NAME --data DIR\n\n{}",
            few_labels(),
            no_labels()
        ));
    };
    let text = match (train::recipe::preset(name), pretrain::preset(name)) {
        (Some(preset), _) => serde_json::to_string_pretty(&preset.recipe())?,
        (None, Some(preset)) => serde_json::to_string_pretty(&preset.recipe())?,
        (None, None) => return Err(unknown(name)),
    };
    Ok(text + "\n")
}

/// The error for a recipe that does not exist, or not for this command.
pub fn unknown(name: &str) -> anyhow::Error {
    let of = |command: &str| anyhow!("`{name}` is a recipe of `slowburn {command}`");
    if train::recipe::preset(name).is_some() {
        return of("train");
    }
    if pretrain::preset(name).is_some() {
        return of("pretrain");
    }
    let known = train::recipe::PRESETS.iter().map(|preset| preset.name);
    let known = known.chain(pretrain::PRESETS.iter().map(|preset| preset.name));
    let near = nearest_name(name, known).map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    anyhow!("there is no recipe `{name}`{near} (`slowburn recipes` lists them)")
}

/// The source of a number that was measured with this repository.
pub(crate) const OURS: &str = "ours; docs/cifar10.md";

/// Whether the number of this source was reproduced with this code: no published one was, as none of them is within reach of two
/// cores. Those that are ours were measured with it.
pub(crate) fn reproduced(source: &str) -> &'static str {
    if source == OURS { "ours" } else { "no" }
}

/// Recipes of `train`.
pub fn few_labels() -> String {
    let mut text = format!(
        "{:<30} {:>7}  {:<22} {:<10}  {:<26} {}\n",
        "recipe", "labels", "published error, %", "reproduced", "source", "what differs"
    );
    for preset in train::recipe::PRESETS {
        let labels = preset.labels().to_string();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<30} {labels:>7}  {:<22} {:<10}  {:<26} {}",
            preset.name,
            preset.error,
            reproduced(preset.source),
            preset.source,
            preset.note
        );
    }
    text
}

/// Recipes of `pretrain`.
pub fn no_labels() -> String {
    pretrain::preset_list()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_recipe_with_its_number() {
        let list = run(&Cli::default()).expect("a list");
        assert!(
            list.contains("cifar10-4000") && list.contains("12.31 ± 0.28") && list.contains("cifar10-200"),
            "{list}"
        );
        for (name, word) in
            [("cifar10-afternoon", " ours "), ("moco-masked-cifar10-10", " ours "), ("uda-cifar10-40", " no ")]
        {
            assert!(list.lines().any(|line| line.starts_with(name) && line.contains(word)), "{name}: {list}");
        }
        let one = run(&Cli { name: Some("svhn-250".to_owned()) }).expect("known");
        let one: train::recipe::Recipe = serde_json::from_str(&one).expect("every setting");
        assert_eq!(one, train::recipe::preset("svhn-250").expect("exists").recipe());
        let error = run(&Cli { name: Some("svhn-25".to_owned()) }).expect_err("unknown").to_string();
        assert!(error.contains("did you mean `svhn-250`"), "{error}");
    }
}
