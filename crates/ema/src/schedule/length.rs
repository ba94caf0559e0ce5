use serde::{Deserialize, Serialize};

use crate::EmaError;

/// A length of training or of a part of it: some recipes count steps, others passes over the images, others shares of the
/// whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Length {
    /// Optimizer steps.
    Steps(u64),
    /// Epochs, which need not be whole.
    Epochs(f64),
    /// A share of the training, which may be above 1: a fall of length 1.1 is not over at the end. Stretches with the
    /// training.
    Share(f64),
}

impl Length {
    /// The length in steps, rounded to the nearest; half a step up.
    pub fn steps(self, timeline: Timeline) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * timeline.per_epoch as f64).round() as u64,
            Self::Share(share) => (share * timeline.total as f64).round() as u64,
        }
    }

    /// The same length as a [`Share`](Self::Share) of `whole`, so that it stretches with it. A length of another unit stays as it is.
    pub fn share_of(self, whole: Self) -> Self {
        match (self, whole) {
            (Self::Steps(part), Self::Steps(whole)) if whole > 0 => Self::Share(part as f64 / whole as f64),
            (Self::Epochs(part), Self::Epochs(whole)) if whole > 0.0 => Self::Share(part / whole),
            _ => self,
        }
    }

    /// Checks the number.
    ///
    /// # Errors
    /// [`EmaError::Setting`] for a length that is negative, infinite or NaN.
    pub fn validate(self) -> Result<(), EmaError> {
        match self {
            Self::Epochs(value) | Self::Share(value) if !(0.0..f64::INFINITY).contains(&value) => {
                Err(EmaError::Setting { field: "length", value, range: "finite and at least 0" })
            }
            _ => Ok(()),
        }
    }
}

/// How long a training takes, in optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Steps from one epoch to the next: at least 1.
    pub per_epoch: usize,
    /// Steps in all.
    pub total: u64,
}

impl Timeline {
    /// The training of this length: at least one step. There is nothing to take a share of yet: it counts as the number of epochs.
    pub fn new(per_epoch: usize, length: Length) -> Self {
        let per_epoch = per_epoch.max(1);
        let length = match length {
            Length::Share(share) => Length::Epochs(share),
            length => length,
        };
        Self { per_epoch, total: length.steps(Self { per_epoch, total: 0 }).max(1) }
    }

    /// The number of epochs; the last may be cut short.
    pub fn epochs(&self) -> u64 {
        self.total.div_ceil(self.per_epoch.max(1) as u64)
    }

    /// The number of steps in an epoch, counted from 0.
    pub fn in_epoch(&self, epoch: u64) -> u64 {
        let done = epoch.saturating_mul(self.per_epoch as u64);
        self.total.saturating_sub(done).min(self.per_epoch as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_epoch_has_what_is_left() {
        let timeline = Timeline { per_epoch: 4, total: 10 };
        assert_eq!(timeline.epochs(), 3);
        assert_eq!([0, 1, 2, 3].map(|epoch| timeline.in_epoch(epoch)), [4, 4, 2, 0]);
        assert_eq!(timeline.in_epoch(u64::MAX), 0);
    }

    #[test]
    fn lengths_are_of_steps_epochs_and_the_whole() {
        let timeline = Timeline::new(7, Length::Epochs(3.5));
        assert_eq!(timeline, Timeline { per_epoch: 7, total: 25 });
        assert_eq!(
            [Length::Steps(3), Length::Epochs(2.0), Length::Share(0.5), Length::Share(2.0)].map(|l| l.steps(timeline)),
            [3, 14, 13, 50]
        );
        assert_eq!(Timeline::new(0, Length::Steps(0)), Timeline { per_epoch: 1, total: 1 });
        assert_eq!(Length::Epochs(6.0).share_of(Length::Epochs(10.0)), Length::Share(0.6));
        assert_eq!(Length::Steps(5).share_of(Length::Steps(20)), Length::Share(0.25));
        assert_eq!(Length::Steps(5).share_of(Length::Epochs(2.0)), Length::Steps(5));
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Length::Epochs(value).validate().is_err() && Length::Share(value).validate().is_err());
        }
    }
}
