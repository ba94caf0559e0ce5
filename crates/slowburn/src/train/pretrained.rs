//! Training that begins with pre-training on the same images, whose labels it does not see.

use anyhow::{Context, Result, ensure};
use slowburn_ema::Length;
use slowburn_train::data::Dataset;
use slowburn_train::run::{Part, RunFolder};

use super::Session;
use super::choose::as_the_encoder;
use super::plan::held_out;
use super::recipe::Recipe;
use crate::args::Files;
use crate::network::Normalization;
use crate::pretrain::{self, DEFAULT, Method, change_method, default_recipe};
use crate::settings::Given;
use crate::weights::{Choice, Weights};

/// The folder of that part below the run's.
const PART: &str = "pretrain";

/// Puts pre-training for so many epochs before a recipe, if that is asked for: that of `slowburn pretrain`, with the same network. 0
/// takes it away.
///
/// # Errors
/// For a number that is none of epochs.
pub(super) fn begin_with(recipe: &mut Recipe, epochs: Option<f64>, method: Option<Method>) -> Result<()> {
    let Some(epochs) = epochs else { return Ok(()) };
    ensure!(epochs >= 0.0 && epochs.is_finite(), "--pretrain is {epochs}: it must be at least 0 and finite");
    if epochs == 0.0 {
        recipe.pretrain = None;
        return Ok(());
    }
    let chosen = || default_recipe(method.unwrap_or(DEFAULT));
    let mut before = recipe.pretrain.take().map_or_else(chosen, |before| *before);
    if let Some(method) = method {
        change_method(&mut before, method);
    }
    before.set_length(Length::Epochs(epochs));
    recipe.pretrain = Some(Box::new(before));
    Ok(())
}

/// Fits the pre-training to the images, and the views of the training to what its encoder knows.
///
/// # Errors
/// For settings that do not go together or do not fit the images.
pub(super) fn fit(recipe: &mut Recipe, data: &Dataset, given: &Given) -> Result<()> {
    let Some(mut before) = recipe.pretrain.take() else {
        return Ok(());
    };
    ensure!(recipe.start.is_none(), "--pretrain and --from are two beginnings: say one of them");
    ensure!(recipe.whitening.is_none(), "--pretrain has no whitened images, and {} wants them", recipe.views.name());
    before.data.clone_from(&recipe.data);
    before.device.clone_from(&recipe.device);
    (before.seed, before.size, before.reading) = (recipe.seed, recipe.size, recipe.reading);
    (before.exact, before.bf16) = (recipe.exact, recipe.bf16);
    (before.network.arch, before.network.whiten_patches) = (recipe.network.arch, recipe.network.whiten_patches);
    before.network.fit_splits();
    // Pre-training normalises batches, and its weights are taken over.
    recipe.network.normalization = Normalization::Batch;
    let images = unlabeled(data, &held_out(recipe, data)?);
    pretrain::fit_before_training(&mut before, &images, &given.below("pretrain"))?;
    before.validate().context("--pretrain")?;
    pretrain::check(&before, &images)?;
    as_the_encoder(recipe, &before.evaluation(), data.image_size())?;
    recipe.pretrain = Some(before);
    Ok(())
}

/// The images of the training, no label of which is known: without those that the best epoch is chosen by, or that test it.
fn unlabeled(data: &Dataset, held_out: &[Option<usize>]) -> Dataset {
    let mut images = data.clone().without_test();
    if held_out.iter().any(Option::is_some) {
        images.train = images.train.filtered(|image| held_out[image].is_none());
    }
    images.train.labels.fill(None);
    images
}

/// The encoder's weights, from an earlier sitting or trained now; none without pre-training.
///
/// # Errors
/// Those of training, data and files.
pub(super) fn weights(
    session: &Session<'_>,
    folder: &RunFolder,
    fingerprint: &str,
    files: &Files,
) -> Result<Option<Weights>> {
    let Some(before) = session.recipe.pretrain.as_deref() else {
        return Ok(None);
    };
    if let Part::Open(part, checkpoint) =
        Part::<_, pretrain::Summary>::find(folder, PART, before, (&before.data, fingerprint))?
    {
        let data = unlabeled(session.data, &session.plan.held_out);
        let whole = pretrain::Session {
            recipe: before,
            data: &data,
            start: None,
            device: session.device.clone(),
            workers: session.workers,
        };
        whole.finish(&part, checkpoint.map(|checkpoint| *checkpoint), files)?;
    }
    let choice = Choice { arch: Some(before.network.arch), ..Choice::default() };
    Ok(Some(Weights::read(&folder.file(PART), choice)?))
}
