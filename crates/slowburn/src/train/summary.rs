use serde::{Deserialize, Serialize};

/// The end of a run, as `summary.json`. Accuracies are fractions of all test images, and absent without any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// Accuracy of the network trained on the labels alone; absent without a baseline.
    pub supervised_accuracy: Option<f64>,
    /// Accuracy of the student.
    pub student_accuracy: Option<f64>,
    /// Accuracy of the teacher; that of the student where it is its own teacher.
    pub teacher_accuracy: Option<f64>,
    /// Accuracy of the network that is kept on the images that were held back to choose the best epoch.
    #[serde(default)]
    pub validation_accuracy: Option<f64>,
    /// The epoch whose networks were kept, where it was chosen.
    #[serde(default)]
    pub best_epoch: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// The number of labels used.
    pub labels: usize,
    /// The epochs trained.
    pub epochs: u64,
    /// The steps trained.
    pub steps: u64,
    /// Seconds of training, baseline included, over all sittings; without reading data and the final evaluation.
    pub train_seconds: f64,
    /// Training images a second over that time; two views of an image count once.
    pub images_per_second: f64,
    /// The device.
    pub device: String,
    /// The test images that the accuracies are from.
    pub test_images: usize,
    /// Files that could not be decoded.
    #[serde(default)]
    pub left_out: usize,
    /// The same training from random weights, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Box<Summary>>,
}
