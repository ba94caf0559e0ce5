//! How fast the machine is at what costs are measured against.

use slowburn_benches::work::floor::Floor;

use super::task::Task;

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Floors {
    /// Moved in a second, reading and writing taken together.
    bytes: Option<f64>,
    /// Floating-point operations of matrix products in a second.
    operations: Option<f64>,
}

impl Floors {
    /// Takes a measurement of `floor`, which took so many seconds.
    pub(super) fn learn(&mut self, floor: Option<Floor>, seconds: f64) {
        match floor {
            Some(Floor::Bytes(bytes)) => self.bytes = Some(bytes / seconds),
            Some(Floor::Operations(operations)) => self.operations = Some(operations / seconds),
            None => {}
        }
    }

    /// The least that work with this floor can take.
    pub(super) fn seconds(&self, floor: Floor) -> Option<f64> {
        match floor {
            Floor::Bytes(bytes) => self.bytes.map(|rate| bytes / rate),
            Floor::Operations(operations) => self.operations.map(|rate| operations / rate),
        }
    }

    /// In words, for behind the backend's name.
    pub(super) fn text(&self) -> String {
        let copied = self
            .bytes
            .map(|rate| format!("; copies {:.1} GB/s (of 1 GiB: what a cache holds may be faster)", rate / 2e9));
        let multiplied = self.operations.map(|rate| format!("; multiplies matrices at {:.0} GFLOP/s", rate / 1e9));
        [copied, multiplied].into_iter().flatten().collect()
    }
}

impl Task {
    /// Whether `floor` measures what this work is held against.
    pub(super) fn is_held_against(&self, floor: &Self) -> bool {
        self.floor
            .zip(floor.floor)
            .is_some_and(|(own, other)| std::mem::discriminant(&own) == std::mem::discriminant(&other))
    }
}
