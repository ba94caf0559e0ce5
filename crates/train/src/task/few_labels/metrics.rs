use serde::{Deserialize, Serialize};

/// What is known after an epoch with few labels. Times are left out: two runs with the same settings have equal metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SemiMetrics {
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
    /// Mean share of the images without a label whose target was kept, where the method leaves some out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
    /// Mean of the method's own term before its weight, FreeMatch's fairness, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<f64>,
    /// The decay of the last average update, where the method averages weights.
    pub decay: Option<f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The student's accuracy on the monitored test images, as a fraction, where there are any.
    pub student_accuracy: Option<f64>,
    /// The teacher's, where it is a network of its own.
    pub teacher_accuracy: Option<f64>,
    /// Accuracy of the network that is kept, on the validation images: the teacher's, where it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
}

impl SemiMetrics {
    /// Every figure that progress shows, and whether higher is better; without that of the validation images.
    pub const CURVES: &[(&str, bool)] = &[
        ("loss", false),
        ("class cost", false),
        ("consistency cost", false),
        ("consistency weight", true),
        ("decay", true),
        ("learning rate", true),
        ("student accuracy", true),
        ("teacher accuracy", true),
    ];
}
