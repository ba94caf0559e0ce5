//! What can be wrong with a configuration.

/// Everything this crate refuses, with the value it was given and what it accepts.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayerError {
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
}

/// Accepts counts of at least one.
pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), LayerError> {
    in_range(field, value as f64, value >= 1, "at least 1")
}

/// Accepts the weight of the new batch in running statistics.
pub(crate) fn new_value_weight(field: &'static str, value: f64) -> Result<(), LayerError> {
    in_range(field, value, (0.0..=1.0).contains(&value), "in [0, 1]")
}

/// Accepts what is added to a variance before it divides.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), LayerError> {
    let valid = value.is_finite() && value > 0.0;
    in_range(field, value, valid, "finite and greater than 0")
}

/// `valid` is stated in the positive form, so that NaN fails it.
fn in_range(field: &'static str, value: f64, valid: bool, allowed: &'static str) -> Result<(), LayerError> {
    if valid { Ok(()) } else { Err(LayerError::OutOfRange { field, value, allowed }) }
}
