use std::path::PathBuf;

use slowburn_ema::EmaError;
use slowburn_optim::OptimError;

use crate::run::{NAMES, RunError};
use crate::task::TaskError;

/// Where a number stopped being finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// The step, counted from 1.
    pub step: u64,
    /// The part of the run.
    pub phase: String,
    /// Advice.
    pub advice: String,
    /// The newest checkpoint, whose weights are finite.
    pub checkpoint: Option<PathBuf>,
}

impl Stop {
    fn last_good(&self) -> String {
        match &self.checkpoint {
            Some(path) => format!("The last good checkpoint is {}", path.display()),
            None => "There is no checkpoint yet".to_owned(),
        }
    }
}

/// Why training did not begin, or stopped before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The cost is NaN or infinite.
    #[error("the loss is {value} at step {} of {}: {}. {}", .at.step, .at.phase, .at.advice, .at.last_good())]
    NotFinite {
        /// The cost.
        value: f64,
        /// Where.
        at: Stop,
    },
    /// A step made weights that are not finite, or so large that their sum is infinite.
    #[error(
        "the weights have diverged by step {} of {}: the absolute values of `{name}` sum to {sum}; {}. {}",
        .at.step, .at.phase, .at.advice, .at.last_good()
    )]
    Weights {
        /// The first tensor of which that is so.
        name: String,
        /// The sum.
        sum: f64,
        /// Where.
        at: Stop,
    },
    /// The weights are finite, but what an evaluation computes from them is not.
    #[error("{what}: not all numbers are finite after step {} of {}: {}. {}", .at.step, .at.phase, .at.advice, .at.last_good())]
    Evaluation {
        /// What is not finite.
        what: &'static str,
        /// Where.
        at: Stop,
    },
    /// The user asked for it.
    #[error("stopped; the run in {folder} can go on from its newest checkpoint")]
    Interrupted {
        /// The run, or the run that it is part of.
        folder: PathBuf,
    },
    /// A checkpoint of another version of this library.
    #[error(
        "the run was begun by another version of this program, which gave the parameters of networks other names \
         (their version {found}, here {NAMES}): go on with that one, or start anew"
    )]
    Names {
        /// What its header says.
        found: u32,
    },
    /// A checkpoint is intact but belongs to another network or optimizer, or cannot be made.
    #[error("the checkpoint does not fit: {reason}")]
    Record {
        /// What does not fit.
        reason: String,
    },
    /// A setting of the training is out of range.
    #[error("{field} is {value}: it must be {range}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// A setting of a schedule.
    #[error(transparent)]
    Schedule(#[from] EmaError),
    /// A setting of the optimizer.
    #[error(transparent)]
    Optimizer(#[from] OptimError),
    /// The run's folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The task: its images, its method, its evaluation.
    #[error(transparent)]
    Task(#[from] TaskError),
}
