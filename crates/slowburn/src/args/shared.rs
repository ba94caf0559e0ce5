use std::path::PathBuf;

use anyhow::Result;

use super::{Images, Machine, Reading, Run, Start};

/// The flags that every command that trains has.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// Which images.
    pub images: &'a Images,
    /// How long, and where to.
    pub run: &'a Run,
    /// On what.
    pub machine: &'a Machine,
    /// From which weights.
    pub start: &'a Start,
}

/// The settings of a recipe that these flags change.
#[derive(Debug)]
pub struct SharedSettings<'a> {
    /// The folder of images.
    pub data: &'a mut PathBuf,
    /// Side of photos.
    pub size: &'a mut Option<u32>,
    /// How files are read.
    pub reading: &'a mut Reading,
    /// The run or file whose encoder it starts from.
    pub start: &'a mut Option<PathBuf>,
    /// Which network of that file.
    pub start_branch: &'a mut Option<String>,
    /// Seed of every random choice.
    pub seed: &'a mut u64,
    /// Images in a batch.
    pub batch: &'a mut usize,
    /// The device's name.
    pub device: &'a mut String,
    /// The learning rate at full strength.
    pub learning_rate: &'a mut f64,
    /// Seconds to train for.
    pub time: &'a mut Option<f64>,
    /// Epochs without a better score.
    pub patience: &'a mut Option<u64>,
    /// Whether convolutions do without Winograd's way.
    pub exact: &'a mut bool,
    /// Whether they round to bf16, where the processor has a unit for it.
    pub bf16: &'a mut bool,
}

impl Shared<'_> {
    /// Sets what the flags say.
    ///
    /// # Errors
    /// Where the working directory cannot be found.
    pub fn apply(self, to: SharedSettings<'_>) -> Result<()> {
        let Self { images, run, machine, start } = self;
        set(to.data, &images.data);
        *to.data = std::path::absolute(&*to.data)?;
        *to.size = images.size.or(*to.size);
        *to.reading = images.reading.on(*to.reading);
        if let Some(path) = &start.from {
            *to.start = Some(std::path::absolute(path)?);
        }
        if start.branch.is_some() {
            to.start_branch.clone_from(&start.branch);
        }
        set(to.seed, &run.seed);
        set(to.batch, &run.batch);
        set(to.device, &machine.device);
        set(to.learning_rate, &run.lr);
        if run.epochs.is_some() {
            *to.time = None;
        }
        *to.time = run.time.map(|time| time.as_secs_f64()).or(*to.time);
        *to.patience = run.patience.or(*to.patience);
        if run.exact || run.bf16 {
            (*to.exact, *to.bf16) = (run.exact, run.bf16);
        }
        Ok(())
    }

    /// The settings that the flags say, by their paths in a recipe, each with whether it was said.
    pub fn settings(self) -> Vec<(&'static str, bool)> {
        let Self { images, run, machine, start } = self;
        vec![
            ("data", images.data.is_some()),
            ("size", images.size.is_some()),
            ("reading.exif", images.reading.exif.is_some()),
            ("reading.broken", images.reading.broken.is_some()),
            ("start", start.from.is_some()),
            ("start_branch", start.branch.is_some()),
            ("length", run.epochs.is_some()),
            ("time", run.time.is_some()),
            ("patience", run.patience.is_some()),
            ("batch", run.batch.is_some()),
            ("optimizer.learning_rate", run.lr.is_some()),
            ("seed", run.seed.is_some()),
            ("exact", run.exact),
            ("bf16", run.bf16),
            ("device", machine.device.is_some()),
        ]
    }
}

/// Replaces a setting where its flag was given.
pub fn set<T: Clone>(field: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        *field = value.clone();
    }
}
