use std::path::PathBuf;

use crate::run::NAMES;

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
        /// The newest checkpoint, whose weights are finite.
        checkpoint: Option<PathBuf>,
    },
    /// A step made weights that are no numbers, or so large that their sum is infinite.
    #[error(
        "the weights have diverged by step {step} of {phase}: the absolute values of `{name}` sum to {sum}; {advice}. \
         {}", last_good(.checkpoint)
    )]
    Weights {
        /// The first tensor of which that is so.
        name: String,
        /// The sum.
        sum: f64,
        /// The step, counted from 1.
        step: u64,
        /// The part of the run.
        phase: String,
        /// What may help.
        advice: &'static str,
        /// As above.
        checkpoint: Option<PathBuf>,
    },
    /// The weights are numbers, but what an evaluation makes of them is not.
    #[error("{what}: not all numbers are finite after step {step} of {phase}: {advice}. {}", last_good(.checkpoint))]
    Evaluation {
        /// What is not finite.
        what: &'static str,
        /// The step, counted from 1.
        step: u64,
        /// The part of the run.
        phase: String,
        /// What may help.
        advice: &'static str,
        /// As above.
        checkpoint: Option<PathBuf>,
    },
    /// The person asked for it.
    #[error("stopped. Go on with --resume {folder}")]
    Interrupted {
        /// The run; of a run that is part of another one, that one.
        folder: PathBuf,
    },
    /// A checkpoint of another version of the programs.
    #[error(
        "the run was begun by another version of this program, which gave the parameters of networks other names \
         (their version {found}, here {NAMES}): go on with that one, or start anew"
    )]
    Names {
        /// What its header says.
        found: u32,
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
