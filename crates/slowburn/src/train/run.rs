use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use slowburn_ema::Length;
use slowburn_train::data::Labeled;
use slowburn_train::run::{RunFolder, default_folder};

use super::plan::label_file_digest;
use super::recipe::{Labels, Method, Recipe};
use super::{Cli, Plan, Session, choose, compare, start};
use crate::advice::in_flags;
use crate::data::{self, Dataset};
use crate::settings::{Config, Given, Origins, announce};
use crate::{device, recipes, say};

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the data or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    if cli.run.files.recipe.as_deref() == Some("list") {
        say!("{}", recipes::few_labels());
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
    start::arch(&mut asked, cli.arch)?;
    let device = device::for_training(&asked.device, asked.exact, asked.bf16)?;
    let data = data::load_labeled(&asked.data, asked.reading, &asked.labels)?;
    let mut recipe = asked.clone();
    choose::fit(&mut recipe, &data, &given)?;
    recipe.validate()?;
    let (batch, images) = (recipe.batch, data.train.len());
    ensure!(batch <= images, "--batch is {batch}, but there are {images} training images: it must be at most that");
    recipe.views.validate_for(data.image_size())?;
    warn(&recipe, &data)?;
    let start = start::weights(&recipe)?;
    let fingerprint = data.fingerprint()?;
    let data = recipe.prepare(data)?;
    if let Some(seconds) = recipe.time {
        let plan = Plan::new(&recipe, &data)?;
        let session = Session {
            recipe: &recipe,
            data: &data,
            plan: &plan,
            start: start.as_ref(),
            device: device.clone(),
            workers: cli.machine.workers(),
        };
        let steps = session.steps_within(seconds)?;
        choose::set_length(&mut recipe, Length::Steps(steps), &given);
    }
    let plan = Plan::new(&recipe, &data)?;
    let base = cli.base(config.as_ref())?;
    let origins = Origins {
        base: &base,
        recipe: recipe.preset.as_deref(),
        asked: &asked,
        given: &given,
        images: data.train.len(),
    };
    if !announce(&recipe, &origins, files)? {
        return Ok(());
    }
    let folder = RunFolder::create(&out, &recipe, &fingerprint).map_err(in_flags)?;
    let session = Session {
        recipe: &recipe,
        data: &data,
        plan: &plan,
        start: start.as_ref(),
        device,
        workers: cli.machine.workers(),
    };
    compare::finish(&session, &folder, None, &fingerprint, files)
}

/// Says what is probably not meant.
fn warn(recipe: &Recipe, data: &Dataset) -> Result<()> {
    if recipe.has_statistics_apart() {
        tracing::warn!(
            "targets are of the average, which sees weak views alone, and all views of a batch share the student's batch \
             statistics: targets will be worse than they need be; use --group 16, or --targets-from student"
        );
    }
    let labels = Plan::new(recipe, data)?.labels;
    let labeled = Labeled::new(Arc::clone(&data.train.images), labels, data.classes.clone())?;
    for concern in labeled.concerns() {
        tracing::warn!("{concern}");
    }
    if labeled.is_unbalanced() && !matches!(recipe.method, Method::FreeMatch | Method::Supervised) {
        tracing::warn!(
            "with such labels FreeMatch gained most, and methods without strong views little or nothing \
             (docs/shipped-images.md): use --method freematch"
        );
    }
    Ok(())
}

fn resume(cli: &Cli, path: &Path) -> Result<()> {
    if RunFolder::open::<Recipe>(path).is_err() && RunFolder::open::<crate::pretrain::Recipe>(path).is_ok() {
        anyhow::bail!(
            "{0} is a run of `slowburn pretrain`: go on with it by `slowburn pretrain --resume {0}`",
            path.display()
        );
    }
    let (folder, run): (_, Recipe) = RunFolder::open(path)?;
    let recipe = cli.recipe_on(&run)?;
    let device = device::for_training(&recipe.device, recipe.exact, recipe.bf16)?;
    let data = data::load_labeled(&recipe.data, recipe.reading, &recipe.labels)?;
    let fingerprint = data.fingerprint()?;
    folder.check_same(&recipe, &recipe.data, &fingerprint)?;
    if let (Labels::File(file), Some(began)) = (&recipe.labels, &recipe.labels_sha256) {
        ensure!(
            label_file_digest(&recipe, &data)?.as_ref() == Some(began),
            "{}: its labels are not those that the run in {} began with; begin another with them",
            file.display(),
            path.display()
        );
    }
    let start = start::weights(&recipe)?;
    let data: Dataset = recipe.prepare(data)?;
    let plan = Plan::new(&recipe, &data)?;
    let session = Session {
        recipe: &recipe,
        data: &data,
        plan: &plan,
        start: start.as_ref(),
        device,
        workers: cli.machine.workers(),
    };
    let checkpoint = folder.latest()?;
    compare::finish(&session, &folder, checkpoint, &fingerprint, &cli.run.files)
}
