use anyhow::Result;
use clap::Args;
use slowburn_ema::Length;

use super::method::change_method;
use super::{DEFAULT, Mask, Method, Recipe, RecipeError, Version, default_recipe, preset};
use crate::args::{HelpAll, Images, Machine, Run, Shared, Start, set};
use crate::network::Arch;
use crate::recipes::unknown;
use crate::settings::Config;

/// No labels: pre-train with MoCo, BYOL and their relatives
///
/// Without flags it pre-trains a small network on the shipped Fashion-MNIST images, no label of which it sees, and then
/// scores it by its nearest neighbours and a linear probe beside the same network with random weights and raw pixels. A flat
/// folder of photos is enough; without labels there are no scores.
#[derive(Debug, Clone, Default, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub start: Start,
    /// Where keys or targets come from [default: end-to-end]
    #[arg(long, help_heading = "Method")]
    pub method: Option<Method>,
    /// Head, temperature, learning rate and views as in MoCo v1 or v2 [default: v2]
    #[arg(long, help_heading = "Method")]
    pub version: Option<Version>,
    /// The encoder [default: small]
    #[arg(long, help_heading = "Method")]
    pub arch: Option<Arch>,
    /// Keys in the queue, or negatives of memory-bank [default: 4096, or fewer]
    #[arg(long, value_name = "K", help_heading = "Method")]
    pub queue: Option<usize>,
    /// Temperature of the loss [default: 0.2; end-to-end on grey images: 0.1]
    #[arg(long, value_name = "τ", help_heading = "Method")]
    pub temperature: Option<f64>,
    /// The share of the patches of a query's image that is masked; its key is of the whole image
    #[arg(long, value_name = "SHARE", help_heading = "Method", hide_short_help = true)]
    pub mask: Option<f32>,
    /// The side of such a patch in pixels [default: an eighth of the view's]
    #[arg(long, value_name = "PIXELS", requires = "mask", help_heading = "Method", hide_short_help = true)]
    pub mask_patch: Option<u32>,
    /// The length of an embedding [default: 64; 128 for byol and moco-v3, 512 for simsiam]
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub dim: Option<usize>,
    /// The width of the hidden layers of projector and predictor [default: 512]
    #[arg(long, value_name = "N", help_heading = "Method", hide_short_help = true)]
    pub hidden: Option<usize>,
    /// The average's decay: of weights, or of slots with `--method memory-bank` [default: 0.99; 0.5]. It rises to 1 with byol
    /// and moco-v3
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub decay: Option<f64>,
    /// Each view is query once and key once
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub symmetric: bool,
    /// Groups of a batch with batch statistics of their own; 1 for the whole batch [default: 8; 1 with a predictor]
    #[arg(long, value_name = "N", help_heading = "Method", hide_short_help = true)]
    pub splits: Option<usize>,
    /// Encode keys (end-to-end: second views) in the order of queries
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub no_shuffle: bool,
    /// Epochs from one look of the monitor to the next [default: 4; 1 with --patience]
    #[arg(long, value_name = "EPOCHS", help_heading = "Method", hide_short_help = true)]
    pub monitor: Option<u64>,
    /// Do not score random weights and raw pixels beside it
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub no_baseline: bool,
    /// Neighbours that vote [default: 200, or what fits]
    #[arg(long, value_name = "K", help_heading = "Method", hide_short_help = true)]
    pub knn: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub run: Run,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub machine: Machine,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub help: HelpAll,
}

impl Cli {
    /// Where settings start: the published recipe that was asked for, else the default of the method, by a flag or by the file.
    ///
    /// # Errors
    /// For an unknown recipe, and for a method that there is not.
    pub fn base(&self, config: Option<&Config>) -> Result<Recipe> {
        match &self.run.files.recipe {
            None => Ok(default_recipe(Config::method_or_flag(config, self.method)?.unwrap_or(DEFAULT))),
            Some(name) => Ok(preset(name).ok_or_else(|| unknown(name))?.recipe()),
        }
    }

