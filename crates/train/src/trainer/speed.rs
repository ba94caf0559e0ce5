//! How many steps fit into a budget of time.

use std::time::Instant;

use burn::tensor::Device;
use slowburn_ema::{Length, Timeline};

use super::record::{record_of, with_record};
use super::{TrainError, TrainerConfig, mix};
use crate::task::{Observed, Task};

/// Steps that warm up, and steps whose median is taken for the speed.
const WARM_UP: u64 = 2;
const MEASURED: u64 = 5;

/// The timeline of a training that takes about `seconds`, epochs' evaluations included; at least a step. The steps that are
/// measured are undone. Of the configuration it reads optimizer and seed.
///
/// # Errors
/// Those of the task.
pub fn timeline_within<T: Task>(
    seconds: f64,
    method: T::Method,
    task: &T,
    config: &TrainerConfig,
    device: &Device,
) -> Result<(T::Method, Timeline), TrainError> {
    // A clone would share running statistics with the method, so that its passes would change both.
    let record = record_of(method.clone())?;
    let per_epoch = task.steps_per_epoch().max(1);
    let mut optimizer = config.optimizer.init(Timeline::new(per_epoch, Length::Epochs(1.0)))?;
    let (mut method, mut times, mut seen) = (method, Vec::new(), Observed::default());
    let mut before = Instant::now();
    for (step, batch) in (0..).zip(task.batches(0, WARM_UP + MEASURED)?) {
        device.seed(mix(config.seed, step));
        let rate = optimizer.prepare(step);
        let (next, outcome) = task.step(method, batch?, &mut optimizer.optimizer, rate)?;
        // Reading waits for a GPU.
        seen.costs = outcome.costs.into_iter().map(|cost| cost.into_scalar::<f64>()).collect();
        seen.known = outcome.known;
        method = next;
        if step >= WARM_UP || per_epoch as u64 <= WARM_UP {
            times.push(before.elapsed().as_secs_f64());
        }
        before = Instant::now();
    }
    let started = Instant::now();
    task.metrics(&method, &seen)?;
    let evaluation = started.elapsed().as_secs_f64() / task.evaluated_every().max(1) as f64;
    times.sort_by(f64::total_cmp);
    let step = times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY) + evaluation / per_epoch as f64;
    let steps = ((seconds / step.max(f64::MIN_POSITIVE)) as u64).max(1);
    tracing::info!("{step:.3} s a step, evaluation included: {steps} steps fit into {seconds} s");
    Ok((with_record(method, record)?, Timeline::new(per_epoch, Length::Steps(steps))))
}
