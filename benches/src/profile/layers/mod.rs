//! Where the time of a pass forward and back goes, layer by layer: every kernel that it calls, by itself.

mod peaks;
mod table;
mod walk;

use anyhow::Result;
use slowburn_benches::backend::Backend;
use slowburn_benches::work::floor::Floor;
use slowburn_benches::work::networks::{resnet18_cifar, small};
use slowburn_benches::work::passes::{Network, Pass};
use slowburn_layers::arithmetic;

use crate::measure;
use crate::settings::kernels;
pub(super) use peaks::Peaks;
use table::Row;
pub(super) use table::Table;
use walk::Walk;

/// Networks whose layers are known here.
pub(super) const NETWORKS: [Network; 2] = [Network::ResNet18Cifar, Network::Small];

/// The shortest measurement of a kernel, in seconds.
const SHORTEST: f64 = 0.002;

/// Times every kernel of a step, and the step; what its page faults cost is counted, not timed.
pub(super) fn profile(network: Network, batch: usize, rounds: u32, backend: &Backend, peaks: &Peaks) -> Result<Table> {
    let device = &backend.device;
    let walk = match network {
        Network::Small => Walk::small(&small(device)?, batch, network.image()),
        _ => Walk::resnet(&resnet18_cifar(1, device)?, batch, network.image()),
    };
    let mut rows = Vec::new();
    for (kernel, times) in &walk.calls {
        let mut run = kernel.run(arithmetic(), device);
        let seconds = measure::seconds_each(&mut run, rounds, SHORTEST)?;
        rows.push(Row::new(kernel.operation(), kernel.layer(), *times, seconds, kernel.floor(), peaks));
    }
    let step = measure::times(&mut Pass::ForwardBackward.run(network, batch, device)?, rounds, SHORTEST)?;
    if let Some((fault, faults)) = peaks.fault().zip(step[step.len() - 1].faults()) {
        let (seconds, bytes) = (faults * fault.seconds, Floor::Bytes(faults * fault.bytes));
        let layer = format!("{faults:.0} pages from the system");
        rows.push(Row::new("allocation", layer, 1, seconds, bytes, peaks));
    }
    Ok(Table::new(network, batch, kernels(device), *peaks, rows, measure::middle(&step)))
}
