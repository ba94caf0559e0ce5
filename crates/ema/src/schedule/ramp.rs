use serde::{Deserialize, Serialize};

use crate::EmaError;

/// A factor in [0, 1] that rises or falls with the step: a pure function of the global step, counted from 0.
///
/// | Variant | Factor at step t |
/// |---|---|
/// | [`Constant`](Self::Constant) | 1 |
/// | [`SigmoidUp`](Self::SigmoidUp) | `exp(−5·(1−t/length)²)`, then 1 |
/// | [`LinearUp`](Self::LinearUp) | `t/length`, then 1 |
/// | [`SigmoidDown`](Self::SigmoidDown) | 1 until `total−length`, then `exp(−12.5·(1−(total−t)/length)²)` |
/// | [`CosineDown`](Self::CosineDown) | `(cos(π·t/length)+1)/2`, then 0 |
/// | [`CosineFraction`](Self::CosineFraction) | `cos(fraction·π·t/length)`, constant after `length` |
/// | [`CosineStairs`](Self::CosineStairs) | `(cos(π·(⌊t/stair⌋+1)·stair/length)+1)/2`, then 0 |
/// | [`Milestones`](Self::Milestones) | 1, then 0.1 from `first` on, then 0.01 from `second` on |
///
/// The sigmoid shapes are Laine & Aila's (arXiv 1610.02242, §A), which Mean Teacher uses (arXiv 1703.01780, §B):
/// the rise starts at e⁻⁵ = 0.0067, not at 0. `CosineDown` with a length beyond the end of training is Mean Teacher's
/// on residual networks; `CosineFraction` with 7/16 is FixMatch's (arXiv 2001.07685).
///
/// Lengths are in steps. The authors' PyTorch code ramps by whole epochs; ramps here go by step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ramp {
    /// No ramp.
    #[default]
    Constant,
    /// A rise with the shape of half a bell; length 0 is no ramp.
    SigmoidUp {
        /// Steps until the factor is 1.
        length: u64,
    },
    /// A straight rise from 0; length 0 is no ramp.
    LinearUp {
        /// Steps until the factor is 1.
        length: u64,
    },
    /// A fall with the shape of half a bell at the end of training; length 0 is no ramp.
    SigmoidDown {
        /// Steps of the whole training.
        total: u64,
        /// Steps of the fall, at the end.
        length: u64,
    },
    /// Half a cosine from 1 to 0.
    CosineDown {
        /// Steps until the factor is 0: at least 1.
        length: u64,
    },
    /// The first part of a cosine: from 1 to `cos(fraction·π)`.
    CosineFraction {
        /// Steps of the part: at least 1.
        length: u64,
        /// The part, in units of π: in [0, 0.5].
        fraction: f64,
    },
    /// Half a cosine that falls at the start of each stair, the first included: the last stair has the factor 0, as in
    /// MoCo's CIFAR-10 notebook, whose stairs are epochs.
    CosineStairs {
        /// Steps of a stair: at least 1.
        stair: u64,
        /// Steps until the factor is 0: at least 1.
        length: u64,
    },
    /// A fall to a tenth, twice: MoCo v1 on ImageNet (arXiv 1911.05722, §4.1).
    Milestones {
        /// The step of the first fall.
        first: u64,
        /// The step of the second.
        second: u64,
    },
}

impl Ramp {
    /// The factor at `step`, counted from 0. A length of 0, which [`validate`](Self::validate) refuses for cosines, ends
    /// at the start, and a stair of 0 counts as 1.
    pub fn at(&self, step: u64) -> f64 {
        let t = step as f64;
        let share = |length: u64| if length == 0 { 1.0 } else { (t / length as f64).min(1.0) };
        match *self {
            Self::Constant | Self::SigmoidUp { length: 0 } | Self::LinearUp { length: 0 } => 1.0,
            Self::SigmoidUp { length } => (-5.0 * (1.0 - share(length)).powi(2)).exp(),
            Self::LinearUp { length } => share(length),
            Self::SigmoidDown { length: 0, .. } => 1.0,
            Self::SigmoidDown { total, length } => {
                let left = (total as f64 - t).clamp(0.0, length as f64) / length as f64;
                (-12.5 * (1.0 - left).powi(2)).exp()
            }
            Self::CosineDown { length } => ((std::f64::consts::PI * share(length)).cos() + 1.0) / 2.0,
            Self::CosineFraction { length, fraction } => (fraction * std::f64::consts::PI * share(length)).cos(),
            Self::CosineStairs { stair, length } => {
                let stair = stair.max(1);
                Self::CosineDown { length }.at((step / stair).saturating_add(1).saturating_mul(stair))
            }
            Self::Milestones { first, second } => {
                [first, second].into_iter().filter(|&fall| step >= fall).fold(1.0, |factor, _| factor * 0.1)
            }
        }
    }

