//! From `[N, C, H, W]` to `[N, H, W, C]` and back.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::memory::{Primitive, in_order, values};
use super::pool::Buffer;
use crate::kernel::layout;

/// `[N, C, H, W]` to `[N, H, W, C]`, its values in this order in memory.
pub(crate) fn channels_last(maps: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Layout>::channels_last(maps.into_dispatch()))
}

/// `[N, H, W, C]` to `[N, C, H, W]`, its values in this order in memory.
pub(crate) fn channels_first(maps: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Layout>::channels_first(maps.into_dispatch()))
}

#[backend_extension(Flex, Autodiff)]
trait Layout: Backend {
    fn channels_last(maps: FloatTensor<Self>) -> FloatTensor<Self>;

    fn channels_first(maps: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Layout for Flex {
    fn channels_last(maps: Primitive) -> Primitive {
        let view = Self::float_permute(maps.clone(), &[0, 2, 3, 1]);
        // With one channel, for one: nothing moves.
        if view.is_contiguous() {
            return view;
        }
        let maps = in_order(maps);
        let [images, channels, height, width] = maps.layout().shape().dims();
        let mut out = Buffer::new(images * channels * height * width);
        layout::to_channels_last(images, channels, height * width, values(&maps), &mut out);
        out.into_tensor([images, height, width, channels])
    }

    fn channels_first(maps: Primitive) -> Primitive {
        let view = Self::float_permute(maps.clone(), &[0, 3, 1, 2]);
        if view.is_contiguous() {
            return view;
        }
        let maps = in_order(maps);
        let [images, height, width, channels] = maps.layout().shape().dims();
        let mut out = Buffer::new(images * channels * height * width);
        layout::to_channels_first(images, channels, height * width, values(&maps), &mut out);
        out.into_tensor([images, channels, height, width])
    }
}

impl<C: CheckpointStrategy> Layout for Autodiff<Flex, C> {
    fn channels_last(maps: FloatTensor<Self>) -> FloatTensor<Self> {
        let (maps, node) = maps.into_parts();
        let record = ToChannelsLast.prepare::<C>([node]).compute_bound();
        record.stateless(Flex::channels_last(maps))
    }

    fn channels_first(maps: FloatTensor<Self>) -> FloatTensor<Self> {
        let (maps, node) = maps.into_parts();
        let record = ToChannelsFirst.prepare::<C>([node]).compute_bound();
        record.stateless(Flex::channels_first(maps))
    }
}

/// The gradient of [`Layout::channels_last`].
#[derive(Debug)]
struct ToChannelsLast;

impl Backward<Flex, 1> for ToChannelsLast {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, Flex::channels_first);
    }
}

/// The gradient of [`Layout::channels_first`].
#[derive(Debug)]
struct ToChannelsFirst;

impl Backward<Flex, 1> for ToChannelsFirst {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, Flex::channels_last);
    }
}
