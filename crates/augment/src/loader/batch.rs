use std::fmt;

use burn::tensor::{Device, Tensor, TensorData};

use super::Skipped;
use crate::ImageSize;

/// The views of the images of a batch, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewBatch {
    /// The epoch it belongs to.
    pub epoch: u64,
    /// Its place in the epoch, from 0: a restart at `index + 1` continues behind it.
    pub index: usize,
    /// Index of each image in its source.
    pub samples: Vec<usize>,
    /// Label of each image, or nothing where it has none.
    pub labels: Vec<Option<usize>>,
    /// One entry per view, in the order of [`Views`](crate::Views).
    pub views: Vec<BatchView>,
    /// Images that belong to the batch and cannot be decoded.
    pub skipped: Vec<Skipped>,
}

/// One view of every image of a batch.
#[derive(Clone, PartialEq)]
pub struct BatchView {
    /// N×C×H×W values.
    pub values: Vec<f32>,
    /// Height, width and channels of each image.
    pub size: ImageSize,
}

impl ViewBatch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether no image is left; a loader hands out no such batch.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Moves every view to the device.
    ///
    /// # Shapes
    ///
    /// `[batch, channels, height, width]` each.
    pub fn into_tensors(self, device: &Device) -> Vec<Tensor<4>> {
        self.views.into_iter().map(|view| view.into_tensor(device)).collect()
    }
}

impl BatchView {
    /// `[batch, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        let ImageSize { height, width, channels } = self.size;
        [self.values.len() / self.size.values().max(1), channels, height, width]
    }

    /// Moves the values to the device, without a copy on the host.
    ///
    /// # Shapes
    ///
    /// `[batch, channels, height, width]`.
    pub fn into_tensor(self, device: &Device) -> Tensor<4> {
        let shape = self.shape();
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }
}

impl fmt::Debug for BatchView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchView").field("shape", &self.shape()).finish_non_exhaustive()
    }
}