    /// Checks lengths and fractions.
    ///
    /// # Errors
    /// [`EmaError::Zero`] for a cosine of length 0, [`EmaError::Setting`] for a fraction outside [0, 0.5], NaN included.
    pub fn validate(&self) -> Result<(), EmaError> {
        match *self {
            Self::CosineDown { length } | Self::CosineFraction { length, .. } if length == 0 => {
                Err(EmaError::Zero { field: "length" })
            }
            Self::CosineStairs { length: 0, .. } => Err(EmaError::Zero { field: "length" }),
            Self::CosineStairs { stair: 0, .. } => Err(EmaError::Zero { field: "stair" }),
            Self::CosineFraction { fraction, .. } if !(0.0..=0.5).contains(&fraction) => {
                Err(EmaError::Setting { field: "fraction", value: fraction, range: "in [0, 0.5]" })
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Ramp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Constant => write!(f, "constant"),
            Self::SigmoidUp { length } => write!(f, "sigmoid ramp-up over {length} steps"),
            Self::LinearUp { length } => write!(f, "linear ramp-up over {length} steps"),
            Self::SigmoidDown { total, length } => {
                write!(f, "sigmoid ramp-down over the last {length} of {total} steps")
            }
            Self::CosineDown { length } => write!(f, "cosine to 0 at step {length}"),
            Self::CosineFraction { length, fraction } => {
                write!(f, "cos({fraction:.4}·π·t/{length})")
            }
            Self::CosineStairs { stair, length } => {
                write!(f, "cosine to 0 at step {length}, in stairs of {stair} steps")
            }
            Self::Milestones { first, second } => write!(f, "a tenth from step {first} on, a hundredth from {second}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sigmoid_rises_from_e_to_the_minus_five() {
        let ramp = Ramp::SigmoidUp { length: 80 };
        assert_eq!(ramp.at(0), (-5.0f64).exp());
        assert!((ramp.at(40) - (-1.25f64).exp()).abs() < 1e-15);
        assert_eq!([ramp.at(80), ramp.at(81)], [1.0, 1.0]);
    }

    #[test]
    fn stairs_are_those_of_the_notebook() {
        // 0.5·(1 + cos(πe/E)) with epochs e counted from 1, of E = 4 epochs of 10 steps.
        let ramp = Ramp::CosineStairs { stair: 10, length: 40 };
        for (step, epoch) in [(0, 1.0), (9, 1.0), (10, 2.0), (39, 4.0), (40, 4.0)] {
            let expected = 0.5 * (1.0 + (std::f64::consts::PI * epoch / 4.0f64).cos());
            assert!((ramp.at(step) - expected).abs() < 1e-15, "step {step}");
        }
        assert!(Ramp::CosineStairs { stair: 0, length: 40 }.validate().is_err());
    }

    #[test]
    fn milestones_divide_by_ten() {
        let ramp = Ramp::Milestones { first: 120, second: 160 };
        for (step, expected) in [(119, 1.0), (120, 0.1), (159, 0.1), (160, 0.01)] {
            assert!((ramp.at(step) - expected).abs() < 1e-15, "step {step}");
        }
    }

    #[test]
    fn the_sigmoid_falls_at_the_end_only() {
        let ramp = Ramp::SigmoidDown { total: 100, length: 20 };
        assert_eq!([ramp.at(0), ramp.at(80)], [1.0, 1.0]);
        assert!((ramp.at(90) - (-12.5f64 * 0.25).exp()).abs() < 1e-15);
        assert_eq!([ramp.at(100), ramp.at(200)], [(-12.5f64).exp(); 2]);
    }

    #[test]
    fn length_zero_is_no_ramp_and_never_divides_by_zero() {
        for ramp in
            [Ramp::SigmoidUp { length: 0 }, Ramp::LinearUp { length: 0 }, Ramp::SigmoidDown { total: 10, length: 0 }]
        {
            assert_eq!([ramp.at(0), ramp.at(10), ramp.at(20)], [1.0; 3]);
        }
        for ramp in [
            Ramp::CosineDown { length: 0 },
            Ramp::CosineFraction { length: 0, fraction: 0.5 },
            Ramp::CosineStairs { stair: 0, length: 0 },
            Ramp::CosineStairs { stair: 10, length: 0 },
        ] {
            assert!(ramp.validate().is_err(), "{ramp}");
            assert!([0, 1, u64::MAX].into_iter().all(|step| ramp.at(step).abs() < 1e-15), "{ramp}");
        }
        assert!(Ramp::CosineStairs { stair: 0, length: 40 }.at(39).abs() < 1e-15);
        assert!(Ramp::CosineStairs { stair: 10, length: 40 }.at(u64::MAX).abs() < 1e-15);
    }

    #[test]
    fn cosines_reach_their_ends() {
        assert_eq!(Ramp::CosineDown { length: 10 }.at(0), 1.0);
        assert!(Ramp::CosineDown { length: 10 }.at(10).abs() < 1e-15);
        // FixMatch's learning rate ends at 0.195 of its start.
        let fixmatch = Ramp::CosineFraction { length: 10, fraction: 7.0 / 16.0 };
        assert!((fixmatch.at(10) - 0.19509).abs() < 1e-5);
        assert!(Ramp::CosineFraction { length: 10, fraction: f64::NAN }.validate().is_err());
    }

    #[test]
    fn mean_teachers_cosine_stops_at_five_percent() {
        // 180 epochs of a fall that would end at 210 (the authors' `cifar10_test.py`).
        assert!((Ramp::CosineDown { length: 210 }.at(180) - 0.0495).abs() < 1e-4);
    }
}
