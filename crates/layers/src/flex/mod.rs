//! The kernels as operations of Burn's CPU backend, each with a gradient of its own.

mod convolution;
mod dropout;
mod layout;
mod memory;
mod normalisation;
mod pool;
mod pooling;

use burn::backend::autodiff::NodeId;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType};
use burn::tensor::Tensor;

pub(crate) use convolution::convolve;
pub(crate) use dropout::{dropout, seed};
pub(crate) use layout::{channels_first, channels_last};
pub(crate) use normalisation::{Affine, normalise, statistics};
pub(crate) use pooling::{max_pool, mean_pool};

/// A tensor that an operation can do without. Burn's `backend_extension` does not look into an `Option`.
#[derive(Debug, ExtensionType)]
pub(crate) enum Maybe<B: Backend> {
    Given(FloatTensor<B>),
    Missing,
}

impl<B: Backend> Maybe<B> {
    fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Missing => None,
        }
    }
}

/// The tensor on its way to the operation.
fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<burn::backend::Dispatch> {
    tensor.map_or(Maybe::Missing, |tensor| Maybe::Given(tensor.into_dispatch()))
}

/// For each input of an operation, the node that its gradient goes to if anybody asked for it.
type Wanted<const N: usize> = [Option<NodeId>; N];

/// The same for all inputs, of an operation that was done without the last of them.
fn of_all<const GIVEN: usize, const ALL: usize>(given: Wanted<GIVEN>) -> Wanted<ALL> {
    std::array::from_fn(|number| given.get(number).copied().flatten())
}
