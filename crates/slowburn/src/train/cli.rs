//! The command line of `train`, and how it becomes a recipe.

use anyhow::Result;
use clap::{Args, ValueEnum};
use slowburn_ema::{Decay, Length, RampShape};
use slowburn_semi::{Consistency, LabelForm, LabelSource, Mix};

use super::pretrained::begin_with;
use super::recipe::{
    DEFAULT, Labels, Method, Recipe, change_method, check_flag, default_recipe, default_strong_teacher, preset,
    set_alignment, set_batch, set_form, set_source, set_strong_views, set_threshold,
};
use crate::args::{HelpAll, Images, Machine, Run, Shared, Start, set};
use crate::network::Arch;
use crate::recipes::unknown;
use crate::settings::Config;

/// Few labels, many images: train with FixMatch, Mean Teacher and their relatives
///
/// Without flags it trains a small residual network on the shipped Fashion-MNIST images, 100 of which keep their label: first
/// on the labels alone, then with FixMatch, and prints the accuracies.
#[derive(Debug, Clone, Default, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    /// Labels to use: a number, all, or a file [default: 100]
    #[arg(long, value_name = "N|all|FILE")]
    pub labels: Option<Labels>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub start: Start,
    /// Pre-train first for so many epochs on all images but those held back by --validation, labels unseen; 0 for none
    #[arg(long, value_name = "EPOCHS", conflicts_with = "from", hide_short_help = true)]
    pub pretrain: Option<f64>,
    /// The method of that pre-training [default: end-to-end]
    #[arg(long, value_name = "METHOD", requires = "pretrain", hide_short_help = true)]
    pub pretrain_method: Option<crate::pretrain::Method>,
    /// A head of random weights in the place of that of --from
    #[arg(long, requires = "from", hide_short_help = true)]
    pub fresh_head: bool,
    /// Train from random weights too, with the same labels, batches and steps
    #[arg(long, hide_short_help = true)]
    pub compare_scratch: bool,
    /// The views that the weights of --from know, where they do not say it themselves
    #[arg(long, value_name = "PRESET", requires = "from", hide_short_help = true)]
    pub views: Option<String>,
    /// Labels held back to keep the best epoch by [default: 0; 0.2 with --patience]
    #[arg(long, value_name = "SHARE")]
    pub validation: Option<f64>,
    /// The method [default: fixmatch]
    #[arg(long, help_heading = "Method")]
    pub method: Option<Method>,
    /// The network [default: resnet9-quarter, resnet10-quarter for photos]
    #[arg(long, help_heading = "Method")]
    pub arch: Option<Arch>,
    /// Do not train on the labels alone first
    #[arg(long, help_heading = "Method")]
    pub no_baseline: bool,
    /// The consistency cost's weight at full strength [default: 1; 10 for mean-teacher with weak views, pi and temporal, 100 for ict]
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub weight: Option<f64>,
    /// The cost between student and teacher [default: ce with strong views, else mse]
    #[arg(long, value_name = "COST", help_heading = "Method", hide_short_help = true)]
    pub consistency: Option<ConsistencyFlag>,
    /// What the teacher's targets are [default: soft; hard for fixmatch, flexmatch, freematch; sharp with --strong-views]
    #[arg(long, value_name = "FORM", help_heading = "Method", hide_short_help = true)]
    pub targets: Option<TargetFlag>,
    /// The probability from which on a target counts [default: all count; 0.8 for fixmatch, 0.95 for flexmatch]
    #[arg(long, value_name = "P", help_heading = "Method", hide_short_help = true)]
    pub threshold: Option<f64>,
    /// Whose predictions are the targets of fixmatch, flexmatch and freematch [default: average]
    #[arg(long, value_name = "NETWORK", help_heading = "Method", hide_short_help = true)]
    pub targets_from: Option<SourceFlag>,
    /// Make the mean of predictions have even classes before they become targets; for data whose classes are even
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub align: bool,
    /// Strong views of images without a label for mean-teacher too, with sharpened targets and fixmatch's cost, weight and batches
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub strong_views: bool,
    /// The student sees strong views of images with a label too, and so of all; in the baseline as well
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub strong_labels: bool,
    /// Epochs over which that weight rises [default: none for fixmatch and its kin, 0.3 of all with --strong-views, else 6 of 10]
    #[arg(long, value_name = "EPOCHS", help_heading = "Method", hide_short_help = true)]
    pub ramp_up: Option<f64>,
    /// The probability of dropping a feature, where the network has dropout [default: 0]
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub dropout: Option<f64>,
    /// Standard deviation of the noise on the normalised images, where the network has it [default: 0]
    #[arg(long, value_name = "STD", help_heading = "Method", hide_short_help = true)]
    pub input_noise: Option<f64>,
    /// Images that share batch statistics in training; 0 for the whole batch [default: 16]
    #[arg(long, value_name = "N", help_heading = "Method", hide_short_help = true)]
    pub group: Option<usize>,
    /// The average's decay: of weights after the warm-up, or of predictions with `--method temporal` [default: 0.99; 0.6]
    #[arg(long, help_heading = "Method", hide_short_help = true)]
    pub decay: Option<f64>,
    /// Give the network a second head and tie the two with this weight
    #[arg(long, value_name = "WEIGHT", help_heading = "Method", hide_short_help = true)]
    pub logit_distance: Option<f64>,
    /// Labelled images in a batch [default: an eighth with strong views, else a quarter]
    #[arg(long, value_name = "N", help_heading = "Method", hide_short_help = true)]
    pub labeled_batch: Option<usize>,
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

