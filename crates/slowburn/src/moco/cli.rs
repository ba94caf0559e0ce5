use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use super::{Method, Recipe, RecipeError, Resume, Session, Summary, Version, fashion, preset, preset_list, table};
use crate::advice::in_flags;
use crate::cli::set;
use crate::data::{self, Dataset};
use crate::network::Arch;
use crate::{device, report};
use slowburn_ema::Length;
use slowburn_train::defaults;
use slowburn_train::progress::lines_or_dashboard;
use slowburn_train::run::{RunFolder, default_folder};
use slowburn_train::task::ContrastMetrics;

/// MoCo: learn from images without labels.
///
/// Without flags it pre-trains a small network on the shipped Fashion-MNIST images, no label of which it sees, and then
/// scores it by its nearest neighbours and a linear probe beside the same network with random weights and raw pixels.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "moco", args_override_self = true)]
pub struct Cli {
    /// A folder with IDX files, or with images in `train/<class>/`, `test/<class>/` and optionally `train/unlabeled/`
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// The encoder [default: small]
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Head, temperature, fall of the learning rate and views, as in MoCo v1 or v2 [default: v2]
    #[arg(long)]
    pub version: Option<Version>,
    /// Where keys come from [default: moco]
    #[arg(long)]
    pub method: Option<Method>,
    /// Keys in the queue; negatives drawn at each step with `--method memory-bank`; none of end-to-end [default: 4096]
    #[arg(long, value_name = "K")]
    pub queue: Option<usize>,
    /// The length of an embedding [default: 64]
    #[arg(long)]
    pub dim: Option<usize>,
    /// The average's decay: of weights, or of slots with `--method memory-bank` [default: 0.99; 0.5]
    #[arg(long)]
    pub decay: Option<f64>,
    /// The temperature of the loss [default: 0.2]
    #[arg(long, value_name = "τ")]
    pub temperature: Option<f64>,
    /// Each view is query once and key once
    #[arg(long)]
    pub symmetric: bool,
    /// Groups of a batch with batch statistics of their own; 1 for the whole batch [default: 8]
    #[arg(long, value_name = "N")]
    pub splits: Option<usize>,
    /// Encode keys (end-to-end: second views) in the order of queries
    #[arg(long)]
    pub no_shuffle: bool,
    /// Passes over the training images; the learning rate falls over all of them [default: 20, more for few images]
    #[arg(long)]
    pub epochs: Option<f64>,
    /// Images in a batch [default: 128]
    #[arg(long)]
    pub batch: Option<usize>,
    /// The learning rate at full strength [default: 0.06]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Epochs from one look of the kNN monitor to the next [default: 4]
    #[arg(long, value_name = "EPOCHS")]
    pub monitor: Option<u64>,
    /// Neighbours that vote [default: 200]
    #[arg(long, value_name = "K")]
    pub knn: Option<usize>,
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
    /// A complete published recipe, or `list`
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Progress as plain lines even on a terminal
    #[arg(long)]
    pub plain: bool,
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
                let preset = preset(name).ok_or_else(|| RecipeError::UnknownPreset { name: name.clone() })?;
                if self.data.is_none() {
                    return Err(RecipeError::NoData { name: name.clone() }.into());
                }
                preset.recipe()
            }
        };
        self.apply(base)
    }

    /// A run's recipe with the flags given now on top, to see whether they agree with it.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn recipe_on(&self, run: &Recipe) -> Result<Recipe> {
        let mut recipe = run.clone();
        if let Some(name) = &self.preset {
            recipe.preset = Some(name.clone());
        }
        self.apply(recipe)
    }

    fn apply(&self, mut recipe: Recipe) -> Result<Recipe> {
        // A version says several things, each of which a flag of its own may change.
        if let Some(version) = self.version {
            recipe.set_version(version);
        }
        if let Some(method) = self.method.filter(|&method| method != recipe.method) {
            recipe.method = method;
            if method == Method::MemoryBank {
                // The paper's decay of slots (arXiv 1805.01978): one of weights would be far too slow.
                recipe.decay = 0.5;
            }
        }
        self.check_flags(recipe.method)?;
        if let Some(epochs) = self.epochs {
            recipe.set_length(Length::Epochs(epochs));
        }
        set(&mut recipe.data, &self.data);
        set(&mut recipe.network.arch, &self.arch);
        set(&mut recipe.network.dim, &self.dim);
        set(&mut recipe.network.splits, &self.splits);
        set(&mut recipe.queue, &self.queue);
        set(&mut recipe.decay, &self.decay);
        set(&mut recipe.temperature, &self.temperature);
        set(&mut recipe.batch, &self.batch);
        set(&mut recipe.optimizer.schedule.learning_rate, &self.lr);
        set(&mut recipe.monitor, &self.monitor);
        set(&mut recipe.scoring.knn.k, &self.knn);
        set(&mut recipe.seed, &self.seed);
        set(&mut recipe.device, &self.device);
        recipe.exact |= self.exact;
        recipe.symmetric |= self.symmetric;
        recipe.shuffle &= !self.no_shuffle;
        recipe.data = std::path::absolute(&recipe.data)?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// Chooses for the images what no flag and no preset says.
    fn fit_to(&self, recipe: &mut Recipe, data: &Dataset) {
        recipe.fixed = Some(recipe.network.contrast().backbone.fixed());
        let images = data.train.len();
        let before = defaults::pretrain(SHIPPED, SHIPPED);
        let chosen = defaults::pretrain(images, data.train.labels.iter().flatten().count());
        if self.preset.is_some() || chosen == before {
            return;
        }
        let mut said = Vec::new();
        let mut choose = |flag: &str, given: bool, value: usize, was: usize, set: &mut dyn FnMut(usize)| {
            if !given && value != was {
                set(value);
                said.push(format!("{flag} {value}"));
            }
        };
        let splits = recipe.network.splits;
        if splits > 1 && self.batch.is_none() {
            choose("--splits", self.splits.is_some(), chosen.splits, before.splits, &mut |v| recipe.network.splits = v);
        }
        choose("--batch", self.batch.is_some(), chosen.batch, before.batch, &mut |v| recipe.batch = v);
        choose("--queue", self.queue.is_some(), chosen.queue, before.queue, &mut |v| recipe.queue = v);
        choose("--knn", self.knn.is_some(), chosen.k, before.k, &mut |v| recipe.scoring.knn.k = v);
        choose("--epochs", self.epochs.is_some(), chosen.epochs as usize, before.epochs as usize, &mut |v| {
            recipe.set_length(Length::Epochs(v as f64));
        });
        if !said.is_empty() {
            tracing::info!("chosen for {images} images: {}", said.join(" "));
        }
    }

    /// Refuses flags that were given and that the method ignores.
    fn check_flags(&self, method: Method) -> Result<(), RecipeError> {
        [("--queue", self.queue.is_some()), ("--decay", self.decay.is_some()), ("--no-shuffle", self.no_shuffle)]
            .into_iter()
            .filter(|&(_, given)| given)
            .try_for_each(|(flag, _)| method.check_flag(flag))
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the data or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    if cli.preset.as_deref() == Some("list") {
        print!("{}", preset_list());
        return Ok(());
    }
    match &cli.resume {
        Some(path) => {
            let (folder, run): (_, Recipe) = RunFolder::open(path)?;
            let recipe = cli.recipe_on(&run)?;
            let data = data::load(&recipe.data)?;
            folder.check_same(&recipe, &recipe.data, &data.fingerprint()?)?;
            let checkpoint = folder.latest()?;
            finish(cli.plain, &recipe, &data, &folder, checkpoint).map(drop)
        }
        None => {
            let mut recipe = cli.recipe()?;
            let out = cli.out.clone().unwrap_or_else(|| default_folder(&recipe.method.to_string()));
            RunFolder::check_free(&out).map_err(in_flags)?;
            let data = data::load(&recipe.data)?;
            recipe.fit_views(data.image_size());
            cli.fit_to(&mut recipe, &data);
            check(&recipe, &data)?;
            let folder = RunFolder::create(&out, &recipe, &data.fingerprint()?).map_err(in_flags)?;
            finish(cli.plain, &recipe, &data, &folder, None).map(drop)
        }
    }
}

/// Everything that can be wrong is found out before the run folder is made.
///
/// # Errors
/// What is wrong, with the flag.
pub fn check(recipe: &Recipe, data: &Dataset) -> Result<()> {
    device::parse(&recipe.device)?;
    recipe.views.validate_for(data.image_size())?;
    recipe.evaluation().validate_for(data.image_size())?;
    let labelled = data.train.labels.iter().flatten().count();
    recipe.validate_for(data.train.len(), labelled)?;
    Ok(recipe.scoring.validate(labelled)?)
}

/// Pre-trains to the end, shows what is active, progress and result, and writes curves and summary.
///
/// # Errors
/// Those of training and of files.
pub fn finish(
    plain: bool,
    recipe: &Recipe,
    data: &Dataset,
    folder: &RunFolder,
    checkpoint: Option<Resume>,
) -> Result<Summary> {
    let device = device::for_training(&recipe.device, recipe.exact)?;
    let session = Session { recipe, data, device, folder };
    print!("{}", table::active_terms(recipe, Session::steps(recipe, data), data));
    println!("{:<18} {}\n", "run", folder.path().display());
    let (summary, progress) = {
        let mut report = lines_or_dashboard(plain, ContrastMetrics::CURVES);
        session.run(checkpoint, report.as_mut())?
    };
    let random = progress.baseline_accuracy.unwrap_or_default();
    report::draw_curves(&table::panels(&progress.metrics, random), folder.path())?;
    folder.write_summary(&summary)?;
    println!("\n{}", table::final_table(&summary));
    println!("{}", folder.path().display());
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use slowburn_augment::{ImageSize, presets};

    use super::*;
    use slowburn_ema::RampShape;

    fn parse(flags: &[&str]) -> Cli {
        Cli::parse_from(std::iter::once("moco").chain(flags.iter().copied()))
    }

    #[test]
    fn without_flags_it_is_the_default_recipe() {
        assert_eq!(parse(&[]).recipe().expect("valid"), fashion());
    }

    #[test]
    fn flags_that_agree_leave_a_run_as_it_is() {
        for flags in [
            ["--version", "v1", "--epochs", "3", "--temperature", "0.1"],
            ["--method", "memory-bank", "--queue", "64", "--decay", "0.7"],
        ] {
            let run = parse(&flags).recipe().expect("valid");
            assert_eq!(parse(&flags).recipe_on(&run).expect("valid"), run);
            assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
        }
    }

    #[test]
    fn a_version_brings_head_temperature_and_schedule_and_flags_have_the_last_word() {
        let recipe = parse(&["--version", "v1"]).recipe().expect("valid");
        assert_eq!((recipe.network.version, recipe.temperature), (Version::V1, 0.07));
        assert_eq!(recipe.optimizer.schedule.ramp_down, RampShape::Milestones(0.6, 0.8));
        assert_eq!(recipe.views, presets::moco_fashion_v1(28));
        assert_eq!(parse(&["--version", "v2"]).recipe().expect("valid"), fashion());
        let recipe = parse(&["--version", "v1", "--temperature", "0.5"]).recipe().expect("valid");
        assert_eq!(recipe.temperature, 0.5);
    }

    #[test]
    fn views_fit_the_images_and_the_version() {
        let fitted = |flags: &[&str], size| {
            let mut recipe = parse(flags).recipe().expect("valid");
            recipe.fit_views(size);
            recipe.views
        };
        let (gray, color) = (ImageSize::new(12, 12, 1), ImageSize::new(32, 32, 3));
        assert_eq!(fitted(&[], gray), presets::moco_fashion(12));
        assert_eq!(fitted(&["--version", "v1"], gray), presets::moco_fashion_v1(12));
        assert_eq!(fitted(&["--version", "v1"], color), presets::moco_cifar(32));
    }

    /// Recipes written before these fields were there mean what they meant.
    #[test]
    fn a_recipe_of_an_earlier_version_is_read() {
        let run = fashion();
        let value = serde_json::to_value(&run).expect("serialises");
        assert!(value.get("evaluation").is_none() && value["scoring"].get("probe_representation").is_none());
        let mut value = value;
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
            ("--batch=100", "--batch is 100: it must be a multiple of --splits, 8"),
            ("--queue=0", "--queue is 0"),
            ("--dim=0", "--dim is 0"),
            ("--arch=wrn28-2", "WideResNet28x2 has no split batch normalisation"),
            ("--preset=nothing", "no preset `nothing`"),
            ("--preset=cifar10-200", "needs --data"),
        ] {
            let error = parse(&[flag]).recipe().expect_err(flag).to_string();
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
            let error = parse(&flags).recipe().expect_err(flags[1]).to_string();
            assert!(error.contains(said), "{flags:?}: {error}");
        }
        let end_to_end = parse(&["--method=end-to-end", "--no-shuffle"]).recipe().expect("the paper shuffles it too");
        assert!(!end_to_end.shuffle);
        // What a recipe holds is not what was given: presets and runs are as they were.
        let preset = parse(&["--preset=cifar10-200", "--data=images", "--method=end-to-end"]).recipe().expect("valid");
        assert_eq!(preset.method, Method::EndToEnd);
        for run in
            [Recipe { queue: 64, ..end_to_end }, Recipe { method: Method::MemoryBank, shuffle: false, ..fashion() }]
        {
            assert_eq!(parse(&[]).recipe_on(&run).expect("valid"), run);
        }
    }

    #[test]
    fn a_queue_holds_the_keys_of_a_step_and_at_most_those_of_the_other_images() {
        let queue = |flags: &[&str]| parse(flags).recipe().expect("valid").validate_for(1000, 1000);
        assert_eq!(queue(&["--queue", "872"]), Ok(()));
        assert!(matches!(queue(&["--queue", "873"]), Err(RecipeError::LargeQueue { allowed: 872, .. })));
        assert_eq!(queue(&["--queue", "1744", "--symmetric"]), Ok(()));
        assert!(matches!(queue(&["--queue", "127"]), Err(RecipeError::SmallQueue { keys: 128, .. })));
        assert!(matches!(queue(&["--batch", "1008"]), Err(RecipeError::FewImages { .. })));
        let bank = |size| queue(&["--queue", size, "--method", "memory-bank"]);
        assert_eq!(bank("872"), Ok(()));
        assert!(matches!(bank("873"), Err(RecipeError::ManyNegatives { negatives: 873, allowed: 872, .. })));
        assert_eq!(queue(&["--method", "end-to-end"]), Ok(()), "the default's 4,096 keys say nothing to it");
        let recipe = parse(&["--queue", "128"]).recipe().expect("valid");
        assert!(matches!(recipe.validate_for(1000, 250), Err(RecipeError::FewLabels { needed: 251, .. })));
    }
}
