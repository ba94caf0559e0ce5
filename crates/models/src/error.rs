//! What can be wrong with a configuration or with a set of weights.

/// Everything this crate refuses, with the value it was given and what it accepts.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A number in a configuration is outside its range (NaN is outside every range).
    #[error("{field} is {value}, but must be {allowed}")]
    OutOfRange {
        /// The field of the configuration.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The values that are accepted.
        allowed: &'static str,
    },
    /// A number that weights are made from is not finite.
    #[error("{what} is not finite")]
    NotFinite {
        /// Which number.
        what: &'static str,
    },
    /// A layer refused its settings.
    #[error(transparent)]
    Layer(#[from] slowburn_layers::LayerError),
    /// A [`StateDict`](crate::StateDict) lacks a parameter of the module.
    #[error("the state dict has no `{name}`, which the module needs")]
    MissingWeight {
        /// The name that was looked up, in PyTorch's spelling.
        name: String,
    },
    /// A [`StateDict`](crate::StateDict) holds an entry that no parameter of the module has.
    #[error("the state dict has `{name}`, which no parameter of the module is called")]
    UnknownWeight {
        /// The name of the entry.
        name: String,
    },
    /// An entry of a [`StateDict`](crate::StateDict) has another shape than its parameter.
    #[error("`{name}` has the shape {found:?} in the state dict, but must be {expected:?}")]
    ShapeMismatch {
        /// The name, in PyTorch's spelling.
        name: String,
        /// The parameter's shape, in PyTorch's layout.
        expected: Vec<usize>,
        /// The shape of the entry.
        found: Vec<usize>,
    },
}

/// Accepts counts of at least one.
pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), ModelError> {
    in_range(field, value as f64, value >= 1, "at least 1")
}

/// Accepts the probability with which dropout zeroes a value.
pub(crate) fn dropout_probability(field: &'static str, value: f64) -> Result<(), ModelError> {
    in_range(field, value, (0.0..1.0).contains(&value), "in [0, 1)")
}

/// Accepts a standard deviation, zero included.
pub(crate) fn standard_deviation(field: &'static str, value: f64) -> Result<(), ModelError> {
    let valid = value.is_finite() && value >= 0.0;
    in_range(field, value, valid, "finite and at least 0")
}

/// Accepts the weight of the new batch in running statistics.
pub(crate) fn new_value_weight(field: &'static str, value: f64) -> Result<(), ModelError> {
    in_range(field, value, (0.0..=1.0).contains(&value), "in [0, 1]")
}

/// Accepts what is added to a variance before it divides.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ModelError> {
    let valid = value.is_finite() && value > 0.0;
    in_range(field, value, valid, "finite and greater than 0")
}

/// Accepts the slope of a leaky rectifier below zero.
pub(crate) fn negative_slope(field: &'static str, value: f64) -> Result<(), ModelError> {
    in_range(field, value, (0.0..=1.0).contains(&value), "in [0, 1]")
}

/// `valid` is stated in the positive form, so that NaN fails it.
pub(crate) fn in_range(field: &'static str, value: f64, valid: bool, allowed: &'static str) -> Result<(), ModelError> {
    if valid { Ok(()) } else { Err(ModelError::OutOfRange { field, value, allowed }) }
}