/// [`Consistency`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConsistencyFlag {
    /// Mean squared error of probabilities.
    Mse,
    /// Kullback-Leibler divergence.
    Kl,
    /// Cross entropy.
    #[value(name = "ce")]
    CrossEntropy,
}

/// What targets are, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetFlag {
    /// Probabilities as they are.
    Soft,
    /// Of logits divided by 0.4, as in UDA.
    Sharp,
    /// The class of the highest one alone.
    Hard,
}

/// The path of the setting that a network without such a start turns off, unless a file asks for it.
const WHITEN_PATCHES: &str = "network.whiten_patches";

/// [`LabelSource`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceFlag {
    /// The average of the student's weights, as in Mean Teacher: in a pass of its own without gradient, a third of a step less.
    Average,
    /// The student, in one pass with its own views, as in the papers.
    Student,
}

impl From<SourceFlag> for LabelSource {
    fn from(flag: SourceFlag) -> Self {
        match flag {
            SourceFlag::Average => Self::Average,
            SourceFlag::Student => Self::Student,
        }
    }
}

impl From<TargetFlag> for LabelForm {
    fn from(flag: TargetFlag) -> Self {
        match flag {
            TargetFlag::Soft => Self::Soft,
            TargetFlag::Sharp => Self::UDA,
            TargetFlag::Hard => Self::Hard,
        }
    }
}

impl Cli {
    /// Where settings start: the published recipe that was asked for, else the default of the method, by a flag or by the file.
    ///
    /// # Errors
    /// For an unknown recipe, and for a method that there is not.
    pub fn base(&self, config: Option<&Config>) -> Result<Recipe> {
        match &self.run.files.recipe {
            None => Ok(match Config::method_or_flag(config, self.method)?.unwrap_or(DEFAULT) {
                Method::MeanTeacher if self.strong_views => default_strong_teacher(),
                method => default_recipe(method),
            }),
            Some(name) => Ok(preset(name).ok_or_else(|| unknown(name))?.recipe()),
        }
    }

