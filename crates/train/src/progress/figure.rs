/// A number with its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// Whether it is a fraction to be shown in percent.
    pub percent: bool,
}

impl Figure {
    /// A number to be shown as it is.
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, value, percent: false }
    }

    /// A fraction to be shown in percent.
    pub fn percent(name: &'static str, value: f64) -> Self {
        Self { name, value, percent: true }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.percent {
            true => write!(f, "{} {:.2} %", self.name, 100.0 * self.value),
            false => write!(f, "{} {:.5}", self.name, self.value),
        }
    }
}
