//! Batch normalisation of channels-last maps with what follows it: `y = act(γ·(x − μ)/√(σ² + ε) + β (+ shortcut))`.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::Tensor;

use super::memory::{Primitive, alone, in_order, is_alone, tensor, values, values_mut};
use super::pool::Buffer;
use super::{Maybe, Wanted, maybe, of_all};
use crate::kernel::Rectifier;
use crate::kernel::norm::{self, NormShape, Saved, Statistics};

/// What a normalisation is, but for its tensors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine {
    /// Of the input and of the statistics.
    pub(crate) shape: NormShape,
    /// Which statistics depend on the input.
    pub(crate) statistics: Statistics,
    /// ε.
    pub(crate) epsilon: f64,
    /// What comes last.
    pub(crate) activation: Rectifier,
}

/// The mean and the biased variance of each group, split and channel of `[N, H, W, C]`, without gradient: `[groups·splits·C]` each.
pub(crate) fn statistics(input: Tensor<4>, shape: NormShape) -> [Tensor<1>; 2] {
    let (mean, variance) = <Dispatch as Normalisation>::statistics(input.into_dispatch(), shape);
    [mean, variance].map(Tensor::from_dispatch)
}

/// Normalises `[N, H, W, C]`.
///
/// `gamma` and `beta` are `[C]`, `mean` and `variance` `[groups·splits·C]`, `shortcut` is like the input. Without a variance
/// nothing divides.
pub(crate) fn normalise(
    input: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    mean: Tensor<1>,
    variance: Option<Tensor<1>>,
    shortcut: Option<Tensor<4>>,
    affine: Affine,
) -> Tensor<4> {
    let inputs = Inputs {
        input: input.into_dispatch(),
        gamma: gamma.into_dispatch(),
        beta: beta.into_dispatch(),
        mean: mean.into_dispatch(),
        variance: maybe(variance),
        shortcut: maybe(shortcut),
    };
    Tensor::from_dispatch(<Dispatch as Normalisation>::normalise(inputs, affine))
}

#[derive(Debug, ExtensionType)]
struct Inputs<B: Backend> {
    input: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    mean: FloatTensor<B>,
    #[extension_type]
    variance: Maybe<B>,
    #[extension_type]
    shortcut: Maybe<B>,
}

#[backend_extension(Flex, Autodiff)]
trait Normalisation: Backend {
    fn statistics(input: FloatTensor<Self>, shape: NormShape) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn normalise(#[extension_type] inputs: Inputs<Self>, affine: Affine) -> FloatTensor<Self>;
}

impl Normalisation for Flex {
    fn statistics(input: Primitive, shape: NormShape) -> (Primitive, Primitive) {
        let input = in_order(input);
        let length = shape.statistic_len();
        let (mut mean, mut variance) = (vec![0.0; length], vec![0.0; length]);
        norm::statistics(&shape, values(&input), &mut mean, &mut variance);
        (tensor(mean, [length]), tensor(variance, [length]))
    }

    fn normalise(inputs: Inputs<Self>, affine: Affine) -> Primitive {
        let factors = Factors::new(inputs.gamma, inputs.mean, inputs.variance, affine);
        factors.apply(inputs.input, inputs.beta, inputs.shortcut, affine)
    }
}

impl<C: CheckpointStrategy> Normalisation for Autodiff<Flex, C> {
    fn statistics(input: FloatTensor<Self>, shape: NormShape) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (mean, variance) = Flex::statistics(input.into_primitive(), shape);
        (Self::from_inner(mean), Self::from_inner(variance))
    }

    fn normalise(inputs: Inputs<Self>, affine: Affine) -> FloatTensor<Self> {
        let Inputs { input, gamma, beta, mean, variance, shortcut } = inputs;
        let variance =
            variance.into_option().map_or(Maybe::Missing, |variance| Maybe::Given(variance.into_primitive()));
        let factors = Factors::new(gamma.primitive().clone(), mean.into_primitive(), variance, affine);
        let [gamma, beta_node] = [gamma.node(), beta.node()];
        let beta = beta.into_primitive();
        match shortcut.into_option() {
            Some(shortcut) => {
                let nodes = [input.node(), gamma, beta_node, shortcut.node()];
                let record = Normalise.prepare::<C>(nodes).compute_bound().stateful();
                finish(record, factors, input, beta, Maybe::Given(shortcut.into_primitive()), affine)
            }
            None => {
                let record = Normalise.prepare::<C>([input.node(), gamma, beta_node]).compute_bound().stateful();
                finish(record, factors, input, beta, Maybe::Missing, affine)
            }
        }
    }
}

/// γ, μ and 1/√(σ² + ε): `[C]`, and `[groups·splits·C]` twice.
#[derive(Debug, Clone)]
struct Factors {
    gamma: Vec<f32>,
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
}

