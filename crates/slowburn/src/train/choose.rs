//! What nobody says is chosen for the images.

use anyhow::{Result, bail, ensure};
use slowburn_augment::{ImageSize, Pipeline, presets};
use slowburn_ema::Length;
use slowburn_semi::Mix;
use slowburn_train::data::Dataset;
use slowburn_train::defaults::{self, FewLabelsDefaults};

use super::encoder_views::known_to_the_encoder;
use super::plan::label_file_digest;
use super::recipe::{Labels, Recipe, change_to_photos, labeled_share, passes_of_strong_views, strong};
use super::{pretrained, start};
use crate::data::is_small;
use crate::settings::Given;

/// The side of photos as a network sees them.
pub const SIDE: u32 = 64;

/// Fits a recipe to the images: chooses what nobody said, and notes what the images are.
///
/// # Errors
/// For labels that nobody gave, and those of [`start::fit`].
pub(super) fn fit(recipe: &mut Recipe, data: &Dataset, given: &Given) -> Result<()> {
    recipe.classes.clone_from(&data.classes);
    recipe.image = Some(data.image_size());
    check_classes(recipe, data)?;
    let known = data.train.labels.iter().flatten().count();
    if matches!(recipe.labels, Labels::Count(count) if count > known) && !given.says("labels") {
        recipe.labels = Labels::All;
    }
    let scored = !data.test.is_empty() || recipe.validation > 0.0;
    if recipe.compare_scratch && !scored {
        bail!(
            "--compare-scratch has nothing to compare by: there are no test images. Hold labels back by --validation 0.2"
        );
    }
    // What nothing is compared with is time lost.
    recipe.baseline &= scored;
    if recipe.preset.is_none() {
        if !given.says("views") {
            recipe.views = views(recipe, data);
        }
        if !given.says("network.arch") && !is_small(data) {
            let (said, network) = (recipe.optimizer.clone(), recipe.network.clone());
            change_to_photos(recipe);
            if recipe.start.is_some() {
                recipe.network = network;
            }
            if given.says("optimizer.algorithm") {
                recipe.optimizer = said;
            } else if given.says("optimizer.learning_rate") {
                recipe.optimizer.schedule.learning_rate = said.schedule.learning_rate;
            }
        }
        lengths(recipe, data.train.len(), given);
    }
    start::fit(recipe, data)?;
    pretrained::fit(recipe, data, given)?;
    recipe.network.validate()?;
    recipe.fixed = Some(recipe.network.backbone().fixed());
    recipe.labels_sha256 = label_file_digest(recipe, data)?;
    let size = recipe.views.output_size(data.image_size());
    check_size(recipe.size, size, &recipe.views)?;
    recipe.network.arch.validate_size(size)?;
    let strongly = recipe.has_strong_views() || recipe.strong_labels;
    if strongly && recipe.strong_views.is_none() {
        let side = recipe.views.output_size(data.image_size()).height;
        recipe.strong_views = Some(strong(&recipe.views, side)?);
    }
    if let Some(strong) = &recipe.strong_views {
        let ImageSize { height, width, .. } = strong.output_size(data.image_size());
        ensure!(
            (height, width) == (size.height, size.width),
            "strong_views make images of {height}×{width}, and views of {}×{}: it must be the same size",
            size.height,
            size.width
        );
    }
    Ok(())
}

/// Checks that there are classes to tell apart.
fn check_classes(recipe: &Recipe, data: &Dataset) -> Result<()> {
    if let ([class], Labels::File(path)) = (&data.classes[..], &recipe.labels) {
        bail!("{} knows one class only, {class}: at least two are needed to tell them apart", path.display());
    }
    if data.classes.len() < 2 {
        bail!(
            "{} has no class folders: say which images have which label by --labels FILE, or train without labels by \
             `slowburn pretrain --data {0}`",
            data.path.display()
        );
    }
    Ok(())
}

/// Checks that views make images of the size that was asked for, if one was.
///
/// # Errors
/// If they do not: they were given, or are those of a recipe or of small images.
pub fn check_size(asked: Option<u32>, made: ImageSize, views: &Pipeline) -> Result<()> {
    match asked.map(|side| side as usize) {
        Some(side) if (made.height, made.width) != (side, side) => bail!(
            "--size is {side}, but the views, {}, make images of {}×{}: it is for photos whose views nobody named",
            views.name(),
            made.height,
            made.width
        ),
        _ => Ok(()),
    }
}

/// Views as of Fashion-MNIST or CIFAR-10 for small images of one size, of photos for all others.
fn views(recipe: &Recipe, data: &Dataset) -> Pipeline {
    match (data.image_size().channels, recipe.size) {
        (3, None) if is_small(data) => presets::mean_teacher_cifar(),
        (3, side) => presets::mean_teacher_imagenet(side.unwrap_or(SIDE)),
        _ => recipe.views.clone(),
    }
}

fn lengths(recipe: &mut Recipe, images: usize, given: &Given) {
    let FewLabelsDefaults { batch, labeled, mut epochs } = defaults::few_labels(images);
    if recipe.has_strong_views() {
        epochs = passes_of_strong_views(epochs);
    }
    if !given.says("batch") && matches!(recipe.mix, Mix::Fixed { .. }) && batch != recipe.batch {
        recipe.batch = batch;
        if !given.says("mix") {
            let labeled = if recipe.has_strong_views() { labeled_share(batch) } else { labeled };
            recipe.mix = Mix::Fixed { labeled };
        }
    }
    if !given.says("length") {
        set_length(recipe, Length::Epochs(epochs.into()), given);
    }
}

/// Sets how long to train. What was said of the rise of the consistency weight counts epochs or steps, however many there are.
pub(super) fn set_length(recipe: &mut Recipe, length: Length, given: &Given) {
    let rise = recipe.consistency.ramp_up;
    recipe.set_length(length);
    if given.says("consistency.ramp_up") {
        recipe.consistency.ramp_up = rise;
    }
}

/// Views for a network that starts from an encoder: see [`known_to_the_encoder`].
pub(super) fn as_the_encoder(recipe: &mut Recipe, evaluation: &Pipeline, image: ImageSize) -> Result<()> {
    let asked = recipe.size.is_some();
    let known = |views: &Pipeline| known_to_the_encoder(views, evaluation, image, asked);
    recipe.views = known(&recipe.views)?;
    recipe.strong_views = recipe.strong_views.as_ref().map(known).transpose()?;
    Ok(recipe.views.validate_for(image)?)
}

#[cfg(test)]
mod tests {
    use slowburn_ema::RampShape;

    use super::*;
    use crate::train::recipe::{Method, default_recipe};

    #[test]
    fn a_rise_that_was_said_counts_epochs_however_many_fit_into_a_time() {
        let rise = RampShape::SigmoidUp(Length::Epochs(2.0));
        let after = |said: &[(&'static str, bool)]| {
            let mut recipe = default_recipe(Method::MeanTeacher);
            recipe.consistency.ramp_up = rise;
            set_length(&mut recipe, Length::Steps(30), &Given::new(said.to_vec(), std::iter::empty()));
            recipe.consistency.ramp_up
        };
        assert_eq!(after(&[("consistency.ramp_up", true)]), rise);
        assert_eq!(after(&[]), RampShape::SigmoidUp(Length::Share(0.2)));
    }
}
