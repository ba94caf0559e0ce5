use std::path::PathBuf;

/// Why training stopped before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The cost is no number, or infinite.
    #[error("the loss is {value} at step {step} of {phase}: {advice}. {}", last_good(.checkpoint))]
    NotFinite {
        /// The cost.
        value: f64,
        /// The step, counted from 1.
        step: u64,
        /// The part of the run.
        phase: String,
        /// What may help.
        advice: &'static str,
        /// The newest checkpoint, all of whose numbers are finite.
        checkpoint: Option<PathBuf>,
    },
    /// The person asked for it.
    #[error("stopped. Go on with --resume {folder}")]
    Interrupted {
        /// The run.
        folder: PathBuf,
    },
    /// A checkpoint is intact but belongs to another network or optimizer.
    #[error("the checkpoint does not fit: {reason}")]
    Record {
        /// What does not fit.
        reason: String,
    },
}

fn last_good(checkpoint: &Option<PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("The last good checkpoint is {}", path.display()),
        None => "There is no checkpoint yet".to_owned(),
    }
}
