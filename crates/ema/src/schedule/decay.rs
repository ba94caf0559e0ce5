use serde::{Deserialize, Serialize};

use crate::EmaError;

/// How much of the old average survives an update: `d(t)` in `θ̄ ← d(t)·θ̄ + (1−d(t))·θ`.
///
/// `t` counts updates from 1, so the first update asks for `d(1)`. Every schedule is a pure function of `t`: a
/// resumed run that restores `t` continues exactly.
///
/// | Variant | `d(t)` | Used by |
/// |---|---|---|
/// | [`Constant`](Self::Constant) | `decay` | MoCo (arXiv 1911.05722, eq. 2: its `m`) |
/// | [`WarmUp`](Self::WarmUp) | `min(1 − 1/(t+1), decay)` | Mean Teacher (arXiv 1703.01780, §2, with the start of the authors' code) |
/// | [`Step`](Self::Step) | `first` while `t ≤ until`, then `then` | Mean Teacher on SVHN: 0.99, then 0.999 |
/// | [`Cosine`](Self::Cosine) | `end − (end−base)·(cos(π·t/steps)+1)/2` | BYOL (arXiv 2006.07733, §3.2), MoCo v3 |
/// | [`Uniform`](Self::Uniform) | `1 − 1/(t+1)` | SWA (arXiv 1803.05407): the mean of all models so far |
///
/// Decays are weights in [0, 1], lengths are numbers of updates (at least 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decay {
    /// The same decay at every update.
    Constant {
        /// Weight of the old average, in [0, 1].
        decay: f64,
    },
    /// A plain mean at first, until the memory reaches that of `decay`.
    ///
    /// The mean counts the initial copy: `d(1) = 1/2`. The constant takes over at `t = 1/(1−decay) − 1`.
    WarmUp {
        /// Weight of the old average after the warm-up, in [0, 1].
        decay: f64,
    },
    /// One decay for the first updates, another afterwards.
    Step {
        /// Weight of the old average while `t ≤ until`, in [0, 1].
        first: f64,
        /// Weight of the old average afterwards, in [0, 1].
        then: f64,
        /// The last update that uses `first`.
        until: u64,
    },
    /// A half cosine from `base` (at `t = 0`) to `end` (at `t ≥ steps`).
    Cosine {
        /// Weight of the old average at the start, in [0, 1].
        base: f64,
        /// Weight of the old average at the end, in [0, 1].
        end: f64,
        /// Length, in updates.
        steps: u64,
    },
    /// The arithmetic mean of the initial copy and of every model averaged since.
    Uniform,
}

impl Decay {
    /// The weight of the old average at update `t`, counted from 1.
    ///
    /// `t = 0` is taken as 1: there is no update before the first.
    pub fn at(&self, t: u64) -> f64 {
        let t = t.max(1);
        let mean = 1.0 - 1.0 / (t as f64 + 1.0);
        match *self {
            Self::Constant { decay } => decay,
            Self::WarmUp { decay } => mean.min(decay),
            Self::Step { first, until, .. } if t <= until => first,
            Self::Step { then, .. } => then,
            Self::Cosine { base, end, steps } => {
                let progress = (t as f64 / steps as f64).min(1.0);
                end - (end - base) * ((std::f64::consts::PI * progress).cos() + 1.0) / 2.0
            }
            Self::Uniform => mean,
        }
    }

    /// Checks every decay and length.
    ///
    /// # Errors
    /// [`EmaError::Decay`] for a decay outside [0, 1] or NaN, [`EmaError::Zero`] for a length of 0.
    pub fn validate(&self) -> Result<(), EmaError> {
        let weight = |field, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(EmaError::Decay { field, value }),
        };
        match *self {
            Self::Constant { decay } | Self::WarmUp { decay } => weight("decay", decay),
            Self::Step { first, then, .. } => weight("first", first).and(weight("then", then)),
            Self::Cosine { steps: 0, .. } => Err(EmaError::Zero { field: "steps" }),
            Self::Cosine { base, end, .. } => weight("base", base).and(weight("end", end)),
            Self::Uniform => Ok(()),
        }
    }
}

impl std::fmt::Display for Decay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Constant { decay } => write!(f, "{decay}"),
            Self::WarmUp { decay } => write!(f, "min(1 - 1/(t+1), {decay})"),
            Self::Step { first, then, until } => write!(f, "{first} until step {until}, then {then}"),
            Self::Cosine { base, end, steps } => write!(f, "cosine from {base} to {end} over {steps} steps"),
            Self::Uniform => write!(f, "1 - 1/(t+1)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_starts_at_one_half_and_hands_over_at_the_memory_of_the_decay() {
        let schedule = Decay::WarmUp { decay: 0.99 };
        assert_eq!(schedule.at(1), 0.5);
        assert!(schedule.at(98) < 0.99);
        assert_eq!(schedule.at(99), 0.99);
        assert_eq!(schedule.at(1_000_000), 0.99);
    }

    #[test]
    fn step_switches_after_the_named_update() {
        let schedule = Decay::Step { first: 0.99, then: 0.999, until: 3 };
        assert_eq!([1, 3, 4].map(|t| schedule.at(t)), [0.99, 0.99, 0.999]);
    }

    #[test]
    fn cosine_reaches_its_ends_and_middle() {
        let schedule = Decay::Cosine { base: 0.9, end: 1.0, steps: 100 };
        assert!((schedule.at(50) - 0.95).abs() < 1e-15);
        assert_eq!(schedule.at(100), 1.0);
        assert_eq!(schedule.at(1000), 1.0);
        assert!((schedule.at(1) - 0.9).abs() < 1e-4);
    }

    #[test]
    fn decays_outside_the_unit_interval_are_refused_by_name() {
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Decay::Constant { decay: value }.validate().is_err());
            assert!(Decay::WarmUp { decay: value }.validate().is_err());
            assert!(Decay::Step { first: 0.5, then: value, until: 1 }.validate().is_err());
            assert!(Decay::Cosine { base: value, end: 1.0, steps: 1 }.validate().is_err());
        }
        let error = Decay::Constant { decay: 1.5 }.validate().expect_err("1.5 is no weight");
        assert_eq!(error.to_string(), "decay is 1.5: a decay must lie in [0, 1]");
        let error = Decay::Cosine { base: 0.9, end: 1.0, steps: 0 }.validate();
        assert_eq!(error, Err(EmaError::Zero { field: "steps" }));
    }
}
