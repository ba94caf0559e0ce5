//! The images that an encoder is scored on.

use std::sync::Arc;

use anyhow::Result;
use slowburn_augment::Pipeline;
use slowburn_train::data::labeled;
use slowburn_train::monitor::ImageSet;

use crate::data::Dataset;

/// All test images, or `count` of them, spread evenly over the test set, whose files are often sorted by class.
///
/// # Errors
/// If the pipeline does not fit the images.
pub fn test_images(data: &Dataset, views: &Pipeline, count: usize) -> Result<ImageSet> {
    let chosen = data.test.labels.iter().copied().enumerate().collect();
    Ok(ImageSet::new(Arc::clone(&data.test.images), chosen, views)?.thinned(count))
}

/// All training images that have a label.
///
/// # Errors
/// As [`test_images`].
pub fn training_images(data: &Dataset, views: &Pipeline) -> Result<ImageSet> {
    Ok(ImageSet::new(Arc::clone(&data.train.images), labeled(&data.train.labels), views)?)
}
