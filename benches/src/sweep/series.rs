//! Costs over one size.

use anyhow::{Context, Result};
use serde::Serialize;
use slowburn_benches::backend::Backend;
use slowburn_benches::stats::{Power, duration, median, spread};
use slowburn_benches::work::Run;

use crate::{measure, settings};

/// What a series is about.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    pub(super) name: &'static str,
    /// What the size is.
    pub(super) size: &'static str,
    /// What stays the same.
    pub(super) params: String,
}

/// Costs at several sizes, of one way to do the work or of several.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    #[serde(flatten)]
    pub(super) words: Words,
    backend: &'static str,
    device: String,
    /// The instruction set of the layers' kernels, on a backend that has them.
    instruction_set: Option<String>,
    pub(super) lines: Vec<Line>,
    /// The sizes, first to last, from which on the other of two ways is the faster one; between sizes it is interpolated.
    crossings: Vec<f64>,
}

/// One way to do the work, with what tells it from others.
pub(super) type Way = (Option<&'static str>, Run);

/// What was measured of one way to do the work.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    /// What tells it from the others, if there are others.
    pub(super) way: Option<&'static str>,
    pub(super) points: Vec<Point>,
    /// Of the fitted `factor·size^exponent`, in seconds.
    pub(super) exponent: f64,
    factor: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) size: usize,
    pub(super) median_seconds: f64,
    /// Half the distance between the quartiles, as a share of the median.
    spread: f64,
}

impl Point {
    /// Of the seconds of several measurements.
    pub(super) fn new(size: usize, seconds: &[f64]) -> Self {
        Self { size, median_seconds: median(seconds), spread: spread(seconds) }
    }
}

impl Line {
    /// The cost of a size by the fit.
    pub(super) fn fitted(&self, size: f64) -> f64 {
        Power { exponent: self.exponent, factor: self.factor }.at(size)
    }

    fn seconds(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().map(|point| (point.size as f64, point.median_seconds))
    }
}

impl Series {
    /// Fits every line.
    pub(super) fn new(words: Words, backend: &Backend, mut lines: Vec<Line>) -> Result<Self> {
        for line in &mut lines {
            let points: Vec<_> = line.seconds().collect();
            let Power { exponent, factor } = Power::fit(&points).context("two sizes and positive times")?;
            (line.exponent, line.factor) = (exponent, factor);
        }
        let crossings = match &lines[..] {
            [first, second] => {
                let both = first.seconds().zip(second.seconds());
                crossings(&both.map(|((size, one), (_, other))| (size, one / other)).collect::<Vec<_>>())
            }
            _ => Vec::new(),
        };
        let (device, instruction_set) = (measure::hardware(backend), settings::kernels(&backend.device));
        Ok(Self { words, backend: backend.name, device, instruction_set, lines, crossings })
    }

    pub(super) fn text(&self) -> String {
        let Words { name, size: axis, params } = &self.words;
        let mut text = format!("{name} ({params})\n");
        for line in &self.lines {
            let way = line.way.map(|way| format!("{way}: ")).unwrap_or_default();
            text += &format!("  {way}cost ~ {axis}^{:.2}\n", line.exponent);
            for Point { size, median_seconds, spread } in &line.points {
                let percent = 100.0 * spread;
                text += &format!("  {axis} {size}: {} ± {percent:.0} %\n", duration(*median_seconds));
            }
        }
        if let [first, second] = &self.lines[..] {
            text += &self.comparison(first, second);
        }
        text.trim_end().to_owned()
    }

    /// Which way is the faster one where.
    fn comparison(&self, first: &Line, second: &Line) -> String {
        let ways = [first, second].map(|line| line.way.unwrap_or_default());
        let ratios = first.points.iter().zip(&second.points);
        let ratios =
            ratios.map(|(one, other)| format!("{} at {}", ratio(one.median_seconds / other.median_seconds), one.size));
        let ratios = ratios.collect::<Vec<_>>().join(", ");
        let crossings = self.crossings.iter().map(|size| format!("{size:.0}")).collect::<Vec<_>>().join(", ");
        let crossings = if crossings.is_empty() { "nowhere".to_owned() } else { format!("at {crossings}") };
        format!("  {} over {}: {ratios}; they cross {crossings}\n", ways[0], ways[1])
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.2} ×")
}

/// Where a ratio over a size passes 1, by straight lines between the logarithms of both.
fn crossings(ratios: &[(f64, f64)]) -> Vec<f64> {
    let crossing = |pair: &[(f64, f64)]| {
        let [(from, before), (to, after)] = [pair[0], pair[1]];
        let passes = (before < 1.0) != (after < 1.0);
        passes.then(|| (from.ln() + (to / from).ln() * before.ln() / (before / after).ln()).exp())
    };
    ratios.windows(2).filter_map(crossing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_cross_where_they_are_one() {
        // 2/size: 1 at 2, between 1 and 4.
        let found = crossings(&[(1.0, 2.0), (4.0, 0.5), (16.0, 0.25), (32.0, 4.0)]);
        assert_eq!(found.len(), 2);
        assert!((found[0] - 2.0).abs() < 1e-12 && (16.0..32.0).contains(&found[1]), "{found:?}");
        assert!(crossings(&[(1.0, 2.0), (2.0, 3.0)]).is_empty());
    }
}
