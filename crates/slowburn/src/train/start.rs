//! The encoder of an earlier run or of a file, as the start of a training with labels.

use anyhow::{Result, bail};
use slowburn_models::StateDict;
use slowburn_train::data::Dataset;
use slowburn_train::run::load_weights;

use super::choose::as_the_encoder;
use super::recipe::Recipe;
use crate::device;
use crate::network::Arch;
use crate::weights::Weights;

/// Takes over what the encoder is and knows: its kind, and size, normalisation and whitening of its images. Notes the file's
/// digest. Nothing without a start.
///
/// # Errors
/// Those of [`Weights`], and weights that do not fit the network.
pub(super) fn fit(recipe: &mut Recipe, data: &Dataset) -> Result<()> {
    let Some(path) = recipe.start.clone() else {
        return Ok(());
    };
    let weights = Weights::read(&path, false, Some(recipe.network.arch))?;
    weights.check_images(data)?;
    recipe.network.normalization = weights.normalization;
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
    if let Some(path) = &recipe.start {
        recipe.network.arch = Weights::read(path, false, said)?.arch;
    }
    Ok(())
}

/// The weights that the run began with.
///
/// # Errors
/// Where they have changed since.
pub(super) fn encoder(recipe: &Recipe) -> Result<Option<StateDict>> {
    let Some(path) = &recipe.start else {
        return Ok(None);
    };
    let weights = Weights::read(path, false, Some(recipe.network.arch))?;
    let Some(expected) = &recipe.start_sha256 else {
        bail!("the run does not say which weights it began with");
    };
    weights.check_unchanged(expected)?;
    Ok(Some(weights.encoder()))
}

fn check(recipe: &Recipe, data: &Dataset, weights: &Weights) -> Result<()> {
    let device = device::parse(&recipe.device)?;
    let image = recipe.views.output_size(data.image_size());
    load_weights(recipe.network.backbone().init(image, &device)?, &weights.encoder(), &weights.file)?;
    Ok(())
}
