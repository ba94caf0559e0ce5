use std::sync::Arc;

use anyhow::{Result, bail};
use slowburn_augment::loader::{ReadBuffers, Source};
use slowburn_augment::{Filter, ImageSize, Operation, Pipeline, ResizeTo};
use slowburn_train::monitor::ImageSet;

use super::{Named, NamedImages};
use crate::args::Reading;
use crate::weights::Weights;

/// Named images, prepared as a trained network saw those that it was scored on.
#[derive(Debug)]
pub struct Prepared {
    /// The images with their names.
    pub named: Named,
    /// What is in front of the network, batch by batch.
    pub set: ImageSet,
    /// The size that it sees.
    pub size: ImageSize,
}

/// How a network wants images.
#[derive(Debug, Clone, Copy)]
pub struct SeenImages<'a> {
    /// The network's weights.
    pub weights: &'a Weights,
    /// The preset of views that they know, where they do not say it.
    pub views: Option<&'a str>,
    /// Threads that read; 0 for one a core.
    pub workers: usize,
}

impl SeenImages<'_> {
    /// Finds and prepares the images. Files are read as the run read its own, unless flags say otherwise; images of another size
    /// than the run's are brought to it.
    ///
    /// # Errors
    /// For images that are not there or do not fit, and weights of whitened images.
    pub fn prepare(self, images: &NamedImages) -> Result<Prepared> {
        let weights = self.weights;
        if weights.whitening.is_some() {
            bail!(
                "{} was trained on whitened images: what whitens them is fitted on its training images, and is not part of the \
                 weights. `slowburn evaluate` scores it",
                weights.file.display()
            );
        }
        let facts = weights.facts.as_ref();
        let reading = images.reading.on(facts.map_or(Reading::PHOTOS, |facts| facts.reading));
        let named = images.find(reading, weights.channels())?;
        let own = facts.and_then(|facts| facts.image).map_or_else(|| first_size(named.source.as_ref()), Ok)?;
        let pipeline = to_size(weights.pipeline(self.views, own)?, own)?;
        let size = pipeline.output_size(own);
        let chosen = (0..named.names.len()).map(|index| (index, 0)).collect();
        let set = ImageSet::with_on_corrupt(Arc::clone(&named.source), chosen, &pipeline, reading.broken)?;
        let set = set.with_loading(images.batch.unwrap_or(256) as usize, self.workers)?;
        Ok(Prepared { named, set, size })
    }
}

/// The size of the first image that can be decoded.
fn first_size(source: &dyn Source) -> Result<ImageSize> {
    let mut buffers = ReadBuffers::default();
    for index in 0..source.len() {
        if let Ok(sample) = source.read(index, &mut buffers) {
            return Ok(sample.image.size());
        }
    }
    bail!("none of the {} images can be decoded", source.len())
}

/// The pipeline behind what brings images of any size to `size`, where it does not do so itself. Images of that size stay as
/// they are.
fn to_size(pipeline: Pipeline, size: ImageSize) -> Result<Pipeline> {
    let sizes = |operation: &Operation| matches!(operation, Operation::Resize { .. } | Operation::CenterCrop { .. });
    if pipeline.operations().iter().any(sizes) {
        return Ok(pipeline);
    }
    let mut operations = bringing_to(size.height as u32, size.width as u32);
    operations.extend(pipeline.operations().iter().cloned());
    Ok(pipeline.clone().with_operations(operations)?)
}

/// What brings images of any size to this one: squares by their middle, others as they are.
pub(crate) fn bringing_to(height: u32, width: u32) -> Vec<Operation> {
    let filter = Filter::Bilinear;
    match height == width {
        true => vec![
            Operation::Resize { to: ResizeTo::ShorterSide(height), filter },
            Operation::CenterCrop { height, width },
        ],
        false => vec![Operation::Resize { to: ResizeTo::Exact { height, width }, filter }],
    }
}
