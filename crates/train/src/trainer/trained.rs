use serde_json::Value;
use slowburn_ema::Timeline;

use super::TrainError;
use super::record::with_record;
use crate::run::{Checkpoint, History, RunFolder};
use crate::task::Task;

/// The result of a training.
#[derive(Debug)]
pub struct Trained<T: Task> {
    /// The method after its last step.
    pub method: T::Method,
    /// The history: metrics of every epoch, seconds, the best epoch.
    pub history: History<T::Metrics>,
    /// The task, with the loader's report of images that were left out.
    pub task: T,
    /// Its length, in steps.
    pub timeline: Timeline,
    /// Where the run is.
    pub folder: RunFolder,
    /// The method's name in files.
    pub(super) name: String,
}

impl<T: Task> Trained<T> {
    /// The method as it was after its best epoch, where the task has a [score](Task::score); else after its last.
    ///
    /// # Errors
    /// If the checkpoint is damaged.
    pub fn best(&self) -> Result<T::Method, TrainError> {
        match &self.history.best {
            Some(_) => {
                let checkpoint: Checkpoint<T::Metrics> = self.folder.best(&self.name)?;
                with_record(self.method.clone(), checkpoint.method)
            }
            None => Ok(self.method.clone()),
        }
    }
}

/// How many images were left out, and the first of them, as `summary.json` has it.
const SHOWN: usize = 20;

impl<T: Task> Trained<T> {
    /// The end of a run, as `summary.json` has it.
    pub(super) fn summary(&self) -> Value {
        let Self { history, timeline, name, .. } = self;
        let epochs = history.metrics.len() as u64;
        let steps: u64 = (0..epochs).map(|epoch| timeline.in_epoch(epoch)).sum();
        let left_out = self.task.left_out();
        let first: Vec<&String> = left_out.iter().take(SHOWN).collect();
        serde_json::json!({
            "method": name,
            "epochs": epochs,
            "steps": steps,
            "stopped_early": steps < timeline.total,
            "steps_per_epoch": timeline.per_epoch,
            "train_seconds": history.train_seconds,
            "images_per_second": history.images as f64 / history.train_seconds.max(f64::MIN_POSITIVE),
            "best": history.best,
            "last": history.metrics.last(),
            "left_out": { "images": left_out.len(), "first": first },
        })
    }
}
