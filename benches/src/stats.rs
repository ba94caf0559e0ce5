//! What is made of measured times.

/// The value that a share of the values lies below: 0.5 is the median. Between two values it is interpolated, so that
/// the quartiles of a few are not their median.
///
/// # Panics
/// Without values.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = (values.len() - 1) as f64 * share;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// The middle value.
///
/// # Panics
/// Without values.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Half of the distance between the quartiles, as a share of the median.
///
/// # Panics
/// Without values.
pub fn spread(values: &[f64]) -> f64 {
    (quantile(values, 0.75) - quantile(values, 0.25)) / 2.0 / median(values)
}

/// `y = factor·x^exponent`, the line of least squares through the logarithms of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// How fast it grows: 1 is in proportion.
    pub exponent: f64,
    /// The value at 1.
    pub factor: f64,
}

impl Power {
    /// Fits points (x, y), all positive; nothing for fewer than two different x.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let logarithms: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
        let count = logarithms.len() as f64;
        let mean_x = logarithms.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = logarithms.iter().map(|(_, y)| y).sum::<f64>() / count;
        let varies = logarithms.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
        let together = logarithms.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
        // In the positive form, so that values whose logarithm is none give nothing.
        (varies > 0.0 && together.is_finite()).then(|| {
            let exponent = together / varies;
            Self { exponent, factor: (mean_y - exponent * mean_x).exp() }
        })
    }

    /// The value of the fit at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.factor * x.powf(self.exponent)
    }
}

/// Seconds in the unit that fits.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10e-3 => format!("{:.1} µs", 1e6 * s),
        s if s < 10.0 => format!("{:.1} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}

/// The same with three digits and in the units that charts have, whose font knows no µ.
pub fn brief(seconds: f64) -> String {
    let (value, unit) = if seconds < 1.0 { (1e3 * seconds, "ms") } else { (seconds, "s") };
    let digits = (2 - value.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_a_few_values_lie_between_them() {
        assert_eq!(quantile(&[3.0], 0.75), 3.0);
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|share| quantile(&[3.0, 1.0, 2.0], share)), [1.0, 1.5, 2.0, 3.0]);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[1.0, 2.0, 3.0]), 0.25);
    }
}
