//! The command line of the `mean_teacher` program, and how it becomes a recipe.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use slowburn_ema::{Decay, Length, RampShape};
use slowburn_semi::{Consistency, Mix};

use slowburn_train::data::Dataset;
use slowburn_train::defaults::{self, FewLabelsDefaults};

use crate::network::Arch;
use crate::recipe::{Labels, Method, PRESETS, Recipe, fashion, preset};

/// Mean Teacher: learn from few labels and many images without one.
///
/// Without flags it trains a small network on the shipped Fashion-MNIST images, 100 of which keep their label: first
/// on the labels alone, then with Mean Teacher, and prints both accuracies.
#[derive(Debug, Clone, Default, Parser)]
#[command(version, args_override_self = true)]
pub struct Cli {
    /// A folder with IDX files, or with images in `train/<class>/`, `test/<class>/` and optionally `train/unlabeled/`
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Which labels to use: a number in all, `all`, or a file of `image label` lines [default: 100]
    #[arg(long, value_name = "N|all|FILE")]
    pub labels: Option<Labels>,
    /// The network [default: small]
    #[arg(long)]
    pub arch: Option<Arch>,
    /// The method [default: mean-teacher]
    #[arg(long)]
    pub method: Option<Method>,
    /// The cost between student and teacher [default: mse]
    #[arg(long, value_name = "COST")]
    pub consistency: Option<ConsistencyFlag>,
    /// The consistency cost's weight at full strength [default: 10]
    #[arg(long)]
    pub weight: Option<f64>,
    /// Epochs over which that weight rises [default: 6]
    #[arg(long, value_name = "EPOCHS")]
    pub ramp_up: Option<f64>,
    /// The probability of dropping a feature, where the network has dropout [default: 0]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Standard deviation of the noise on the normalised images, where the network has it [default: 0]
    #[arg(long, value_name = "STD")]
    pub input_noise: Option<f64>,
    /// Images that share batch statistics in training; 0 for the whole batch [default: 16]
    #[arg(long, value_name = "N")]
    pub group: Option<usize>,
    /// The average's decay: of weights after the warm-up, or of predictions with `--method temporal` [default: 0.99; 0.6]
    #[arg(long)]
    pub decay: Option<f64>,
    /// Give the network a second head and tie the two with this weight
    #[arg(long, value_name = "WEIGHT")]
    pub logit_distance: Option<f64>,
    /// Passes over the unlabelled images; all ramps stretch with them [default: 10, more for few images]
    #[arg(long)]
    pub epochs: Option<f64>,
    /// Images in a batch [default: 64]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Labelled images among them [default: 16]
    #[arg(long, value_name = "N")]
    pub labeled_batch: Option<usize>,
    /// The learning rate at full strength [default: 0.003]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Seed of every random choice [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// cpu, or a backend built in, such as cuda:0, vulkan, metal, wgpu [default: cpu]
    #[arg(long)]
    pub device: Option<String>,
    /// Convolutions as other frameworks compute them, without Winograd's way: to compare digit by digit, slower
    #[arg(long)]
    pub exact: bool,
    /// Where to write the run, if not to `runs/<method>-<time>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped; other flags must agree with it
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Do not train on the labels alone first
    #[arg(long)]
    pub no_baseline: bool,
    /// A complete published recipe, or `list`
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Progress as plain lines even on a terminal
    #[arg(long)]
    pub plain: bool,
}

/// [`Consistency`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConsistencyFlag {
    /// Mean squared error of probabilities.
    Mse,
    /// Kullback-Leibler divergence.
    Kl,
}

/// Images that the defaults of the flags are for.
const SHIPPED: usize = 10_000;

impl Cli {
    /// The recipe for a new run.
    ///
    /// # Errors
    /// For an unknown preset and settings out of range.
    pub fn recipe(&self) -> Result<Recipe> {
        let base = match &self.preset {
            None => fashion(),
            Some(name) => {
                let preset =
                    preset(name).with_context(|| format!("there is no preset `{name}`: --preset list shows them"))?;
                if self.data.is_none() {
                    bail!("--preset {name} needs --data: the folder with its images");
                }
                preset.recipe()
            }
        };
        let mut recipe = self.apply(base)?;
        recipe.data = std::path::absolute(&recipe.data)?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// A run's recipe with the flags given now on top, to see whether they agree with it.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn recipe_on(&self, run: &Recipe) -> Result<Recipe> {
        let mut recipe = self.apply(run.clone())?;
        if let Some(name) = &self.preset {
            recipe.preset = Some(name.clone());
        }
        recipe.data = std::path::absolute(&recipe.data)?;
        recipe.validate()?;
        Ok(recipe)
    }

    fn apply(&self, mut recipe: Recipe) -> Result<Recipe> {
        set(&mut recipe.data, &self.data);
        set(&mut recipe.labels, &self.labels);
        set(&mut recipe.network.arch, &self.arch);
        set(&mut recipe.seed, &self.seed);
        set(&mut recipe.batch, &self.batch);
        set(&mut recipe.device, &self.device);
        set(&mut recipe.optimizer.schedule.learning_rate, &self.lr);
        set(&mut recipe.consistency.weight, &self.weight);
        set(&mut recipe.network.dropout, &self.dropout);
        set(&mut recipe.network.input_noise, &self.input_noise);
        if let Some(group) = self.group {
            recipe.network.group = (group > 0).then_some(group);
        }
        if let Labels::File(path) = &mut recipe.labels {
            *path = std::path::absolute(&*path)?;
        }
        if let Some(method) = self.method {
            self.change_method(&mut recipe, method);
        }
        match self.consistency {
            Some(ConsistencyFlag::Mse) => recipe.consistency.cost = Consistency::Mse,
            Some(ConsistencyFlag::Kl) => recipe.consistency.cost = Consistency::Kl,
            None => {}
        }
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
        if let Some(epochs) = self.epochs {
            recipe.set_length(Length::Epochs(epochs));
        }
        if let Some(epochs) = self.ramp_up {
            recipe.consistency.ramp_up = RampShape::SigmoidUp(Length::Epochs(epochs));
        }
        if let Some(labeled) = self.labeled_batch {
            recipe.mix = Mix::Fixed { labeled };
        }
        recipe.exact |= self.exact;
        recipe.baseline &= !self.no_baseline;
        Ok(recipe)
    }

