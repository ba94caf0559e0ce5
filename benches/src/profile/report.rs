//! The parts of a step as a table.

use serde::Serialize;
use slowburn_benches::stats::{duration, median, spread};

use super::clock::{Clock, Kind};

/// A profile.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    name: String,
    batch: usize,
    /// Of the library's own step, with the loader working ahead.
    step_seconds: f64,
    /// Half the distance between the quartiles, as a share of the median.
    spread: f64,
    parts: Vec<Part>,
    /// The passes through the networks, forward and backward.
    passes_seconds: f64,
    /// (step − passes) / passes.
    overhead: f64,
    /// The sum of all other parts / passes.
    overhead_of_parts: f64,
    /// The same without the optimizer.
    overhead_of_method: f64,
}

#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    kind: Kind,
    median_seconds: f64,
    spread: f64,
}

impl Report {
    /// Of the parts that a clock has seen, and the seconds of whole steps.
    pub(super) fn new(name: String, batch: usize, clock: Clock, steps: &[f64]) -> Self {
        let part = |(name, kind, seconds): (&'static str, Kind, Vec<f64>)| Part {
            name,
            kind,
            median_seconds: median(&seconds),
            spread: spread(&seconds),
        };
        let parts: Vec<Part> = clock.parts.into_iter().map(part).collect();
        let sum = |wanted: &[Kind]| -> f64 {
            parts.iter().filter(|part| wanted.contains(&part.kind)).map(|part| part.median_seconds).sum()
        };
        let passes = sum(&[Kind::Pass]);
        let step = median(steps);
        Self {
            name,
            batch,
            step_seconds: step,
            spread: spread(steps),
            passes_seconds: passes,
            overhead: step / passes - 1.0,
            overhead_of_parts: sum(&[Kind::Views, Kind::Method, Kind::Optimizer]) / passes,
            overhead_of_method: sum(&[Kind::Views, Kind::Method]) / passes,
            parts,
        }
    }

    pub(super) fn text(&self) -> String {
        let whole: f64 = self.parts.iter().map(|part| part.median_seconds).sum();
        let mut text = format!(
            "{}, batch {}\n\n| Part | of | time | spread | share |\n|---|---|---|---|---|\n",
            self.name, self.batch
        );
        for part in &self.parts {
            let kind = match part.kind {
                Kind::Pass => "pass",
                Kind::Views => "views",
                Kind::Method => "method",
                Kind::Optimizer => "optimizer",
            };
            let share = 100.0 * part.median_seconds / whole;
            let (time, percent) = (duration(part.median_seconds), 100.0 * part.spread);
            text += &format!("| {} | {kind} | {time} | ± {percent:.0} % | {share:.2} % |\n", part.name);
        }
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        text += &format!(
            "\nparts, one after the other: {}; the library's own step, views made beside it: {} ± {:.0} %\n",
            duration(whole),
            duration(self.step_seconds),
            100.0 * self.spread
        );
        text += &format!(
            "overhead beside {} of passes: {} (whole step), {} (sum of the other parts), {} of them without the optimizer",
            duration(self.passes_seconds),
            percent(self.overhead),
            percent(self.overhead_of_parts),
            percent(self.overhead_of_method),
        );
        text
    }
}
