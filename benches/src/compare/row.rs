//! What was measured, as a line, a table and JSON.

use serde::Serialize;
use slowburn_benches::stats::{duration, median, spread};

use crate::measure::{Time, cores_busy};

/// Seconds each of one side, round by round.
pub(super) struct Side {
    pub(super) median: f64,
    spread: f64,
    /// How many cores were busy on the average.
    cores: Option<f64>,
}

impl Side {
    pub(super) fn new(seconds: &[f64]) -> Self {
        Self { median: median(seconds), spread: spread(seconds), cores: None }
    }

    pub(super) fn of(times: &[Time]) -> Self {
        let seconds: Vec<f64> = times.iter().map(|time| time.each).collect();
        Self { cores: cores_busy(times), ..Self::new(&seconds) }
    }
}

/// What a row is about.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) params: String,
    /// The backend, or `cpu` for work that none does.
    pub(super) backend: String,
    pub(super) device: String,
    /// How the layers' kernels compute, where they do.
    pub(super) kernels: Option<String>,
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: String,
    params: String,
    backend: String,
    device: String,
    /// The instruction set of the layers' kernels, and their arithmetic if it is not the default; none elsewhere.
    instruction_set: Option<String>,
    /// For an image, an update or a loss.
    median_seconds: Option<f64>,
    /// Half the distance between the quartiles, as a share of the median.
    spread: Option<f64>,
    /// The other side's median.
    baseline: Option<f64>,
    /// How many times as fast as the other side.
    ratio: Option<f64>,
    /// Of the processor, busy with our side on the average.
    cores: Option<f64>,
    /// Beyond the inputs; of streaming, the process's.
    peak_bytes: Option<u64>,
    /// The other side's.
    baseline_peak_bytes: Option<u64>,
    /// What the machine needs at the least, by its own speed of copying or of matrix products.
    floor_seconds: Option<f64>,
}

impl Row {
    pub(super) fn new(subject: Subject, ours: &Side, theirs: Option<&Side>) -> Self {
        let Subject { name, params, backend, device, kernels } = subject;
        let baseline = theirs.map(|side| side.median);
        Self {
            name,
            params,
            backend,
            device,
            instruction_set: kernels,
            median_seconds: Some(ours.median),
            spread: Some(ours.spread),
            baseline,
            ratio: baseline.map(|baseline| baseline / ours.median),
            cores: ours.cores,
            peak_bytes: None,
            baseline_peak_bytes: None,
            floor_seconds: None,
        }
    }

    pub(super) fn of_memory(subject: Subject, peak_bytes: u64, ratio: f64) -> Self {
        let nothing = Side::new(&[0.0]);
        Self {
            median_seconds: None,
            spread: None,
            ratio: Some(ratio),
            peak_bytes: Some(peak_bytes),
            ..Self::new(subject, &nothing, None)
        }
    }

    pub(super) fn with_floor(self, floor_seconds: Option<f64>) -> Self {
        Self { floor_seconds, ..self }
    }

    /// Of both sides.
    pub(super) fn with_peaks(self, [peak_bytes, baseline_peak_bytes]: [Option<u64>; 2]) -> Self {
        Self { peak_bytes, baseline_peak_bytes, ..self }
    }

    /// Name, backend, and the ratio or the seconds, for a chart.
    pub(super) fn figures(&self) -> (&str, &str, Option<f64>, Option<f64>) {
        (&self.name, &self.backend, self.ratio, self.median_seconds)
    }

    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.name, self.cells()[2..].join(", "))
    }

    fn cells(&self) -> [String; 9] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let times = |ratio: f64| format!("{ratio:.2} ×");
        let floor = self.median_seconds.zip(self.floor_seconds).map(|(seconds, floor)| times(seconds / floor));
        let theirs =
            self.baseline_peak_bytes.map(|bytes| format!(" (PyTorch {})", mebibytes(bytes))).unwrap_or_default();
        [
            self.name.clone(),
            [Some(&self.params), Some(&self.backend), self.instruction_set.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("; "),
            or_dash(self.median_seconds.map(duration)),
            or_dash(
                self.median_seconds
                    .zip(self.spread)
                    .map(|(seconds, spread)| format!("{} ± {:.0} %", rate(seconds), 100.0 * spread)),
            ),
            or_dash(self.baseline.map(|seconds| format!("{} ({})", duration(seconds), rate(seconds)))),
            or_dash(self.ratio.map(times)),
            or_dash(floor),
            or_dash(self.cores.map(|cores| format!("{cores:.2}"))),
            or_dash(self.peak_bytes.map(mebibytes)) + &theirs,
        ]
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// How many a second.
fn rate(seconds: f64) -> String {
    match 1.0 / seconds {
        rate if rate < 100.0 => format!("{rate:.2} /s"),
        rate => format!("{rate:.0} /s"),
    }
}

/// Markdown; docs/performance.md leaves some columns out.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text =
        "| Work | With | Slowburn, each | rate | PyTorch | ratio | of its floor | cores | memory |\n".to_owned();
    text += "|---|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        text += &format!("| {} |\n", row.cells().join(" | "));
    }
    text
}
