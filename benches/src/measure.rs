//! Times of work that can be repeated.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slowburn_benches::backend::{Backend, built_in, open};
use slowburn_benches::stats::median;
use slowburn_benches::work::Run;

use crate::process::Usage;
use crate::settings::kernels;

/// The shortest work whose processors can be counted, in seconds: the system counts in hundredths.
const COUNTABLE: f64 = 0.1;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    /// Seconds each.
    pub(crate) each: f64,
    /// Seconds of all.
    whole: f64,
    /// What this process used meanwhile, where the system tells.
    used: Option<Usage>,
}

#[cfg(feature = "flex")]
impl Time {
    /// Page faults each.
    pub(crate) fn faults(&self) -> Option<f64> {
        self.used.map(|used| used.faults * self.each / self.whole)
    }
}

/// Times each, over at least `seconds` of work, after one time to warm up.
pub(crate) fn time(run: &mut Run, seconds: f64) -> Result<Time> {
    run()?;
    let (before, start, mut done) = (Usage::now(), Instant::now(), 0);
    while done == 0 || start.elapsed() < Duration::from_secs_f64(seconds) {
        done += run()?;
    }
    let whole = start.elapsed().as_secs_f64();
    let used = Usage::now().zip(before).map(|(after, before)| after.since(before));
    Ok(Time { each: whole / done as f64, whole, used })
}

/// Several measurements.
pub(crate) fn times(run: &mut Run, rounds: u32, seconds: f64) -> Result<Vec<Time>> {
    (0..rounds).map(|_| time(run, seconds)).collect()
}

/// The median of [`times`].
pub(crate) fn seconds_each(run: &mut Run, rounds: u32, seconds: f64) -> Result<f64> {
    Ok(middle(&times(run, rounds, seconds)?))
}

/// The median seconds each.
pub(crate) fn middle(times: &[Time]) -> f64 {
    median(&times.iter().map(|time| time.each).collect::<Vec<_>>())
}

/// How many cores were busy on the average over measurements that are long enough together.
pub(crate) fn cores_busy(times: &[Time]) -> Option<f64> {
    let whole: f64 = times.iter().map(|time| time.whole).sum();
    let busy = times.iter().map(|time| Some(time.used?.busy)).sum::<Option<f64>>()?;
    (whole >= COUNTABLE).then(|| busy / whole)
}

/// The backends of this name, or all.
pub(crate) fn backends(name: Option<&str>) -> Result<Vec<Backend>> {
    let known = built_in();
    let wanted: Vec<_> = known.iter().filter(|known| name.is_none_or(|name| name == **known)).collect();
    ensure!(!wanted.is_empty(), "--backend {}: not built in; there is {}", name.unwrap_or("(any)"), known.join(", "));
    wanted.into_iter().map(|name| open(name)).collect()
}

/// The first backend, or the one of this name.
pub(crate) fn backend(name: Option<&str>) -> Result<Backend> {
    backends(name)?.into_iter().next().context("not empty")
}

/// Cores that this process may use.
pub(crate) fn cores() -> Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
}

/// The backend, what its work runs on, and how the layers' kernels compute there.
pub(crate) fn machine(backend: &Backend) -> Result<String> {
    let kernels = kernels(&backend.device).map(|kernels| format!(", {kernels}")).unwrap_or_default();
    Ok(format!("{}, {}, {} threads{kernels}", backend.name, hardware(backend), cores()?))
}

/// The processor's name.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// What the backend's work runs on.
pub(crate) fn hardware(backend: &Backend) -> String {
    if backend.is_cpu() { processor() } else { format!("{:?}", backend.device) }
}

/// Says what else runs, where the system tells: it takes cores, and threads that wait for each other lose most by it.
pub(crate) fn warn_of_load() {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().and_then(|load| load.parse::<f64>().ok());
    if let Some(load) = load.filter(|&load| load > 0.5) {
        println!("load {load} before the start: other work disturbs these timings, PyTorch's more than ours");
    }
}
