//! The images that a network is scored on.

use std::sync::Arc;

use anyhow::Result;
use slowburn_augment::Pipeline;
use slowburn_augment::loader::{OnCorrupt, Source};
use slowburn_train::data::labeled;
use slowburn_train::monitor::ImageSet;

use crate::data::Dataset;

/// Images by index with their classes, behind the fixed part of the views.
///
/// # Errors
/// If the pipeline does not fit the images.
pub fn image_set(
    images: &Arc<dyn Source>,
    chosen: Vec<(usize, usize)>,
    views: &Pipeline,
    broken: OnCorrupt,
) -> Result<ImageSet> {
    Ok(ImageSet::with_on_corrupt(Arc::clone(images), chosen, views, broken)?)
}

/// All test images, or `count` of them, spread evenly over the test set, whose files are often sorted by class; nothing where
/// there is none.
///
/// # Errors
/// As [`image_set`].
pub fn test_images(data: &Dataset, views: &Pipeline, count: usize, broken: OnCorrupt) -> Result<Option<ImageSet>> {
    if data.test.is_empty() {
        return Ok(None);
    }
    let chosen = data.test.labels.iter().copied().enumerate().collect();
    Ok(Some(image_set(&data.test.images, chosen, views, broken)?.thinned(count)))
}

/// The same of images that are trained on, whose loader warns of broken files.
///
/// # Errors
/// As [`image_set`].
pub fn trained_on(
    images: &Arc<dyn Source>,
    chosen: Vec<(usize, usize)>,
    views: &Pipeline,
    broken: OnCorrupt,
) -> Result<ImageSet> {
    Ok(ImageSet::trained_on(Arc::clone(images), chosen, views, broken)?)
}

/// All training images that have a label; nothing where none has one.
///
/// # Errors
/// As [`image_set`].
pub fn training_images(data: &Dataset, views: &Pipeline, broken: OnCorrupt) -> Result<Option<ImageSet>> {
    let chosen = labeled(&data.train.labels);
    match chosen.is_empty() {
        true => Ok(None),
        false => image_set(&data.train.images, chosen, views, broken).map(Some),
    }
}
