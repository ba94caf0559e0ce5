//! Dropout of maps in any order.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Device, Distribution, Int, Tensor};

use super::memory::{Primitive, in_order, values};
use super::pool::Buffer;
use crate::kernel::dropout;

/// Zeroes values with probability `1 − keep` and scales the others by `1/keep`.
pub(crate) fn dropout(maps: Tensor<4>, seed: u64, keep: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Drops>::drop_out(maps.into_dispatch(), seed, keep))
}

/// A seed from the device's own generator, which draws whole numbers of 31 bits.
pub(crate) fn seed(device: &Device) -> u64 {
    let parts = Tensor::<1, Int>::random([3], Distribution::Uniform(0.0, f64::from(i32::MAX)), device).into_data();
    parts.iter::<i64>().fold(0, |seed, part| (seed << 31) ^ part as u64)
}

#[backend_extension(Flex, Autodiff)]
trait Drops: Backend {
    fn drop_out(maps: FloatTensor<Self>, seed: u64, keep: f64) -> FloatTensor<Self>;
}

impl Drops for Flex {
    fn drop_out(maps: Primitive, seed: u64, keep: f64) -> Primitive {
        let maps = in_order(maps);
        let mut output = Buffer::new(maps.layout().num_elements());
        dropout::dropout(seed, keep, values(&maps), &mut output);
        output.into_tensor(maps.layout().shape().clone())
    }
}

impl<C: CheckpointStrategy> Drops for Autodiff<Flex, C> {
    fn drop_out(maps: FloatTensor<Self>, seed: u64, keep: f64) -> FloatTensor<Self> {
        let (maps, node) = maps.into_parts();
        match DropOut.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(record) => record.finish((seed, keep), Flex::drop_out(maps, seed, keep)),
            OpsKind::UnTracked(record) => record.finish(Flex::drop_out(maps, seed, keep)),
        }
    }
}

/// The gradient of [`Drops::drop_out`].
#[derive(Debug)]
struct DropOut;

impl Backward<Flex, 1> for DropOut {
    /// The seed of the mask, and what was kept.
    type State = (u64, f64);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (seed, keep) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| Flex::drop_out(gradient, seed, keep));
    }
}
