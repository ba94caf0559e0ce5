//! Convolution of channels-last maps.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::memory::{Primitive, in_order, tensor, values};
use super::pool::Buffer;
use super::{Maybe, Wanted, maybe, of_all};
use crate::kernel::threads::together;
use crate::kernel::{Arithmetic, ConvShape, conv};

/// Convolves `[N, H, W, in]` with `[out, in, kh, kw]` and adds `[out]`, on the kernels' device: `[N, H', W', out]`.
pub(crate) fn convolve(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    shape: ConvShape,
    arithmetic: Arithmetic,
) -> Tensor<4> {
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Convolution>::convolve(input, weight, maybe(bias), shape, arithmetic))
}

#[backend_extension(Flex, Autodiff)]
trait Convolution: Backend {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        shape: ConvShape,
        arithmetic: Arithmetic,
    ) -> FloatTensor<Self>;
}

impl Convolution for Flex {
    fn convolve(
        input: Primitive,
        weight: Primitive,
        bias: Maybe<Self>,
        shape: ConvShape,
        arithmetic: Arithmetic,
    ) -> Primitive {
        let (input, weight) = (in_order(input), in_order(weight));
        let bias = bias.into_option().map(in_order);
        let ([height, width], channels) = (shape.output(), shape.channels[1]);
        let mut output = Buffer::new(shape.images * height * width * channels);
        let bias = bias.as_ref().map(values);
        conv::forward(&shape, values(&input), values(&weight), bias, &mut output, arithmetic);
        output.into_tensor([shape.images, height, width, channels])
    }
}

impl<C: CheckpointStrategy> Convolution for Autodiff<Flex, C> {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        shape: ConvShape,
        arithmetic: Arithmetic,
    ) -> FloatTensor<Self> {
        match bias.into_option() {
            Some(bias) => {
                let nodes = [input.node(), weight.node(), bias.node()];
                let record = Convolve.prepare::<C>(nodes).compute_bound().stateful();
                finish(record, input, weight, Maybe::Given(bias.into_primitive()), shape, arithmetic)
            }
            None => {
                let record = Convolve.prepare::<C>([input.node(), weight.node()]).compute_bound().stateful();
                finish(record, input, weight, Maybe::Missing, shape, arithmetic)
            }
        }
    }
}

/// Convolves and keeps what the gradients that somebody asked for need.
fn finish<C: CheckpointStrategy, const N: usize>(
    record: OpsKind<Convolve, Flex, State, C, N>,
    input: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: Maybe<Flex>,
    shape: ConvShape,
    arithmetic: Arithmetic,
) -> FloatTensor<Autodiff<Flex, C>> {
    match record {
        OpsKind::Tracked(mut record) => {
            let state = State {
                input: weight.is_tracked().then(|| record.checkpoint(&input)),
                weight: input.is_tracked().then(|| record.checkpoint(&weight)),
                shape,
                arithmetic,
            };
            let (input, weight) = (input.into_primitive(), weight.into_primitive());
            record.finish(state, Flex::convolve(input, weight, bias, shape, arithmetic))
        }
        OpsKind::UnTracked(record) => {
            let (input, weight) = (input.into_primitive(), weight.into_primitive());
            record.finish(Flex::convolve(input, weight, bias, shape, arithmetic))
        }
    }
}

/// The gradients of [`Convolution::convolve`].
#[derive(Debug)]
struct Convolve;

#[derive(Debug, Clone)]
struct State {
    /// The input, for the gradient to the weight.
    input: Option<NodeId>,
    /// The weight, for the gradient to the input.
    weight: Option<NodeId>,
    shape: ConvShape,
    arithmetic: Arithmetic,
}

/// Of input, weight and, where there is one, bias.
impl<const N: usize> Backward<Flex, N> for Convolve {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let given = ops.parents.map(|node| node.map(|node| node.id));
        ops.state.backward(gradient, of_all(given), gradients, checkpointer);
    }
}

impl State {
    fn backward(
        self,
        gradient: Primitive,
        [to_input, to_weight, to_bias]: Wanted<3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let Self { shape, arithmetic, .. } = self;
        let gradient = in_order(gradient); // [N, H', W', out]
        let ([height, width], [kh, kw]) = (shape.input, shape.kernel);
        let [channels_in, channels_out] = shape.channels;
        let weight = to_input.zip(self.weight).map(|(node, weight)| (node, checkpointer.retrieve_node_output(weight)));
        let input = to_weight.zip(self.input).map(|(node, input)| (node, checkpointer.retrieve_node_output(input)));
        let (to_input, to_weight) = together(|| {
            let gradient = values(&gradient);
            let to_input = weight.map(|(node, weight)| {
                let mut out = Buffer::new(shape.images * height * width * channels_in);
                conv::to_input(&shape, values(&in_order(weight)), gradient, &mut out, arithmetic);
                (node, out.into_tensor([shape.images, height, width, channels_in]))
            });
            let to_weight = input.map(|(node, input)| {
                let mut out = Buffer::new(channels_out * channels_in * kh * kw);
                conv::to_weight(&shape, values(&in_order(input)), gradient, &mut out, arithmetic);
                (node, out.into_tensor([channels_out, channels_in, kh, kw]))
            });
            (to_input, to_weight)
        });
        for (node, gradient) in to_input.into_iter().chain(to_weight) {
            gradients.register::<Flex>(node, gradient);
        }
        if let Some(node) = to_bias {
            let mut out = vec![0.0; channels_out];
            conv::to_bias(values(&gradient), &mut out);
            gradients.register::<Flex>(node, tensor(out, [channels_out]));
        }
    }
}
