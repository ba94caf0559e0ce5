use serde::{Deserialize, Serialize};
use slowburn_contrastive::evaluation::Spread;

/// What is known after an epoch of pre-training. Times are left out: two runs with the same settings have equal metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastMetrics {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Optimizer steps made by its end.
    pub step: u64,
    /// Mean of the loss over the epoch's steps.
    pub loss: f64,
    /// The loss of a guess: `ln(K+1)`, twice that where two directions are summed, `4τ·ln B` for MoCo v3 in batches of B; without
    /// negatives that of predictions that have nothing to do with their targets, 4 for BYOL and 0 for SimSiam.
    pub chance_loss: f64,
    /// Mean over the epoch's steps of the fraction of queries whose own key was the most similar.
    pub contrast_accuracy: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// kNN accuracy of every fifth training image among the others, as a fraction, where it was measured.
    pub knn_accuracy: Option<f64>,
    /// How far the features of those images are spread.
    pub spread: Option<Spread>,
    /// How many directions they vary along: [`effective_rank`](crate::monitor::effective_rank).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_rank: Option<f64>,
}

impl ContrastMetrics {
    /// Every figure that progress shows, and whether higher is better.
    pub const CURVES: &[(&str, bool)] = &[
        ("loss", false),
        ("chance loss", false),
        ("contrastive accuracy", true),
        ("learning rate", true),
        ("feature std", true),
        ("evenly spread", true),
        ("effective rank", true),
        ("kNN of training images", true),
    ];
}
