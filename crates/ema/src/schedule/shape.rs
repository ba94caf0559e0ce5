use serde::{Deserialize, Serialize};

use super::{Length, Ramp, Timeline};
use crate::EmaError;

/// The shape of a [`Ramp`], whose length in steps is known only once the data are known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RampShape {
    /// No ramp.
    #[default]
    None,
    /// [`Ramp::SigmoidUp`].
    SigmoidUp(Length),
    /// [`Ramp::LinearUp`].
    LinearUp(Length),
    /// [`Ramp::SigmoidDown`] at the end of training.
    SigmoidDown(Length),
    /// [`Ramp::CosineDown`].
    CosineDown(Length),
    /// [`Ramp::CosineFraction`] with 7/16.
    CosineSevenSixteenths(Length),
    /// [`Ramp::CosineStairs`] by epoch, to the end of training: `(cos(πe/E)+1)/2`, epochs e of E counted from 1, as in
    /// MoCo's notebook.
    CosineByEpoch,
    /// The same with epochs counted from 0, as in MoCo's ImageNet runs: [`Ramp::CosineDown`] at each epoch's first
    /// step, see [`stair`](Self::stair).
    CosineByEpochFromZero,
    /// [`Ramp::Milestones`] at these fractions of training.
    Milestones(f64, f64),
}

impl RampShape {
    /// Steps for which the ramp stays at its value on the first of them: 1 but for
    /// [`CosineByEpochFromZero`](Self::CosineByEpochFromZero).
    pub fn stair(self, timeline: Timeline) -> u64 {
        match self {
            Self::CosineByEpochFromZero => timeline.per_epoch.max(1) as u64,
            _ => 1,
        }
    }

    /// The ramp in steps of a training.
    pub fn on(self, timeline: Timeline) -> Ramp {
        let steps = |length: Length| length.steps(timeline);
        let total = timeline.total.max(1);
        match self {
            Self::None => Ramp::Constant,
            Self::SigmoidUp(length) => Ramp::SigmoidUp { length: steps(length) },
            Self::LinearUp(length) => Ramp::LinearUp { length: steps(length) },
            Self::SigmoidDown(length) => Ramp::SigmoidDown { total: timeline.total, length: steps(length) },
            Self::CosineDown(length) => Ramp::CosineDown { length: steps(length).max(1) },
            Self::CosineSevenSixteenths(length) => {
                Ramp::CosineFraction { length: steps(length).max(1), fraction: 7.0 / 16.0 }
            }
            Self::CosineByEpochFromZero => Ramp::CosineDown { length: total },
            Self::CosineByEpoch => Ramp::CosineStairs { stair: timeline.per_epoch.max(1) as u64, length: total },
            Self::Milestones(first, second) => {
                let at = |fraction: f64| (fraction * timeline.total as f64).round() as u64;
                Ramp::Milestones { first: at(first), second: at(second) }
            }
        }
    }

    /// The same shape with lengths as shares of a training of length `whole`, so that it stretches with it.
    pub fn share_of(self, whole: Length) -> Self {
        match self {
            Self::SigmoidUp(length) => Self::SigmoidUp(length.share_of(whole)),
            Self::LinearUp(length) => Self::LinearUp(length.share_of(whole)),
            Self::SigmoidDown(length) => Self::SigmoidDown(length.share_of(whole)),
            Self::CosineDown(length) => Self::CosineDown(length.share_of(whole)),
            Self::CosineSevenSixteenths(length) => Self::CosineSevenSixteenths(length.share_of(whole)),
            Self::None | Self::CosineByEpoch | Self::CosineByEpochFromZero | Self::Milestones(..) => self,
        }
    }

    /// Checks lengths and fractions.
    ///
    /// # Errors
    /// [`EmaError::Setting`], which names the setting.
    pub fn validate(self) -> Result<(), EmaError> {
        match self {
            Self::SigmoidUp(length)
            | Self::LinearUp(length)
            | Self::SigmoidDown(length)
            | Self::CosineDown(length)
            | Self::CosineSevenSixteenths(length) => length.validate(),
            Self::Milestones(first, second) => {
                let wrong = [first, second].into_iter().find(|value| !(0.0..f64::INFINITY).contains(value));
                let range = "finite and at least 0";
                wrong.map_or(Ok(()), |value| Err(EmaError::Setting { field: "milestone", value, range }))
            }
            Self::None | Self::CosineByEpoch | Self::CosineByEpochFromZero => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_become_ramps_on_a_timeline() {
        let timeline = Timeline { per_epoch: 10, total: 40 };
        for (shape, ramp) in [
            (RampShape::None, Ramp::Constant),
            (RampShape::SigmoidUp(Length::Epochs(1.5)), Ramp::SigmoidUp { length: 15 }),
            (RampShape::CosineDown(Length::Share(1.1)), Ramp::CosineDown { length: 44 }),
            (RampShape::SigmoidDown(Length::Steps(8)), Ramp::SigmoidDown { total: 40, length: 8 }),
            (RampShape::CosineByEpoch, Ramp::CosineStairs { stair: 10, length: 40 }),
            (RampShape::CosineByEpochFromZero, Ramp::CosineDown { length: 40 }),
            (RampShape::Milestones(0.6, 0.8), Ramp::Milestones { first: 24, second: 32 }),
        ] {
            assert_eq!(shape.on(timeline), ramp);
            shape.validate().expect("fine");
        }
        let fall = RampShape::CosineDown(Length::Epochs(11.0)).share_of(Length::Epochs(10.0));
        assert_eq!(fall, RampShape::CosineDown(Length::Share(1.1)));
        assert_eq!(RampShape::CosineByEpochFromZero.stair(timeline), 10);
        assert_eq!(RampShape::CosineByEpoch.stair(timeline), 1);
        assert!(RampShape::Milestones(0.5, f64::NAN).validate().is_err());
        assert!(RampShape::LinearUp(Length::Epochs(-1.0)).validate().is_err());
    }
}