    /// The recipe for a new run, before it has seen the images, with the settings of the file.
    ///
    /// # Errors
    /// For an unknown recipe, unknown settings and settings out of range.
    pub fn recipe(&self, config: Option<&Config>) -> Result<Recipe> {
        let base = self.base(config)?;
        let recipe = self.apply(config.map_or(Ok(base.clone()), |config| config.on(&base))?)?;
        match &self.run.files.recipe {
            Some(name) if recipe.data == crate::data::shipped() => {
                Err(RecipeError::NoData { name: name.clone() }.into())
            }
            _ => Ok(recipe),
        }
    }

    /// A run's recipe with the flags given now on top, to see whether they agree with it.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn recipe_on(&self, run: &Recipe) -> Result<Recipe> {
        let mut recipe = run.clone();
        if let Some(name) = &self.run.files.recipe {
            recipe.preset = Some(name.clone());
        }
        self.apply(recipe)
    }

    /// The settings that flags say, by their paths.
    pub fn settings(&self) -> Vec<(&'static str, bool)> {
        let version = self.version.is_some();
        let mut settings = self.shared().settings();
        settings.extend([
            ("method", self.method.is_some()),
            ("network.version", version),
            ("network.arch", self.arch.is_some()),
            ("network.dim", self.dim.is_some()),
            ("network.heads", self.hidden.is_some()),
            ("mask", self.mask.is_some()),
            ("network.splits", self.splits.is_some()),
            ("queue", self.queue.is_some()),
            ("temperature", self.temperature.is_some() || version),
            ("optimizer.ramp_down", version || self.run.epochs.is_some()),
            ("decay", self.decay.is_some()),
            ("symmetric", self.symmetric),
            ("shuffle", self.no_shuffle),
            ("baseline", self.no_baseline),
            ("monitor", self.monitor.is_some()),
            ("scoring.knn.k", self.knn.is_some()),
        ]);
        settings
    }

    fn apply(&self, mut recipe: Recipe) -> Result<Recipe> {
        // A version says several things, each of which a flag of its own may change.
        if let Some(version) = self.version {
            recipe.set_version(version);
        }
        if let Some(method) = self.method {
            change_method(&mut recipe, method);
        }
        self.check_flags(recipe.method)?;
        if let Some(epochs) = self.run.epochs {
            recipe.set_length(Length::Epochs(epochs));
        }
        set(&mut recipe.network.arch, &self.arch);
        if let Some(hidden) = self.hidden {
            recipe.network.heads = recipe.method.heads(hidden, recipe.network.dim);
        }
        if let Some(dim) = self.dim {
            recipe.network.set_dim(dim);
        }
        if let Some(share) = self.mask {
            let patch = self.mask_patch.or(recipe.mask.and_then(|mask| mask.patch));
            recipe.mask = Some(Mask { share, patch });
        }
        match (self.splits, self.run.batch) {
            (Some(splits), _) => recipe.network.splits = splits,
            // Halved until they divide the batch.
            (None, Some(batch)) => {
                while recipe.network.splits > 1 && !batch.is_multiple_of(recipe.network.splits) {
                    recipe.network.splits /= 2;
                }
            }
            (None, None) => {}
        }
        set(&mut recipe.queue, &self.queue);
        set(&mut recipe.decay, &self.decay);
        set(&mut recipe.temperature, &self.temperature);
        set(&mut recipe.monitor, &self.monitor);
        set(&mut recipe.scoring.knn.k, &self.knn);
        recipe.symmetric |= self.symmetric;
        recipe.shuffle &= !self.no_shuffle;
        recipe.baseline &= !self.no_baseline;
        self.shared().apply(recipe.shared())?;
        if self.run.patience.is_some() && self.monitor.is_none() && recipe.image.is_none() {
            recipe.monitor = 1;
        }
        recipe.validate()?;
        Ok(recipe)
    }

    /// The flags that every command that trains has.
    pub fn shared(&self) -> Shared<'_> {
        Shared { images: &self.images, run: &self.run, machine: &self.machine, start: &self.start }
    }

    /// Refuses what was given and is ignored by the method.
    fn check_flags(&self, method: Method) -> Result<(), RecipeError> {
        let flags = [
            ("--queue", self.queue.is_some()),
            ("--decay", self.decay.is_some()),
            ("--temperature", self.temperature.is_some()),
            ("--no-shuffle", self.no_shuffle),
            ("--version", self.version.is_some()),
            ("--hidden", self.hidden.is_some()),
            ("--mask", self.mask.is_some()),
        ];
        flags.into_iter().filter(|&(_, given)| given).try_for_each(|(flag, _)| method.check_flag(flag))
    }
}

