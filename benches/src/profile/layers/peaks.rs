//! What the machine does at best.

use anyhow::Result;
use serde::Serialize;
use slowburn_benches::work::floor::{COPIED, FRESH, Floor, copy_on_cores, fresh_memory};
use slowburn_benches::work::peak::multiply_adds;

use crate::measure::{self, Time};

/// The shortest measurement, in seconds.
const SHORTEST: f64 = 0.01;

/// The fewest measurements.
const FEWEST: u32 = 5;

/// In a second, all cores together.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::profile) struct Peaks {
    /// Floating-point operations in registers; nothing for a processor without fused ones.
    operations: Option<f64>,
    /// Bytes of a copy, reading and writing taken together.
    bytes: f64,
    /// Of one page fault, where the system counts them.
    fault: Option<Fault>,
    cores: usize,
}

/// A page that comes from the system: all cores take them, side by side.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Fault {
    pub(super) seconds: f64,
    pub(super) bytes: f64,
}

impl Peaks {
    /// Measures one core in registers, and all of them at copying and at taking fresh memory.
    pub(in crate::profile) fn measure(rounds: u32) -> Result<Self> {
        let (cores, rounds) = (measure::cores()?, rounds.max(FEWEST));
        let operations = match multiply_adds() {
            Some((mut run, operations)) => {
                Some(cores as f64 * operations / fastest(&measure::times(&mut run, rounds, SHORTEST)?))
            }
            None => None,
        };
        let bytes = 2.0 * COPIED as f64 / fastest(&measure::times(&mut copy_on_cores(), rounds, 0.0)?);
        let fresh = measure::times(&mut fresh_memory(), rounds, SHORTEST)?;
        let faults = fresh[0].faults().filter(|&faults| faults > 0.0);
        let fault = faults.map(|faults| Fault { seconds: fastest(&fresh) / faults, bytes: FRESH as f64 / faults });
        Ok(Self { operations, bytes, fault, cores })
    }

    /// What page faults cost.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The share of the best rate that work with this floor reached.
    pub(super) fn share(&self, floor: Floor, seconds: f64) -> Option<f64> {
        match floor {
            Floor::Operations(operations) => self.operations.map(|best| operations / seconds / best),
            Floor::Bytes(bytes) => Some(bytes / seconds / self.bytes),
        }
    }

    pub(in crate::profile) fn text(&self) -> String {
        let cores = self.cores;
        let operations = self.operations.map(|rate| {
            format!(
                "multiplies and adds at {:.0} GFLOP/s in registers ({cores} times what one core does); ",
                rate / 1e9
            )
        });
        let fault =
            self.fault.map(|fault| format!("; takes fresh memory at {:.1} GB/s", fault.bytes / fault.seconds / 1e9));
        let (operations, fault) = (operations.unwrap_or_default(), fault.unwrap_or_default());
        format!("{operations}moves {:.1} GB/s, copying 1 GiB{fault}", self.bytes / 1e9)
    }
}

/// The seconds each of the fastest measurement: the one that nothing else disturbed.
fn fastest(times: &[Time]) -> f64 {
    times.iter().map(|time| time.each).fold(f64::INFINITY, f64::min)
}
