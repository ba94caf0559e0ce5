//! What nobody says is chosen for the images.

use anyhow::Result;
use slowburn_augment::{Pipeline, presets};
use slowburn_ema::Length;
use slowburn_train::Algorithm;
use slowburn_train::data::Dataset;
use slowburn_train::defaults::{self, PretrainDefaults};

use super::defaults::{gray_views, imagenet_views};
use super::{Mask, Method, Recipe, Version};
use crate::data::is_small;
use crate::settings::Given;
use crate::train::{SIDE, check_size};
use crate::weights::{Choice, Weights};

/// Fits a recipe to the images: chooses what nobody said, and notes what the images are.
///
/// # Errors
/// Weights to start from that cannot be read.
pub(super) fn fit(recipe: &mut Recipe, data: &Dataset, given: &Given) -> Result<()> {
    recipe.image = Some(data.image_size());
    if let Some(path) = &recipe.start {
        let choice = Choice { average: false, branch: recipe.start_branch.as_deref(), arch: Some(recipe.network.arch) };
        let weights = Weights::read(path, choice)?;
        recipe.start_sha256 = Some(weights.sha256);
    }
    recipe.fixed = Some(recipe.network.contrast().backbone.fixed());
    if recipe.preset.is_none() {
        if !given.says("views") {
            recipe.views = views(recipe, data);
        }
        numbers(recipe, data, given);
        if contrasts_gray_batches(recipe, data) {
            rate_and_temperature(recipe, given);
        }
    }
    let side = recipe.views.output_size(data.image_size());
    check_size(recipe.size, side, &recipe.views)?;
    recipe.network.arch.validate_size(side)?;
    if let Some(Mask { patch, .. }) = &mut recipe.mask {
        patch.get_or_insert((side.height.min(side.width) as u32).div_ceil(PATCHES));
    }
    Ok(())
}

/// Fits a recipe whose length is said to images of which no label is known.
///
/// # Errors
/// Those of files.
pub fn fit_before_training(recipe: &mut Recipe, data: &Dataset, given: &Given) -> Result<()> {
    fit(recipe, data, &given.clone().with_flags(["length", "scoring.knn.k"]))
}

/// The patches along a side of a masked view: of 4 pixels where it has 32.
const PATCHES: u32 = 8;

/// Views as of Fashion-MNIST or of the authors' CIFAR-10 notebook for small images of one size, of photos for all others.
fn views(recipe: &Recipe, data: &Dataset) -> Pipeline {
    let (image, version) = (data.image_size(), recipe.network.version);
    let side = recipe.size.unwrap_or(match is_small(data) {
        true => image.height.min(image.width) as u32,
        false => SIDE,
    });
    match image.channels {
        1 if contrasts_gray_batches(recipe, data) => presets::in_batch_fashion(side),
        1 => gray_views(version, side),
        // The notebook's, the only ones of the authors for small images.
        _ if is_small(data) => presets::moco_cifar(side),
        _ => imagenet_views(version, side),
    }
}

/// Whether grey images are told from the batch's others, whose settings were chosen for the shipped ones (docs/trials.md).
fn contrasts_gray_batches(recipe: &Recipe, data: &Dataset) -> bool {
    let v2 = recipe.network.version == Version::V2;
    recipe.method == Method::EndToEnd && v2 && data.image_size().channels == 1
}

/// SimCLR's for ImageNet (arXiv 2002.05709): 0.3·batch/256, which is LARS's there and SGD's here, and 0.1.
fn rate_and_temperature(recipe: &mut Recipe, given: &Given) {
    let sgd = matches!(recipe.optimizer.algorithm, Algorithm::Sgd { .. });
    if sgd && !given.says("optimizer.learning_rate") {
        recipe.optimizer.schedule.learning_rate = 0.3 * recipe.batch as f64 / 256.0;
    }
    if !given.says("temperature") {
        recipe.temperature = 0.1;
    }
}

fn numbers(recipe: &mut Recipe, data: &Dataset, given: &Given) {
    let (images, labelled) = (data.train.len(), data.train.labels.iter().flatten().count());
    let PretrainDefaults { batch, splits, queue, k, epochs } = defaults::pretrain(images, labelled);
    if recipe.network.splits > 1 && !given.says("batch") && !given.says("network.splits") {
        recipe.network.splits = splits;
    }
    if !given.says("batch") {
        recipe.batch = batch;
    }
    if !given.says("queue") {
        recipe.queue = queue;
    }
    if !given.says("scoring.knn.k") {
        recipe.scoring.knn.k = k;
    }
    if !given.says("length") {
        recipe.set_length(Length::Epochs(epochs.into()));
    }
}
