//! Times of work that can be repeated.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slowburn_benches::backend::{Backend, built_in, concern};
use slowburn_benches::work::Run;

/// Seconds each, over at least `seconds` of work, after one time to warm up.
pub(crate) fn time(run: &mut Run, seconds: f64) -> Result<f64> {
    run()?;
    let (start, mut done) = (Instant::now(), 0);
    while done == 0 || start.elapsed() < Duration::from_secs_f64(seconds) {
        done += run()?;
    }
    Ok(start.elapsed().as_secs_f64() / done as f64)
}

/// The backends of this name, or all.
pub(crate) fn backends(name: Option<&str>) -> Result<Vec<Backend>> {
    let mut backends = built_in();
    let known = backends.iter().map(|backend| backend.name).collect::<Vec<_>>().join(", ");
    backends.retain(|backend| name.is_none_or(|name| name == backend.name));
    ensure!(!backends.is_empty(), "--backend {}: not built in; there is {known}", name.unwrap_or("(any)"));
    backends.iter().filter_map(|backend| concern(backend.name)).for_each(|concern| eprintln!("{concern}"));
    Ok(backends)
}

/// The first backend, or the one of this name.
pub(crate) fn backend(name: Option<&str>) -> Result<Backend> {
    backends(name)?.into_iter().next().context("not empty")
}

/// Cores that this process may use.
pub(crate) fn cores() -> Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
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
