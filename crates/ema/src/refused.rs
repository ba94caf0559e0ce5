use std::fmt;

/// The error of a call that takes a value and failed: the value, unchanged, and the reason.
///
/// `?` turns it into the inner error where a function returns that; [`into_parts`](Self::into_parts) gives both. For `anyhow`, which
/// wants errors that threads may share, write `map_err(Refused::into_error)?`.
#[must_use]
pub struct Refused<T, E>(Box<(T, E)>);

impl<T, E> Refused<T, E> {
    /// Hands `value` back because of `error`.
    pub fn new(value: T, error: E) -> Self {
        Self(Box::new((value, error)))
    }

    /// The reason.
    pub fn error(&self) -> &E {
        &self.0.1
    }

    /// The reason; the value is dropped.
    pub fn into_error(self) -> E {
        self.0.1
    }

    /// The value and the reason.
    pub fn into_parts(self) -> (T, E) {
        *self.0
    }

    /// The same with another value and reason.
    pub fn map<U, F>(self, value: impl FnOnce(T) -> U, error: impl FnOnce(E) -> F) -> Refused<U, F> {
        let (own, why) = self.into_parts();
        Refused::new(value(own), error(why))
    }
}

impl<T, E: fmt::Debug> fmt::Debug for Refused<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("error", self.error()).finish_non_exhaustive()
    }
}

impl<T, E: fmt::Display> fmt::Display for Refused<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl<T, E: std::error::Error> std::error::Error for Refused<T, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error().source()
    }
}

impl<T> From<Refused<T, Self>> for crate::EmaError {
    fn from(refused: Refused<T, Self>) -> Self {
        refused.into_error()
    }
}