    /// The recipe for a new run, before it has seen the images, with the settings of the file.
    ///
    /// # Errors
    /// For an unknown recipe, unknown settings and settings out of range.
    pub fn recipe(&self, config: Option<&Config>) -> Result<Recipe> {
        let base = self.base(config)?;
        let mut base = config.map_or(Ok(base.clone()), |config| config.on(&base))?;
        if !config.iter().flat_map(|config| config.paths()).any(|path| path == WHITEN_PATCHES) {
            base.network.whiten_patches &= base.network.arch.whitens_patches();
        }
        let recipe = self.apply(base)?;
        if let (Some(name), true) = (&self.run.files.recipe, recipe.data == crate::data::shipped()) {
            anyhow::bail!("--recipe {name} needs --data: the folder with its images");
        }
        Ok(recipe)
    }

    /// A run's recipe with the flags given now on top, to see whether they agree with it.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn recipe_on(&self, run: &Recipe) -> Result<Recipe> {
        let mut recipe = self.apply(run.clone())?;
        if let Some(name) = &self.run.files.recipe {
            recipe.preset = Some(name.clone());
        }
        Ok(recipe)
    }

    /// The settings that flags say, by their paths.
    pub fn settings(&self) -> Vec<(&'static str, bool)> {
        let mut settings = self.shared().settings();
        settings.extend([
            ("labels", self.labels.is_some()),
            ("pretrain.length", self.pretrain.is_some()),
            ("pretrain.method", self.pretrain_method.is_some()),
            ("start_views", self.views.is_some()),
            ("fresh_head", self.fresh_head),
            ("compare_scratch", self.compare_scratch),
            ("validation", self.validation.is_some()),
            ("method", self.method.is_some()),
            ("network.arch", self.arch.is_some()),
            (WHITEN_PATCHES, self.arch.is_some_and(|arch| !arch.whitens_patches())),
            ("baseline", self.no_baseline),
            ("consistency.weight", self.weight.is_some()),
            ("consistency.cost", self.consistency.is_some()),
            ("consistency.ramp_up", self.ramp_up.is_some()),
            ("targets.form", self.targets.is_some()),
            ("targets.selection", self.threshold.is_some() || self.targets.is_some()),
            ("targets.alignment", self.align),
            ("strong_unlabeled", self.strong_views),
            ("strong_labels", self.strong_labels),
            ("targets.source", self.targets_from.is_some()),
            ("consistency.logit_distance", self.logit_distance.is_some()),
            ("network.two_heads", self.logit_distance.is_some()),
            ("network.dropout", self.dropout.is_some()),
            ("network.input_noise", self.input_noise.is_some()),
            ("network.group", self.group.is_some()),
            ("decay", self.decay.is_some()),
            ("mix", self.labeled_batch.is_some() || self.run.batch.is_some()),
        ]);
        settings
    }

    fn apply(&self, mut recipe: Recipe) -> Result<Recipe> {
        if let Some(batch) = self.run.batch {
            set_batch(&mut recipe, batch);
        }
        self.shared().apply(recipe.shared())?;
        if recipe.patience.is_some() && self.validation.is_none() && recipe.validation == 0.0 {
            recipe.validation = PATIENT;
        }
        if let Some(method) = self.method {
            change_method(&mut recipe, method);
        }
        self.check_flags(recipe.method)?;
        if self.strong_views {
            set_strong_views(&mut recipe)?;
        }
        begin_with(&mut recipe, self.pretrain, self.pretrain_method)?;
        set(&mut recipe.labels, &self.labels);
        if let Some(arch) = self.arch {
            recipe.network.set_arch(arch);
            recipe.network.forget_what_it_lacks();
        }
        set(&mut recipe.consistency.weight, &self.weight);
        set(&mut recipe.network.dropout, &self.dropout);
        set(&mut recipe.network.input_noise, &self.input_noise);
        set(&mut recipe.validation, &self.validation);
        recipe.start_views = self.views.clone().or(recipe.start_views);
        recipe.strong_labels |= self.strong_labels;
        recipe.fresh_head |= self.fresh_head;
        recipe.compare_scratch |= self.compare_scratch;
        if let Some(group) = self.group {
            recipe.network.group = (group > 0).then_some(group);
        }
        if let Labels::File(path) = &mut recipe.labels {
            *path = std::path::absolute(&*path)?;
        }
        self.apply_to_targets(&mut recipe)?;
        if let Some(decay) = self.decay {
            recipe.decay = match (recipe.method, recipe.decay) {
                (Method::Temporal, _) | (_, Decay::Constant { .. }) => Decay::Constant { decay },
                _ => Decay::WarmUp { decay },
            };
        }
        if let Some(weight) = self.logit_distance {
            recipe.consistency.logit_distance = Some(weight);
            recipe.network.two_heads = true;
        }
        if let Some(epochs) = self.run.epochs {
            recipe.set_length(Length::Epochs(epochs));
        }
        self.set_ramp(&mut recipe);
        if let Some(labeled) = self.labeled_batch {
            recipe.mix = Mix::Fixed { labeled };
        }
        recipe.baseline &= !self.no_baseline;
        recipe.validate()?;
        Ok(recipe)
    }

    /// The flags of the consistency cost, and of what its targets are.
    fn apply_to_targets(&self, recipe: &mut Recipe) -> Result<()> {
        match self.consistency {
            Some(ConsistencyFlag::Mse) => recipe.consistency.cost = Consistency::Mse,
            Some(ConsistencyFlag::Kl) => recipe.consistency.cost = Consistency::Kl,
            Some(ConsistencyFlag::CrossEntropy) => recipe.consistency.cost = Consistency::CrossEntropy,
            None => {}
        }
        if let Some(form) = self.targets {
            set_form(recipe, form.into())?;
        }
        if let Some(threshold) = self.threshold {
            set_threshold(recipe, threshold)?;
        }
        if let Some(source) = self.targets_from {
            set_source(recipe, source.into())?;
        }
        if self.align {
            set_alignment(recipe)?;
        }
        Ok(())
    }

    /// Refuses what was given and is ignored by the method.
    fn check_flags(&self, method: Method) -> Result<()> {
        let flags = [
            ("--weight", self.weight.is_some()),
            ("--consistency", self.consistency.is_some()),
            ("--ramp-up", self.ramp_up.is_some()),
            ("--decay", self.decay.is_some()),
        ];
        flags.into_iter().filter(|&(_, given)| given).try_for_each(|(flag, _)| check_flag(method, flag))
    }

    /// The flags that every command that trains has.
    pub fn shared(&self) -> Shared<'_> {
        Shared { images: &self.images, run: &self.run, machine: &self.machine, start: &self.start }
    }

    /// A flag counts epochs, however many there are.
    pub(super) fn set_ramp(&self, recipe: &mut Recipe) {
        if let Some(epochs) = self.ramp_up {
            recipe.consistency.ramp_up = RampShape::SigmoidUp(Length::Epochs(epochs));
        }
    }
}

