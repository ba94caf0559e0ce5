use std::error::Error as StdError;

use slowburn_augment::AugmentError;
use slowburn_augment::loader::LoadError;
use slowburn_contrastive::ContrastiveError;
use slowburn_ema::Refused;
use slowburn_models::ModelError;
use slowburn_semi::SemiError;

/// Why a task cannot make a batch, a step or an evaluation.
///
/// The loop treats the first two specially: it adds the step, advice and
/// the last good checkpoint to a cost or weight that is not finite.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The cost of a step is NaN or infinite.
    #[error("the loss is {value}")]
    Cost {
        /// The cost.
        value: f64,
    },
    /// What an evaluation makes of the weights is not finite.
    #[error("{what}: not all numbers are finite")]
    NotFinite {
        /// What is not finite.
        what: &'static str,
    },
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn StdError + Send + Sync>),
}

impl TaskError {
    /// Any other error, or a text.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl From<ContrastiveError> for TaskError {
    fn from(error: ContrastiveError) -> Self {
        match error {
            ContrastiveError::Loss { value } => Self::Cost { value },
            ContrastiveError::NotFinite { what } => Self::NotFinite { what },
            error => Self::other(error),
        }
    }
}

impl From<SemiError> for TaskError {
    fn from(error: SemiError) -> Self {
        match error {
            SemiError::Cost { value } => Self::Cost { value },
            error => Self::other(error),
        }
    }
}

impl<T, E: Into<Self>> From<Refused<T, E>> for TaskError {
    fn from(refused: Refused<T, E>) -> Self {
        refused.into_error().into()
    }
}

macro_rules! others {
    ($($error:ty),*) => {$(
        impl From<$error> for TaskError {
            fn from(error: $error) -> Self {
                Self::other(error)
            }
        }
    )*};
}
others!(LoadError, AugmentError, ModelError);
