//! What was measured, as a line, a table and JSON.

use serde::Serialize;

/// Seconds per image of one side, round by round.
pub(super) struct Side {
    median: f64,
    /// Half of the distance between the quartiles, as a share of the median.
    spread: f64,
}

impl Side {
    pub(super) fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share).round() as usize];
        Self { median: at(0.5), spread: (at(0.75) - at(0.25)) / 2.0 / at(0.5) }
    }
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: String,
    params: String,
    backend: String,
    device: String,
    /// For an image, an update or a loss.
    median_seconds: Option<f64>,
    /// Half the distance between the quartiles, as a share of the median.
    spread: Option<f64>,
    /// The other side's median.
    baseline: Option<f64>,
    /// How many times as fast as the other side.
    ratio: Option<f64>,
    peak_bytes: Option<u64>,
}

impl Row {
    pub(super) fn new(
        name: &str,
        params: &str,
        threads: usize,
        device: &str,
        ours: Side,
        theirs: Option<Side>,
    ) -> Self {
        let baseline = theirs.map(|side| side.median);
        Self {
            name: name.to_owned(),
            params: params.to_owned(),
            backend: format!("cpu, {threads} thread{}", if threads == 1 { "" } else { "s" }),
            device: device.to_owned(),
            median_seconds: Some(ours.median),
            spread: Some(ours.spread),
            baseline,
            ratio: baseline.map(|baseline| baseline / ours.median),
            peak_bytes: None,
        }
    }

    pub(super) fn of_memory(params: String, device: &str, peak_bytes: u64, ratio: f64) -> Self {
        Self {
            name: "memory/loader".to_owned(),
            params,
            backend: "cpu".to_owned(),
            device: device.to_owned(),
            median_seconds: None,
            spread: None,
            baseline: None,
            ratio: Some(ratio),
            peak_bytes: Some(peak_bytes),
        }
    }

    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.name, self.cells()[2..].join(", "))
    }

    fn cells(&self) -> [String; 6] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let rate = |seconds: f64| format!("{:.0} /s", 1.0 / seconds);
        [
            self.name.clone(),
            format!("{}; {}", self.params, self.backend),
            or_dash(
                self.median_seconds
                    .map(|seconds| format!("{:.1} µs", 1e6 * seconds))
                    .or_else(|| self.peak_bytes.map(|bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))),
            ),
            or_dash(
                self.median_seconds
                    .zip(self.spread)
                    .map(|(seconds, spread)| format!("{} ± {:.0} %", rate(seconds), 100.0 * spread)),
            ),
            or_dash(self.baseline.map(|seconds| format!("{:.1} µs ({})", 1e6 * seconds, rate(seconds)))),
            or_dash(self.ratio.map(|ratio| format!("{ratio:.2} ×"))),
        ]
    }
}

/// Markdown, as docs/performance.md has it.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = "| Work | With | Slowburn, each | rate | PyTorch | ratio |\n|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        text += &format!("| {} |\n", row.cells().join(" | "));
    }
    text
}

/// The processor's name.
pub(super) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
