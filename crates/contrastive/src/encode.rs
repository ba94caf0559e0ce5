use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A batch of inputs whose rows can be put in another order.
///
/// Implemented for tensors, whose rows are their first axis.
pub trait Batch: Clone + Send + 'static {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// The rows of these indices, in this order.
    fn pick(self, rows: &[usize]) -> Self;

    /// The same batch off autodiff, for evaluation.
    fn plain(self) -> Self;
}

impl<const D: usize> Batch for Tensor<D> {
    fn rows(&self) -> usize {
        self.dims()[0]
    }

    fn pick(self, rows: &[usize]) -> Self {
        let rows = indices(rows, &self.device());
        self.select(0, rows)
    }

    fn plain(self) -> Self {
        self.without_autodiff()
    }
}

/// What the methods and the evaluation ask of a network.
///
/// Implement it for your own `Module`, projection head included: the key encoder is a copy of the whole of it.
pub trait Encode: Module + ModuleDisplay {
    /// A batch.
    type Input: Batch;

    /// Embeddings `[batch, dim]` that the loss compares; they need not be of unit length.
    fn embed(&self, input: Self::Input) -> Tensor<2>;

    /// Features `[batch, D]`, below the projection head, that evaluation uses.
    fn features(&self, input: Self::Input) -> Tensor<2>;

    /// The groups of a batch that have batch statistics of their own: the splits of the network's split batch
    /// normalisation, 1 without.
    ///
    /// Shuffling keys has an effect only from 2 on, and batches must be multiples of it.
    fn splits(&self) -> usize {
        1
    }
}

/// Two views of the same samples.
#[derive(Debug, Clone)]
pub struct ViewPair<I> {
    /// The view that becomes queries.
    pub query: I,
    /// The view that becomes keys.
    pub key: I,
    /// Which samples of the data set these are; only a memory bank reads it.
    pub samples: Vec<usize>,
}

/// Indices on a device.
pub(crate) fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
