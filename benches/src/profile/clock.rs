//! Laps: the seconds of each part of a step, step by step.

use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;

/// What a part of a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A pass through a network, forward or backward.
    Pass,
    /// The batch.
    Views,
    /// What the method adds.
    Method,
    /// What any training has.
    Optimizer,
}

/// Takes the times of parts that follow each other.
pub(super) struct Clock {
    device: Device,
    last: Instant,
    /// In the order of the step.
    pub(super) parts: Vec<(&'static str, Kind, Vec<f64>)>,
}

impl Clock {
    pub(super) fn new(device: &Device) -> Self {
        Self { device: device.clone(), last: Instant::now(), parts: Vec::new() }
    }

    /// A step begins.
    pub(super) fn start(&mut self) -> Result<()> {
        self.device.sync()?;
        self.last = Instant::now();
        Ok(())
    }

    /// The part of this name ends here, once the device has done it.
    pub(super) fn lap(&mut self, name: &'static str, kind: Kind) -> Result<()> {
        self.device.sync()?;
        let seconds = self.last.elapsed().as_secs_f64();
        match self.parts.iter_mut().find(|part| part.0 == name) {
            Some(part) => part.2.push(seconds),
            None => self.parts.push((name, kind, vec![seconds])),
        }
        self.last = Instant::now();
        Ok(())
    }

    /// Forgets what was measured: the first step is slower than the others.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
    }
}
