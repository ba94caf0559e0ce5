use serde::{Deserialize, Serialize};

use super::Idea;
use crate::spread::percent;

/// Accuracies of one training, by seed, as fractions of the test points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it has that the row above has not.
    pub idea: Idea,
    /// By seed.
    pub accuracy: Vec<f64>,
}

/// The end of all trainings, as `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// In the order of the ideas.
    pub rows: Vec<Row>,
    /// Seconds of all trainings.
    pub train_seconds: f64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seeds = self.seeds.len();
        writeln!(f, "accuracy on new points, {seeds} seeds from {}, mean ± standard deviation", self.seeds[0])?;
        for row in &self.rows {
            let won = self.rows[0].accuracy.iter().zip(&row.accuracy).filter(|(first, this)| this > first).count();
            let than = match row.idea {
                Idea::Labels => String::new(),
                _ => format!("   above the first on {won} of {seeds}"),
            };
            writeln!(f, "  {:<34} {:>17}{than}", row.idea.title(), percent(&row.accuracy))?;
        }
        write!(f, "{:.0} s of training", self.train_seconds)
    }
}
