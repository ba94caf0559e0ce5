//! The kernels of a step as a table.

use serde::Serialize;
use slowburn_benches::stats::duration;
use slowburn_benches::work::floor::Floor;
use slowburn_benches::work::passes::Network;

use super::Peaks;

/// A step and its kernels.
#[derive(Debug, Serialize)]
pub(in crate::profile) struct Table {
    network: &'static str,
    batch: usize,
    /// The kernels' instruction set, and their arithmetic if it is not the default.
    instruction_set: Option<String>,
    peaks: Peaks,
    /// Of a pass forward and back.
    step_seconds: f64,
    /// Of all rows.
    sum_seconds: f64,
    /// The longest first.
    rows: Vec<Row>,
}

/// All calls of one kernel.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    operation: &'static str,
    layer: String,
    /// Calls in a step.
    times: usize,
    /// Of all of them.
    seconds: f64,
    /// Floating-point operations of the definition, in a second.
    operations_per_second: Option<f64>,
    /// Bytes moved in a second.
    bytes_per_second: Option<f64>,
    /// Of the machine's best rate of either.
    of_peak: Option<f64>,
}

impl Row {
    /// Of a kernel that takes so many seconds once.
    pub(super) fn new(
        operation: &'static str,
        layer: String,
        times: usize,
        seconds: f64,
        floor: Floor,
        peaks: &Peaks,
    ) -> Self {
        // None of what takes no time: a step without a page fault.
        let rate = |amount: f64| (seconds > 0.0).then(|| amount / seconds);
        let (operations_per_second, bytes_per_second) = match floor {
            Floor::Operations(operations) => (rate(operations), None),
            Floor::Bytes(bytes) => (None, rate(bytes)),
        };
        Self {
            operation,
            layer,
            times,
            seconds: times as f64 * seconds,
            operations_per_second,
            bytes_per_second,
            of_peak: peaks.share(floor, seconds).filter(|share| share.is_finite()),
        }
    }

    fn rate(&self) -> String {
        let operations = self.operations_per_second.map(|rate| format!("{:.1} GFLOP/s", rate / 1e9));
        let bytes = self.bytes_per_second.map(|rate| format!("{:.1} GB/s", rate / 1e9));
        operations.or(bytes).unwrap_or_default()
    }
}

impl Table {
    /// Sorts the rows.
    pub(super) fn new(
        network: Network,
        batch: usize,
        instruction_set: Option<String>,
        peaks: Peaks,
        mut rows: Vec<Row>,
        step_seconds: f64,
    ) -> Self {
        rows.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        let sum_seconds = rows.iter().map(|row| row.seconds).sum();
        Self { network: network.title(), batch, instruction_set, peaks, step_seconds, sum_seconds, rows }
    }

    fn share(&self, seconds: f64) -> String {
        format!("{:.1} %", 100.0 * seconds / self.step_seconds)
    }

    /// Seconds by operation, the longest first.
    fn operations(&self) -> Vec<(&'static str, f64)> {
        let mut sums: Vec<(&'static str, f64)> = Vec::new();
        for row in &self.rows {
            match sums.iter_mut().find(|sum| sum.0 == row.operation) {
                Some((_, seconds)) => *seconds += row.seconds,
                None => sums.push((row.operation, row.seconds)),
            }
        }
        sums.sort_by(|one, other| other.1.total_cmp(&one.1));
        sums
    }

    pub(in crate::profile) fn text(&self) -> String {
        let mut text = format!("{}, batch {}, layer by layer\n\n", self.network, self.batch);
        text += "| Operation | time | of the step |\n|---|---|---|\n";
        for (operation, seconds) in self.operations() {
            text += &format!("| {operation} | {} | {} |\n", duration(seconds), self.share(seconds));
        }
        text += "\n| Operation | Layer | calls | time | of the step | rate | of the peak |\n|---|---|---|---|---|---|---|\n";
        for row in &self.rows {
            let Row { operation, layer, times, seconds, of_peak, .. } = row;
            let (time, share, rate) = (duration(*seconds), self.share(*seconds), row.rate());
            let peak = of_peak.map_or("–".to_owned(), |share| format!("{share:.2} ×"));
            text += &format!("| {operation} | {layer} | {times} | {time} | {share} | {rate} | {peak} |\n");
        }
        text += "\nrates count a convolution's definition: by fewer multiplications it may pass the peak; what a cache holds \
                 is faster than memory\n";
        let rest = self.step_seconds - self.sum_seconds;
        text += &format!(
            "sum of all: {} of {} that a pass forward and back takes; the rest, {} ({}), is what no row is about",
            duration(self.sum_seconds),
            duration(self.step_seconds),
            signed(rest),
            self.share(rest),
        );
        text
    }
}

/// A rest may be less than nothing where kernels by themselves are slower than in a step.
fn signed(seconds: f64) -> String {
    if seconds < 0.0 { format!("−{}", duration(-seconds)) } else { duration(seconds) }
}
