/// Mean and sample standard deviation, the latter 0 for one value.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 })
}

/// Mean and deviation of fractions, in percent.
pub(crate) fn percent(values: &[f64]) -> String {
    let (mean, deviation) = spread(values);
    format!("{:.2} ± {:.2} %", 100.0 * mean, 100.0 * deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(spread(&[0.5]), (0.5, 0.0));
        let (mean, deviation) = spread(&[1.0, 2.0, 3.0]);
        assert_eq!((mean, deviation), (2.0, 1.0));
        assert_eq!(percent(&[0.5, 0.5]), "50.00 ± 0.00 %");
    }
}