    /// Chooses for the images what no flag and no preset says.
    pub fn fit_to(&self, recipe: &mut Recipe, data: &Dataset) {
        recipe.fixed = Some(recipe.network.backbone().fixed());
        let (images, known) = (data.train.len(), data.train.labels.iter().flatten().count());
        let before = defaults::few_labels(SHIPPED);
        let mut said = Vec::new();
        if let (Labels::Count(count), None) = (&recipe.labels, &self.labels)
            && *count > known
        {
            recipe.labels = Labels::All;
            said.push("--labels all".to_owned());
        }
        let chosen = defaults::few_labels(images);
        if self.preset.is_none() && chosen != before {
            self.choose(recipe, chosen, &mut said);
        }
        if !said.is_empty() {
            tracing::info!("chosen for {images} images: {}", said.join(" "));
        }
    }

    fn choose(&self, recipe: &mut Recipe, chosen: FewLabelsDefaults, said: &mut Vec<String>) {
        let FewLabelsDefaults { batch, labeled, epochs } = chosen;
        if let (None, None, Mix::Fixed { .. }) = (self.batch, self.labeled_batch, recipe.mix)
            && batch != recipe.batch
        {
            (recipe.batch, recipe.mix) = (batch, Mix::Fixed { labeled });
            said.push(format!("--batch {batch} --labeled-batch {labeled}"));
        }
        if self.epochs.is_none() && recipe.length != Length::Epochs(epochs.into()) {
            recipe.set_length(Length::Epochs(epochs.into()));
            said.push(format!("--epochs {epochs}"));
        }
        // A flag counts epochs, however many there are.
        if let Some(epochs) = self.ramp_up {
            recipe.consistency.ramp_up = RampShape::SigmoidUp(Length::Epochs(epochs));
        }
    }

    fn change_method(&self, recipe: &mut Recipe, method: Method) {
        if recipe.method == method {
            return;
        }
        recipe.method = method;
        if method == Method::Temporal {
            // The paper's decay of predictions (arXiv 1610.02242, §3): one of weights would be far too slow.
            recipe.decay = Decay::Constant { decay: 0.6 };
        }
    }
}

/// Replaces a setting where its flag was given.
pub fn set<T: Clone>(field: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        *field = value.clone();
    }
}

/// The presets with their published errors, as a table.
pub fn preset_list() -> String {
    let mut text =
        format!("{:<28} {:>8}  {:<24} {:<28} {}\n", "preset", "labels", "published error, %", "source", "what differs");
    for preset in PRESETS {
        text += &format!(
            "{:<28} {:>8}  {:<24} {:<28} {}\n",
            preset.name,
            preset.labels().to_string(),
            preset.error,
            preset.source,
            preset.note
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Cli {
        Cli::parse_from(std::iter::once("mean_teacher").chain(flags.iter().copied()))
    }

    #[test]
    fn without_flags_it_is_the_default_recipe() {
        assert_eq!(parse(&[]).recipe().expect("valid"), fashion());
    }

    #[test]
    fn flags_that_agree_leave_a_run_as_it_is() {
        let run = parse(&["--epochs", "3", "--decay", "0.9", "--method", "temporal"]).recipe().expect("valid");
        let same = parse(&["--epochs", "3", "--decay", "0.9", "--method", "temporal"]);
        assert_eq!(same.recipe_on(&run).expect("valid"), run);
        assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
    }

    #[test]
    fn a_run_keeps_its_arithmetic() {
        let run = parse(&["--exact"]).recipe().expect("valid");
        assert!(run.exact && parse(&[]).recipe_on(&run).expect("valid").exact);
        assert!(!parse(&[]).recipe().expect("valid").exact);
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        for (flags, name) in [
            (["--decay", "1.5"], "decay"),
            (["--decay", "NaN"], "decay"),
            (["--weight", "-1"], "weight"),
            (["--lr", "0"], "--lr"),
            (["--epochs", "0"], "--epochs"),
            (["--batch", "8"], "--labeled-batch"),
            (["--labeled-batch", "0"], "--labeled-batch"),
        ] {
            let flag = format!("{}={}", flags[0], flags[1]);
            let error = parse(&[&flag]).recipe().expect_err(&flag).to_string();
            assert!(error.contains(name), "{flag}: {error}");
        }
    }

    #[test]
    fn a_preset_needs_its_data() {
        assert!(parse(&["--preset", "svhn-250"]).recipe().is_err());
        assert!(parse(&["--preset", "nothing", "--data", "."]).recipe().is_err());
        assert!(parse(&["--preset", "svhn-250", "--data", "."]).recipe().is_ok());
    }

    #[test]
    fn the_list_has_every_preset_with_its_number() {
        let list = preset_list();
        assert!(list.contains("cifar10-4000") && list.contains("12.31 ± 0.28"), "{list}");
    }
}