#[cfg(test)]
mod tests {
    use slowburn_augment::presets;

    use super::*;
    use crate::pretrain::fashion;
    use clap::Parser;
    use slowburn_ema::RampShape;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        cli: Cli,
    }

    fn parse(flags: &[&str]) -> Cli {
        Program::parse_from(std::iter::once("pretrain").chain(flags.iter().copied())).cli
    }

    #[test]
    fn without_flags_it_is_the_default_recipe() {
        assert_eq!(parse(&[]).recipe(None).expect("valid"), default_recipe(DEFAULT));
        assert_eq!(parse(&["--method", "moco"]).recipe(None).expect("valid"), fashion());
    }

    #[test]
    fn a_method_in_a_file_brings_its_heads_as_a_flag_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.json");
        std::fs::write(&path, r#"{"method": "byol"}"#).expect("written");
        let config = Config::read(&path).expect("settings");
        let recipe = parse(&[]).recipe(Some(&config)).expect("valid");
        assert_eq!(recipe, default_recipe(Method::Byol));
        assert!(recipe.network.heads.is_some());
        // A flag has the last word, and heads go with it.
        assert_eq!(parse(&["--method=moco"]).recipe(Some(&config)).expect("valid"), fashion());
    }

    #[test]
    fn a_file_says_what_flags_say() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.json");
        for flags in
            [&["--bf16"][..], &["--from=x", "--branch=y"], &["--method=moco", "--mask=0.3"], &["--method=byol"]]
        {
            let recipe = parse(flags).recipe(None).expect("valid");
            Config::write(&recipe, &path).expect("written");
            let read = Config::read(&path).expect("settings");
            assert_eq!(parse(&[]).recipe(Some(&read)).expect("known settings"), recipe, "{flags:?}");
        }
    }

    #[test]
    fn flags_that_agree_leave_a_run_as_it_is() {
        for flags in [
            ["--version", "v1", "--epochs", "3", "--temperature", "0.1"],
            ["--method", "memory-bank", "--queue", "64", "--decay", "0.7"],
        ] {
            let run = parse(&flags).recipe(None).expect("valid");
            assert_eq!(parse(&flags).recipe_on(&run).expect("valid"), run);
            assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
        }
    }

    #[test]
    fn a_version_brings_head_temperature_and_schedule_and_flags_have_the_last_word() {
        let recipe = parse(&["--version", "v1"]).recipe(None).expect("valid");
        assert_eq!((recipe.network.version, recipe.temperature), (Version::V1, 0.07));
        assert_eq!(recipe.optimizer.schedule.ramp_down, RampShape::Milestones(0.6, 0.8));
        assert_eq!(recipe.views, presets::moco_fashion_v1(28));
        assert_eq!(parse(&["--method", "moco", "--version", "v2"]).recipe(None).expect("valid"), fashion());
        let recipe = parse(&["--version", "v1", "--temperature", "0.5"]).recipe(None).expect("valid");
        assert_eq!(recipe.temperature, 0.5);
    }

    /// Recipes written before these fields were there mean what they meant.
    #[test]
    fn a_recipe_of_an_earlier_version_is_read() {
        let run = fashion();
        let mut value = serde_json::to_value(&run).expect("serialises");
        value.as_object_mut().expect("settings").remove("evaluation").expect("new");
        value["scoring"].as_object_mut().expect("settings").remove("probe_representation").expect("new");
        value["optimizer"]["ramp_down"] = "cosine_by_epoch".into();
        let old: Recipe = serde_json::from_value(value).expect("readable");
        assert_eq!(old.optimizer.schedule.ramp_down, RampShape::CosineByEpoch);
        assert_eq!(old.evaluation(), run.views.evaluation());
        assert_eq!(old.scoring.probe_representation(), run.scoring.representation);
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        for (flag, name) in [
            ("--decay=1.5", "--decay is 1.5"),
            ("--decay=NaN", "--decay is NaN"),
            ("--temperature=0", "--temperature is 0"),
            ("--lr=0", "--lr is 0"),
            ("--epochs=0", "--epochs is 0"),
            ("--batch=0", "--batch is 0"),
            ("--splits=7", "--batch is 128: it must be a multiple of --splits, 7"),
            ("--queue=0", "--queue is 0"),
            ("--dim=0", "--dim is 0"),
            ("--arch=wrn28-2", "WideResNet28x2 has no split batch normalisation"),
            ("--preset=nothing", "no recipe `nothing`"),
            ("--preset=cifar10-200", "--recipe cifar10-200 needs --data"),
        ] {
            let error = parse(&["--method=moco", flag]).recipe(None).expect_err(flag).to_string();
            assert!(error.contains(name), "{flag}: {error}");
        }
    }

    #[test]
    fn flags_that_say_nothing_to_the_method_are_refused_where_they_were_given() {
        for (flags, said) in [
            (["--method=end-to-end", "--queue=64"], "--queue means nothing to --method end-to-end"),
            (["--method=end-to-end", "--decay=0.5"], "--decay means nothing to --method end-to-end"),
            (["--method=memory-bank", "--no-shuffle"], "--no-shuffle means nothing to --method memory-bank"),
            (["--method=memory-bank", "--symmetric"], "--symmetric is for --method moco"),
        ] {
            let error = parse(&flags).recipe(None).expect_err(flags[1]).to_string();
            assert!(error.contains(said), "{flags:?}: {error}");
        }
        let end_to_end =
            parse(&["--method=end-to-end", "--no-shuffle"]).recipe(None).expect("the paper shuffles it too");
        assert!(!end_to_end.shuffle);
        // What a recipe holds is not what was given: presets and runs are as they were.
        let preset =
            parse(&["--preset=cifar10-200", "--data=images", "--method=end-to-end"]).recipe(None).expect("valid");
        assert_eq!(preset.method, Method::EndToEnd);
        for run in
            [Recipe { queue: 64, ..end_to_end }, Recipe { method: Method::MemoryBank, shuffle: false, ..fashion() }]
        {
            assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
        }
    }

    #[test]
    fn a_queue_holds_the_keys_of_a_step_and_at_most_those_of_the_other_images() {
        let moco = |flags: &[&str]| parse(&[&["--method", "moco"], flags].concat()).recipe(None).expect("valid");
        let queue = |flags: &[&str]| moco(flags).validate_for(1000, 1000);
        assert_eq!(queue(&["--queue", "872"]), Ok(()));
        assert!(matches!(queue(&["--queue", "873"]), Err(RecipeError::LargeQueue { allowed: 872, .. })));
        assert_eq!(queue(&["--queue", "1744", "--symmetric"]), Ok(()));
        assert!(matches!(queue(&["--queue", "127"]), Err(RecipeError::SmallQueue { keys: 128, .. })));
        assert!(matches!(queue(&["--batch", "1008"]), Err(RecipeError::FewImages { .. })));
        let bank = |size| queue(&["--queue", size, "--method", "memory-bank"]);
        assert_eq!(bank("872"), Ok(()));
        assert!(matches!(bank("873"), Err(RecipeError::ManyNegatives { negatives: 873, allowed: 872, .. })));
        assert_eq!(queue(&["--method", "end-to-end"]), Ok(()), "the default's 4,096 keys are ignored");
        let recipe = moco(&["--queue", "128"]);
        assert_eq!(recipe.validate_for(1000, 250), Ok(()), "the monitor's bank has 200 of them");
        assert!(matches!(recipe.validate_for(1000, 249), Err(RecipeError::FewLabels { needed: 250, .. })));
        let one = moco(&["--queue", "128", "--knn", "1"]);
        assert_eq!(one.validate_for(1000, 2), Ok(()), "one to compare with, one to ask about");
        assert!(matches!(one.validate_for(1000, 1), Err(RecipeError::FewLabels { needed: 2, .. })));
    }
}
