use serde::{Deserialize, Serialize};

use super::Version;
use slowburn_train::monitor::Scores;

/// The end of a run, as `summary.json`. Accuracies are fractions of all test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// The version, which names the head.
    pub version: Version,
    /// Weighted kNN on features of the pre-trained encoder.
    pub knn_accuracy: f64,
    /// The same of the encoder with its initial weights.
    pub random_knn_accuracy: f64,
    /// The same of pixels.
    pub pixel_knn_accuracy: f64,
    /// Linear probe on features of the pre-trained encoder.
    pub linear_accuracy: f64,
    /// The same of the encoder with its initial weights.
    pub random_linear_accuracy: f64,
    /// The same of pixels.
    pub pixel_linear_accuracy: f64,
    /// The loss, mean of the last epoch.
    pub loss: f64,
    /// The loss of a guess.
    pub chance_loss: f64,
    /// The contrastive accuracy, mean of the last epoch.
    pub contrast_accuracy: f64,
    /// Standard deviation of test features of unit length.
    pub feature_std: f64,
    /// That of features spread evenly over the sphere.
    pub even_std: f64,
    /// The seed.
    pub seed: u64,
    /// The epochs trained.
    pub epochs: u64,
    /// The steps trained.
    pub steps: u64,
    /// Seconds of training, over all sittings; without reading data, the monitor and the final evaluation.
    pub train_seconds: f64,
    /// Training images a second over that time; two views of an image count once.
    pub images_per_second: f64,
    /// The device.
    pub device: String,
    /// The training images that neighbours and probes were from.
    pub train_images: usize,
    /// The test images that the accuracies are from.
    pub test_images: usize,
    /// The scores of the pre-trained encoder with everything that they depend on.
    pub scores: Scores,
}
