use serde::{Deserialize, Serialize};

use super::{Length, RampShape, Timeline};
use crate::EmaError;

/// A learning rate over a training: `rate · up(t) · down(t)`.
///
/// ```
/// use slowburn_ema::{Length, Schedule, Timeline};
///
/// let schedule = Schedule::cosine(0.03).with_warm_up(Length::Epochs(1.0));
/// let timeline = Timeline::new(100, Length::Epochs(10.0));
/// assert_eq!(schedule.at(0, timeline), 0.0);
/// assert!((schedule.at(500, timeline) - 0.015).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The learning rate at full strength.
    pub learning_rate: f64,
    /// How it rises.
    pub ramp_up: RampShape,
    /// How it falls.
    pub ramp_down: RampShape,
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(learning_rate: f64) -> Self {
        Self { learning_rate, ramp_up: RampShape::None, ramp_down: RampShape::None }
    }

    /// Half a cosine from the rate to 0 at the end of training (arXiv 1608.03983 without restarts).
    pub fn cosine(learning_rate: f64) -> Self {
        Self { ramp_down: RampShape::CosineDown(Length::Share(1.0)), ..Self::constant(learning_rate) }
    }

    /// Rises in a straight line at first.
    pub fn with_warm_up(self, length: Length) -> Self {
        Self { ramp_up: RampShape::LinearUp(length), ..self }
    }

    /// The rate at a step, counted from 0.
    pub fn at(&self, step: u64, timeline: Timeline) -> f64 {
        self.learning_rate * self.ramp_up.on(timeline).at(step) * self.fall(step, timeline)
    }

    /// What is left of the rate after its fall, in [0, 1].
    pub fn fall(&self, step: u64, timeline: Timeline) -> f64 {
        let stair = self.ramp_down.stair(timeline);
        self.ramp_down.on(timeline).at(step / stair * stair)
    }

    /// Checks the rate and both shapes.
    ///
    /// # Errors
    /// [`EmaError::Setting`], which names the setting.
    pub fn validate(&self) -> Result<(), EmaError> {
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(EmaError::Setting {
                field: "learning_rate",
                value: self.learning_rate,
                range: "positive and finite",
            });
        }
        if self.ramp_up == RampShape::CosineByEpochFromZero {
            return Err(EmaError::Setting {
                field: "ramp_up",
                value: f64::NAN,
                range: "a rise: this one falls by stairs",
            });
        }
        self.ramp_up.validate()?;
        self.ramp_down.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stairs_hold_the_fall_for_an_epoch_and_not_the_rise() {
        let timeline = Timeline { per_epoch: 10, total: 40 };
        let up = RampShape::LinearUp(Length::Steps(4));
        let schedule = Schedule { learning_rate: 2.0, ramp_up: up, ramp_down: RampShape::CosineByEpochFromZero };
        assert_eq!(schedule.at(2, timeline), 1.0);
        assert_eq!(schedule.at(9, timeline), 2.0);
        assert!((schedule.at(29, timeline) - 1.0).abs() < 1e-12, "cos(π/2)");
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Schedule::cosine(rate).validate().is_err(), "{rate}");
        }
        assert!(Schedule::cosine(0.1).validate().is_ok());
    }
}