impl Factors {
    fn new(gamma: Primitive, mean: Primitive, variance: Maybe<Flex>, affine: Affine) -> Self {
        let owned = |tensor| values(&in_order(tensor)).to_vec();
        let mean = owned(mean);
        let inverse_std = match variance.into_option().map(owned) {
            Some(mut variance) => {
                variance
                    .iter_mut()
                    .for_each(|value| *value = (f64::from(*value) + affine.epsilon).sqrt().recip() as f32);
                variance
            }
            None => vec![1.0; mean.len()],
        };
        Self { gamma: owned(gamma), mean, inverse_std }
    }

    /// One pass: `y = act((x − μ)·scale + shift (+ shortcut))`.
    fn apply(&self, input: Primitive, beta: Primitive, shortcut: Maybe<Flex>, affine: Affine) -> Primitive {
        let (input, beta) = (in_order(input), in_order(beta));
        let shortcut = shortcut.into_option().map(in_order);
        let channels = affine.shape.channels;
        let scale: Vec<f32> = self
            .inverse_std
            .iter()
            .enumerate()
            .map(|(index, inverse)| self.gamma[index % channels] * inverse)
            .collect();
        let shift: Vec<f32> = values(&beta).iter().copied().cycle().take(scale.len()).collect();
        let factors = [&self.mean[..], &scale, &shift];
        let added = shortcut.as_ref().map(values);
        if is_alone(&input) {
            // Nobody needs the input any more: it makes room for the output.
            let mut output = input;
            norm::apply(&affine.shape, None, factors, added, affine.activation, values_mut(&mut output));
            return output;
        }
        let mut output = Buffer::new(input.layout().num_elements());
        norm::apply(&affine.shape, Some(values(&input)), factors, added, affine.activation, &mut output);
        output.into_tensor(input.layout().shape().clone())
    }
}

/// Normalises and keeps what the gradients need.
fn finish<C: CheckpointStrategy, const N: usize>(
    record: OpsKind<Normalise, Flex, State, C, N>,
    factors: Factors,
    input: FloatTensor<Autodiff<Flex, C>>,
    beta: Primitive,
    shortcut: Maybe<Flex>,
    affine: Affine,
) -> FloatTensor<Autodiff<Flex, C>> {
    match record {
        OpsKind::Tracked(mut record) => {
            let saved = record.checkpoint(&input);
            let output = factors.apply(input.into_primitive(), beta, shortcut, affine);
            // Without an activation nobody asks for its sign.
            let kept = (affine.activation != Rectifier::None).then(|| output.clone());
            record.finish(State { input: saved, output: kept, factors, affine }, output)
        }
        OpsKind::UnTracked(record) => record.finish(factors.apply(input.into_primitive(), beta, shortcut, affine)),
    }
}

/// The gradients of [`Normalisation::normalise`].
#[derive(Debug)]
struct Normalise;

#[derive(Debug, Clone)]
struct State {
    input: NodeId,
    output: Option<Primitive>,
    factors: Factors,
    affine: Affine,
}

/// Of input, γ, β and, where there is one, shortcut.
impl<const N: usize> Backward<Flex, N> for Normalise {
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
        [to_input, to_gamma, to_beta, to_shortcut]: Wanted<4>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let Self { factors, affine, output, .. } = self;
        let input: Primitive = in_order(checkpointer.retrieve_node_output(self.input));
        let output = output.map(in_order);
        let saved = Saved {
            input: values(&input),
            output: output.as_ref().map(values),
            mean: &factors.mean,
            inverse_std: &factors.inverse_std,
            gamma: &factors.gamma,
            activation: affine.activation,
            statistics: affine.statistics,
        };
        let channels = affine.shape.channels;
        let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
        let mut gradient = alone(gradient);
        // Where the shortcut takes the gradient, the input's needs memory of its own.
        let mut apart = to_shortcut.map(|_| Buffer::new(saved.input.len()));
        let before = values_mut(&mut gradient);
        norm::backward(&affine.shape, &saved, before, apart.as_deref_mut(), &mut gamma, &mut beta);

        let shape = input.layout().shape().clone();
        let to_map = match (to_shortcut, apart) {
            (Some(node), Some(apart)) => {
                gradients.register::<Flex>(node, gradient);
                apart.into_tensor(shape)
            }
            _ => gradient,
        };
        let maps = [(to_input, to_map)];
        let vectors = [(to_gamma, gamma), (to_beta, beta)].map(|(node, values)| (node, tensor(values, [channels])));
        for (node, gradient) in maps.into_iter().chain(vectors) {
            if let Some(node) = node {
                gradients.register::<Flex>(node, gradient);
            }
        }
    }
}
