//! Features of images, and which images are alike.

mod cli;
mod files;
mod neighbours;

pub use cli::{Cli, run};
pub use neighbours::{Neighbour, nearest};

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::Device;
use slowburn_contrastive::Encode;

use crate::images::{Prepared, in_fixed_batches};
use crate::weights::Weights;

/// Features of the images that can be decoded, rows first.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Index of each image among those that were named.
    pub samples: Vec<usize>,
    /// `[images, dim]`.
    pub values: Vec<f32>,
    /// The length of a feature.
    pub dim: usize,
}

impl Features {
    /// Computes the features of prepared images: those below the head, or what the projection head makes of them.
    ///
    /// # Errors
    /// Weights that do not fit, images that cannot be read, features that are no numbers.
    pub fn of(weights: &Weights, prepared: &Prepared, embedding: bool, device: &Device) -> Result<Self> {
        let network = weights.network(prepared.size, embedding, device)?.valid();
        let (mut samples, mut values, mut dim) = (Vec::new(), Vec::new(), 0);
        for batch in prepared.set.batches(device)? {
            let batch = batch?;
            let features = in_fixed_batches(batch.images, |images| match embedding {
                true => network.embed(images),
                false => network.features(images),
            });
            dim = features.dims()[1];
            values.extend(features.into_data().iter::<f32>());
            samples.extend(batch.samples);
        }
        ensure!(!samples.is_empty(), "none of the {} images can be decoded", prepared.named.names.len());
        ensure!(
            values.iter().all(|value| value.is_finite()),
            "the features are no numbers: the weights are not finite"
        );
        Ok(Self { samples, values, dim })
    }

    /// The feature of the `place`-th image.
    pub fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.dim..(place + 1) * self.dim]
    }
}