/// The share of labels that patience waits by.
const PATIENT: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        cli: Cli,
    }

    fn parse(flags: &[&str]) -> Cli {
        Program::parse_from(std::iter::once("train").chain(flags.iter().copied())).cli
    }

    #[test]
    fn without_flags_it_is_the_default_recipe() {
        assert_eq!(parse(&[]).recipe(None).expect("valid"), default_recipe(DEFAULT));
        assert!(parse(&[]).settings().iter().all(|(_, given)| !given));
    }

    #[test]
    fn flags_that_agree_leave_a_run_as_it_is() {
        let flags = ["--epochs", "3", "--decay", "0.9", "--method", "temporal", "--patience", "3", "--size", "32"];
        let run = parse(&flags).recipe(None).expect("valid");
        assert_eq!(run.validation, 0.2);
        assert_eq!(parse(&flags).recipe_on(&run).expect("valid"), run);
        assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
    }

    #[test]
    fn patches_are_whitened_by_networks_that_can() {
        for (arch, whitens) in [("resnet9-half", true), ("resnet9", true), ("resnet18", false)] {
            let flags = ["--recipe=cifar10-afternoon", "--data=x", "--arch", arch];
            let recipe = parse(&flags).recipe(None).expect("valid");
            assert_eq!(recipe.network.whiten_patches, whitens, "{arch}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = |settings: &str| {
            let path = folder.path().join("settings.json");
            std::fs::write(&path, settings).expect("written");
            parse(&[]).recipe(Some(&Config::read(&path).expect("settings")))
        };
        let small = recipe(r#"{"network": {"arch": "small"}}"#).expect("valid");
        assert!(!small.network.whiten_patches);
        let refused = recipe(r#"{"network": {"arch": "small", "whiten_patches": true}}"#);
        let refused = refused.expect_err("the small network has another stem").to_string();
        assert!(refused.contains("whiten_patches"), "{refused}");
    }

    /// Every flag that changes a recipe is among those that say where settings come from.
    #[test]
    fn what_flags_change_is_said_to_be_theirs() {
        use crate::settings::{Given, Origins, table};
        let folder = tempfile::tempdir().expect("a folder");
        for flags in [
            &["--seed=1"][..],
            &["--labels=7"],
            &["--from=x"],
            &["--from=x", "--compare-scratch"],
            &["--validation=0.5"],
            &["--method=pi"],
            &["--arch=resnet18"],
            &["--no-baseline"],
            &["--weight=3"],
            &["--consistency=kl"],
            &["--ramp-up=2"],
            &["--dropout=0.5"],
            &["--input-noise=0.5"],
            &["--group=0"],
            &["--strong-labels"],
            &["--method=mean-teacher", "--strong-views"],
            &["--decay=0.5"],
            &["--logit-distance=1"],
            &["--labeled-batch=3"],
            &["--data=x"],
            &["--size=32"],
            &["--exif=off"],
            &["--broken=stop"],
            &["--time=3m"],
            &["--batch=32"],
            &["--lr=0.1"],
            &["--exact"],
            &["--bf16"],
            &["--from=x", "--branch=y"],
            &["--from=x", "--fresh-head"],
            &["--device=cuda"],
        ] {
            let cli = parse(flags);
            let recipe = cli.recipe(None).expect("valid");
            let given = Given::new(cli.settings(), []);
            let base = cli.base(None).expect("known");
            let origins = Origins { base: &base, recipe: None, asked: &base, given: &given, images: 0 };
            let text = table(&recipe, &origins);
            assert!(!text.contains("chosen for") && text.contains("flag"), "{flags:?}\n{text}");
            // And a file of settings says it again.
            let path = folder.path().join("settings.json");
            Config::write(&recipe, &path).expect("written");
            let read = Config::read(&path).expect("settings");
            assert_eq!(parse(&[]).recipe(Some(&read)).expect("known settings"), recipe, "{flags:?}");
        }
    }

    #[test]
    fn a_run_keeps_its_arithmetic() {
        let run = parse(&["--exact"]).recipe(None).expect("valid");
        assert!(run.exact && parse(&[]).recipe_on(&run).expect("valid").exact);
        assert!(!parse(&[]).recipe(None).expect("valid").exact);
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        for (flags, name) in [
            (["--decay", "1.5"], "decay"),
            (["--decay", "NaN"], "decay"),
            (["--weight", "-1"], "weight"),
            (["--lr", "0"], "--lr"),
            (["--epochs", "0"], "--epochs"),
            (["--labeled-batch", "0"], "--labeled-batch"),
            (["--validation", "1"], "--validation"),
        ] {
            let flag = format!("{}={}", flags[0], flags[1]);
            let error = parse(&[&flag]).recipe(None).expect_err(&flag).to_string();
            assert!(error.contains(name), "{flag}: {error}");
        }
        assert!(parse(&["--compare-scratch"]).recipe(None).is_err());
    }

    #[test]
    fn a_published_recipe_needs_its_data() {
        assert!(parse(&["--recipe", "svhn-250"]).recipe(None).is_err());
        let error = parse(&["--recipe", "svhn-25", "--data", "."]).recipe(None).expect_err("unknown").to_string();
        assert!(error.contains("did you mean `svhn-250`"), "{error}");
        assert!(parse(&["--preset", "svhn-250", "--data", "."]).recipe(None).is_ok());
    }
}
