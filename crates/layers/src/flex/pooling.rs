//! Pooling of channels-last maps.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::memory::{Primitive, in_order, values};
use super::pool::Buffer;
use crate::kernel::pool::{self, PoolShape};

/// The maximum of each window of `[N, H, W, C]`: `[N, H', W', C]`.
pub(crate) fn max_pool(maps: Tensor<4>, shape: PoolShape) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pooling>::max_pool(maps.into_dispatch(), shape))
}

/// The mean over all pixels of `[N, H, W, C]`: `[N, C]`.
pub(crate) fn mean_pool(maps: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Pooling>::mean_pool(maps.into_dispatch()))
}

#[backend_extension(Flex, Autodiff)]
trait Pooling: Backend {
    fn max_pool(maps: FloatTensor<Self>, shape: PoolShape) -> FloatTensor<Self>;

    fn mean_pool(maps: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Pooling for Flex {
    fn max_pool(maps: Primitive, shape: PoolShape) -> Primitive {
        let maps = in_order(maps);
        let [height, width] = shape.output();
        let mut output = Buffer::new(shape.images * height * width * shape.channels);
        pool::max(&shape, values(&maps), &mut output);
        output.into_tensor([shape.images, height, width, shape.channels])
    }

    fn mean_pool(maps: Primitive) -> Primitive {
        let maps = in_order(maps);
        let [images, height, width, channels] = maps.layout().shape().dims();
        let mut output = Buffer::new(images * channels);
        pool::mean(images, height * width, channels, values(&maps), &mut output);
        output.into_tensor([images, channels])
    }
}

impl<C: CheckpointStrategy> Pooling for Autodiff<Flex, C> {
    fn max_pool(maps: FloatTensor<Self>, shape: PoolShape) -> FloatTensor<Self> {
        match MaxPool.prepare::<C>([maps.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut record) => {
                let input = record.checkpoint(&maps);
                record.finish((input, shape), Flex::max_pool(maps.into_primitive(), shape))
            }
            OpsKind::UnTracked(record) => record.finish(Flex::max_pool(maps.into_primitive(), shape)),
        }
    }

    fn mean_pool(maps: FloatTensor<Self>) -> FloatTensor<Self> {
        let (maps, node) = maps.into_parts();
        let shape = maps.layout().shape().dims();
        match MeanPool.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(record) => record.finish(shape, Flex::mean_pool(maps)),
            OpsKind::UnTracked(record) => record.finish(Flex::mean_pool(maps)),
        }
    }
}

/// The gradient of [`Pooling::max_pool`].
#[derive(Debug)]
struct MaxPool;

impl Backward<Flex, 1> for MaxPool {
    /// The input, in which the maxima are looked up again, and its shape.
    type State = (NodeId, PoolShape);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (input, shape) = ops.state;
        let input = in_order(checkpointer.retrieve_node_output(input));
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = in_order(gradient);
            let [height, width] = shape.input;
            let mut out = Buffer::new(shape.images * height * width * shape.channels);
            pool::max_backward(&shape, values(&input), values(&gradient), &mut out);
            out.into_tensor([shape.images, height, width, shape.channels])
        });
    }
}

/// The gradient of [`Pooling::mean_pool`].
#[derive(Debug)]
struct MeanPool;

impl Backward<Flex, 1> for MeanPool {
    /// The shape of the input.
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [images, height, width, channels] = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = in_order(gradient);
            let mut out = Buffer::new(images * height * width * channels);
            pool::mean_backward(images, height * width, channels, values(&gradient), &mut out);
            out.into_tensor([images, height, width, channels])
        });
    }
}
