//! Mean Teacher on images: few labels, many images without one. See `--help`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use slowburn::advice::in_flags;
use slowburn::cli::{Cli, preset_list};
use slowburn::recipe::Recipe;
use slowburn::training::{Plan, Session};
use slowburn::{data, device};
use slowburn_train::run::{RunFolder, default_folder};

fn main() -> Result<()> {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    if cli.preset.as_deref() == Some("list") {
        print!("{}", preset_list());
        return Ok(());
    }
    match &cli.resume {
        Some(folder) => resume(&cli, folder.clone()),
        None => start(&cli),
    }
}

/// Everything that can be wrong is found out before the run folder is made.
fn start(cli: &Cli) -> Result<()> {
    let mut recipe = cli.recipe()?;
    let out = cli.out.clone().unwrap_or_else(|| default_folder(&recipe.method.to_string()));
    RunFolder::check_free(&out).map_err(in_flags)?;
    let device = device::for_training(&recipe.device, recipe.exact)?;
    let data = data::load(&recipe.data)?;
    recipe.fit_views(data.image_size());
    cli.fit_to(&mut recipe, &data);
    recipe.views.validate_for(data.image_size())?;
    let plan = Plan::new(&recipe, &data)?;
    let folder = RunFolder::create(&out, &recipe, &data.fingerprint()?).map_err(in_flags)?;
    let data = recipe.prepare(data)?;
    let session = Session { recipe: &recipe, data: &data, plan: &plan, encoder: None, device, folder: &folder };
    session.finish(None, cli.plain).map(drop)
}

fn resume(cli: &Cli, path: PathBuf) -> Result<()> {
    let (folder, run): (_, Recipe) = RunFolder::open(&path)?;
    let recipe = cli.recipe_on(&run)?;
    let device = device::for_training(&recipe.device, recipe.exact)?;
    let data = data::load(&recipe.data)?;
    folder.check_same(&recipe, &recipe.data, &data.fingerprint()?)?;
    let plan = Plan::new(&recipe, &data)?;
    let data = recipe.prepare(data)?;
    let session = Session { recipe: &recipe, data: &data, plan: &plan, encoder: None, device, folder: &folder };
    session.finish(folder.latest()?, cli.plain).map(drop)
}
