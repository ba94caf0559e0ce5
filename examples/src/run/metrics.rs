use serde::{Deserialize, Serialize};

/// What is known after an epoch. Times are left out: two runs of one recipe have equal metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The part of the run: `baseline`, or the method's name.
    pub phase: String,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Optimizer steps made by its end.
    pub step: u64,
    /// Mean of the total cost over the epoch's steps.
    pub loss: f64,
    /// Mean of the class cost.
    pub class_cost: f64,
    /// Mean of the consistency cost before its weight.
    pub consistency_cost: f64,
    /// Mean of the distance between two heads before its weight.
    pub logit_distance: f64,
    /// The consistency weight of the last step.
    pub consistency_weight: f64,
    /// The decay of the last average update, where the method averages weights.
    pub decay: Option<f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The student's accuracy on the monitored test images, as a fraction.
    pub student_accuracy: f64,
    /// The teacher's, where it is a network of its own.
    pub teacher_accuracy: Option<f64>,
}

/// The end of a run, as `summary.json`. Accuracies are fractions of all test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// Accuracy of the network trained on the labels alone; absent without a baseline.
    pub supervised_accuracy: Option<f64>,
    /// Accuracy of the student.
    pub student_accuracy: f64,
    /// Accuracy of the teacher; that of the student where it is its own teacher.
    pub teacher_accuracy: f64,
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
}
