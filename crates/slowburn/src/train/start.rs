//! The encoder of an earlier run or of a file, as the start of a training with labels.

use anyhow::{Result, bail};
use slowburn_train::data::Dataset;

use super::choose::as_the_encoder;
use super::recipe::Recipe;
use crate::network::Arch;
use crate::weights::{Choice, Weights};
use crate::{device, note};

/// Takes over what the encoder is and knows: its kind, and size, normalisation and whitening of its images. Notes the file's
/// digest. Nothing without a start.
///
/// # Errors
/// Those of [`Weights`], and weights that do not fit the network.
pub(super) fn fit(recipe: &mut Recipe, data: &Dataset) -> Result<()> {
    let Some(weights) = read(recipe, Some(recipe.network.arch))? else {
        return Ok(());
    };
    weights.check_images(data)?;
    recipe.network.normalization = weights.normalization;
    recipe.network.stem = weights.stem;
    recipe.whitening.clone_from(&weights.whitening);
    recipe.start_sha256 = Some(weights.sha256.clone());
    let image = data.image_size();
    let evaluation = weights.pipeline(recipe.start_views.as_deref(), image)?;
    as_the_encoder(recipe, &evaluation, image)?;
    check(recipe, data, &weights)
}

/// The encoder's kind, where no flag says another.
///
/// # Errors
/// Those of [`Weights::read`].
pub(super) fn arch(recipe: &mut Recipe, said: Option<Arch>) -> Result<()> {
    if let Some(weights) = read(recipe, said)? {
        recipe.network.set_arch(weights.arch);
    }
    Ok(())
}

/// The weights that the run began with.
///
/// # Errors
/// Where they have changed since.
pub(super) fn weights(recipe: &Recipe) -> Result<Option<Weights>> {
    let Some(weights) = read(recipe, Some(recipe.network.arch))? else {
        return Ok(None);
    };
    let Some(expected) = &recipe.start_sha256 else {
        bail!("the run does not say which weights it began with");
    };
    weights.check_unchanged(expected)?;
    Ok(Some(weights))
}

fn read(recipe: &Recipe, arch: Option<Arch>) -> Result<Option<Weights>> {
    let choice = Choice { average: false, branch: recipe.start_branch.as_deref(), arch };
    Ok(recipe.start.as_ref().map(|path| Weights::read(path, choice)).transpose()?)
}

fn check(recipe: &Recipe, data: &Dataset, weights: &Weights) -> Result<()> {
    let device = device::parse(&recipe.device)?;
    let image = recipe.views.output_size(data.image_size());
    let network = recipe.network.init(image, data.classes.len(), &device)?;
    let (_, loaded) = weights.start(network, &data.classes, recipe.fresh_head)?;
    if let Some(taken) = weights.taken() {
        note!("{taken}");
    }
    if loaded.fit.taken.contains_key("fc.weight") {
        note!("{}: its head is taken over, which tells the same classes apart", weights.file.display());
    }
    Ok(())
}
