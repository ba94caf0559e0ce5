use burn::tensor::{Tensor, TensorData};

use crate::methods::indices;

/// A batch of inputs whose rows can be picked, joined and mixed: what [`FixMatch`](crate::FixMatch) and
/// [`Ict`](crate::Ict) ask of a network's input beside [`Predict`](crate::Predict).
///
/// Implemented for tensors, whose rows are their first axis.
pub trait InputRows: Sized {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// The rows of these indices, in this order.
    fn pick(self, rows: &[usize]) -> Self;

    /// These rows, then those of `other`.
    fn join(self, other: Self) -> Self;

    /// Row i becomes `w_i·x_i + (1−w_i)·x_j`, j its partner: one weight and one partner for each row. A row of weight 1
    /// stays as it is.
    fn blend(self, partners: &[usize], weights: &[f32]) -> Self;
}

impl<const D: usize> InputRows for Tensor<D> {
    fn rows(&self) -> usize {
        self.dims()[0]
    }

    fn pick(self, rows: &[usize]) -> Self {
        match rows {
            // Neighbours, as the unlabelled part of a two-stream batch: a slice, which copies nothing.
            [first, .., last] if rows.windows(2).all(|pair| pair[1] == pair[0] + 1) => {
                self.narrow(0, *first, last - first + 1)
            }
            _ => {
                let rows = indices(rows.iter().copied(), &self.device());
                self.select(0, rows)
            }
        }
    }

    fn join(self, other: Self) -> Self {
        Tensor::cat(vec![self, other], 0)
    }

    fn blend(self, partners: &[usize], weights: &[f32]) -> Self {
        let column = |values: Vec<f32>| {
            let mut shape = [1; D];
            shape[0] = values.len();
            Tensor::<D>::from_data(TensorData::new(values, shape), &self.device()).cast(self.dtype())
        };
        let (own, other) = (column(weights.to_vec()), column(weights.iter().map(|weight| 1.0 - weight).collect()));
        let partner = self.clone().select(0, indices(partners.iter().copied(), &self.device()));
        // Not `x_j + w·(x_i − x_j)`, which rounds where w is 1.
        self * own + partner * other
    }
}
