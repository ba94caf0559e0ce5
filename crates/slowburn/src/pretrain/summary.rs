use serde::{Deserialize, Serialize};

use super::Version;
use slowburn_train::monitor::Scores;

/// The end of a run, as `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// The version, which names the head.
    pub version: Version,
    /// What the encoder is worth, where training and test images have labels.
    #[serde(flatten)]
    pub scored: Option<Scored>,
    /// The loss, mean of the last epoch.
    pub loss: f64,
    /// The loss of a guess.
    pub chance_loss: f64,
    /// The contrastive accuracy, mean of the last epoch.
    pub contrast_accuracy: f64,
    /// How many directions features vary along, at the monitor's last look.
    #[serde(default)]
    pub effective_rank: Option<f64>,
    /// Standard deviation of features of unit length: of test images, of training images where there are no scores.
    pub feature_std: f64,
    /// That of features spread evenly over the sphere.
    pub even_std: f64,
    /// The seed.
    pub seed: u64,
    /// The epoch whose networks were kept, where it was chosen.
    #[serde(default)]
    pub best_epoch: Option<u64>,
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
    /// Files that could not be decoded.
    #[serde(default)]
    pub left_out: usize,
}

/// What an encoder is worth. Accuracies are fractions of all test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Weighted kNN on features of the pre-trained encoder.
    pub knn_accuracy: f64,
    /// Linear probe on features of the pre-trained encoder.
    pub linear_accuracy: f64,
    /// What it is compared with.
    #[serde(flatten)]
    pub baseline: Option<Baseline>,
    /// The training images that neighbours and probes were from.
    pub train_images: usize,
    /// The test images that the accuracies are from.
    pub test_images: usize,
    /// The scores of the pre-trained encoder with everything that they depend on.
    pub scores: Scores,
}

/// Scores of what nobody trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Weighted kNN on features of the encoder with its initial weights.
    pub random_knn_accuracy: f64,
    /// The same of pixels.
    pub pixel_knn_accuracy: f64,
    /// Linear probe on features of the encoder with its initial weights.
    pub random_linear_accuracy: f64,
    /// The same of pixels.
    pub pixel_linear_accuracy: f64,
}
