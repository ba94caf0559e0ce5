/// What can be wrong with an optimizer's settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// The momentum is outside its range.
    #[error("momentum is {value}: it must lie in [0, 1)")]
    Momentum {
        /// The value given.
        value: f64,
    },
    /// The dampening is outside its range.
    #[error("dampening is {value}: it must lie in [0, 1]")]
    Dampening {
        /// The value given.
        value: f64,
    },
    /// A decay of Adam's means is outside its range.
    #[error("{field} is {value}: it must lie in [0, 1)")]
    Beta {
        /// Which of them.
        field: &'static str,
        /// The value given.
        value: f64,
    },
    /// Adam's ε is not positive and finite.
    #[error("epsilon is {value}: it must be positive and finite")]
    Epsilon {
        /// The value given.
        value: f64,
    },
    /// The weight decay is negative, NaN or too large for the weights' type.
    #[error("weight_decay is {value}: it must be at least 0 and finite in f32")]
    WeightDecay {
        /// The value given.
        value: f64,
    },
    /// LARS's trust is not positive and finite.
    #[error("trust is {value}: it must be positive and finite")]
    Trust {
        /// The value given.
        value: f64,
    },
    /// Nesterov's form needs momentum, and a velocity without dampening.
    #[error("nesterov with momentum {momentum} and dampening {dampening}: it needs momentum in (0, 1) and dampening 0")]
    Nesterov {
        /// The momentum given.
        momentum: f64,
        /// The dampening given.
        dampening: f64,
    },
}
