use std::path::Path;

use anyhow::Result;
use slowburn_ema::Length;
use slowburn_train::run::{RunFolder, default_folder};
use slowburn_train::task::ContrastMetrics;

use super::{Cli, Recipe, Resume, Session, choose, preset_list, table};
use crate::advice::in_flags;
use crate::args::Files;
use crate::data::{self, Dataset};
use crate::network::Arch;
use crate::settings::{Config, Given, Origins, announce};
use crate::weights::{Choice, Weights};
use crate::{device, next, note, report, say};

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the data or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    if cli.run.files.recipe.as_deref() == Some("list") {
        say!("{}", preset_list());
        return Ok(());
    }
    match &cli.run.files.resume {
        Some(path) => resume(cli, path),
        None => begin(cli),
    }
}

/// Everything that can be wrong is found out before the run folder is made.
fn begin(cli: &Cli) -> Result<()> {
    let files = &cli.run.files;
    let config = files.config.as_deref().map(Config::read).transpose()?;
    let mut asked = cli.recipe(config.as_ref())?;
    let given = Given::new(cli.settings(), config.iter().flat_map(Config::paths));
    let out = files.out.clone().unwrap_or_else(|| default_folder(&asked.method.to_string()));
    RunFolder::check_free(&out).map_err(in_flags)?;
    if let Some(weights) = read(&asked, cli.arch)? {
        asked.network.arch = weights.arch;
        asked.network.stem = weights.stem;
        if let Some(taken) = weights.taken() {
            note!("{taken}");
        }
    }
    let device = device::for_training(&asked.device, asked.exact, asked.bf16)?;
    let data = data::load(&asked.data, asked.reading)?;
    let mut recipe = asked.clone();
    choose::fit(&mut recipe, &data, &given)?;
    recipe.validate()?;
    check(&recipe, &data)?;
    let start = weights(&recipe)?;
    let workers = cli.machine.workers();
    if let Some(seconds) = recipe.time {
        let session = Session { recipe: &recipe, data: &data, start: start.as_ref(), device: device.clone(), workers };
        let steps = session.steps_within(seconds)?;
        recipe.set_length(Length::Steps(steps));
    }
    let (base, images) = (cli.base(config.as_ref())?, data.train.len());
    let origins = Origins { base: &base, recipe: recipe.preset.as_deref(), asked: &asked, given: &given, images };
    if !announce(&recipe, &origins, files)? {
        return Ok(());
    }
    let folder = RunFolder::create(&out, &recipe, &data.fingerprint()?).map_err(in_flags)?;
    finish(&Session { recipe: &recipe, data: &data, start: start.as_ref(), device, workers }, &folder, None, files)
}

fn resume(cli: &Cli, path: &Path) -> Result<()> {
    if RunFolder::open::<Recipe>(path).is_err() && RunFolder::open::<crate::train::recipe::Recipe>(path).is_ok() {
        anyhow::bail!(
            "{0} is a run of `slowburn train`: go on with it by `slowburn train --resume {0}`",
            path.display()
        );
    }
    let (folder, run): (_, Recipe) = RunFolder::open(path)?;
    let recipe = cli.recipe_on(&run)?;
    let data = data::load(&recipe.data, recipe.reading)?;
    folder.check_same(&recipe, &recipe.data, &data.fingerprint()?)?;
    let checkpoint = folder.latest()?;
    let device = device::for_training(&recipe.device, recipe.exact, recipe.bf16)?;
    let (start, workers) = (weights(&recipe)?, cli.machine.workers());
    let session = Session { recipe: &recipe, data: &data, start: start.as_ref(), device, workers };
    finish(&session, &folder, checkpoint, &cli.run.files)
}

/// The weights to start from, unless they have changed since the run began.
fn weights(recipe: &Recipe) -> Result<Option<Weights>> {
    let weights = read(recipe, Some(recipe.network.arch))?;
    if let (Some(weights), Some(expected)) = (&weights, &recipe.start_sha256) {
        weights.check_unchanged(expected)?;
    }
    Ok(weights)
}

fn read(recipe: &Recipe, arch: Option<Arch>) -> Result<Option<Weights>> {
    let choice = Choice { average: false, branch: recipe.start_branch.as_deref(), arch };
    Ok(recipe.start.as_ref().map(|path| Weights::read(path, choice)).transpose()?)
}

/// What can be wrong with a recipe for these images.
///
/// # Errors
/// An error that names the setting.
pub fn check(recipe: &Recipe, data: &Dataset) -> Result<()> {
    recipe.views.validate_for(data.image_size())?;
    recipe.evaluation().validate_for(data.image_size())?;
    recipe.validate_mask(data.image_size())?;
    let labelled = data.train.labels.iter().flatten().count();
    recipe.validate_for(data.train.len(), labelled)?;
    if labelled > 0 {
        recipe.scoring.validate(labelled)?;
    }
    Ok(())
}

/// Pre-trains to the end, and says what to do next.
fn finish(session: &Session<'_>, folder: &RunFolder, checkpoint: Option<Resume>, files: &Files) -> Result<()> {
    session.finish(folder, checkpoint, files)?;
    let Session { recipe, data, .. } = session;
    let labelled = data.train.labels.iter().any(Option::is_some);
    next::after_pretraining(folder.path(), &recipe.data, labelled);
    Ok(())
}

impl Session<'_> {
    /// Runs to the end, shows what is active, progress and result, and writes curves and summary.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of files.
    pub fn finish(&self, folder: &RunFolder, checkpoint: Option<Resume>, files: &Files) -> Result<()> {
        let Self { recipe, data, .. } = self;
        say!("{}", table::active_terms(recipe, Self::steps(recipe, data), data));
        say!("{:<18} {}\n", "run", folder.path().display());
        let (summary, progress) = {
            let mut report = report::progress(files, ContrastMetrics::CURVES, folder);
            self.run(folder, checkpoint, report.as_mut())?
        };
        report::draw_curves(&table::panels(&progress.metrics, progress.baseline_accuracy), folder.path())?;
        folder.write_summary(&summary)?;
        say!("\n{}", table::final_table(&summary));
        say!("{}", folder.path().display());
        Ok(())
    }
}
