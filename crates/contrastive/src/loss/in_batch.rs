//! Losses of a batch against itself: with its other keys as negatives, and without negatives.

use burn::tensor::{Bool, Tensor};

use super::beside::constant_beside;
use super::{Contrast, InfoNce, check_pairs, normalize, plain, widen};
use crate::ContrastiveError;

impl InfoNce {
    /// Queries against their batch's keys: of each query, the key of its row is the positive and the others are the
    /// negatives (MoCo v3: Chen et al., arXiv 2104.02057, eq. 1). The gradient goes to `queries` only.
    ///
    /// A batch of 1 has no negatives: the loss is 0 and so is its gradient.
    ///
    /// # Shapes
    /// - `queries`, `keys`: `[batch, dim]`, rows of unit length, row i of both of the same sample
    ///
    /// # Errors
    /// [`ContrastiveError::Empty`] without queries, [`ContrastiveError::Views`] or [`ContrastiveError::Dim`] where shapes differ.
    pub fn in_batch(&self, queries: Tensor<2>, keys: Tensor<2>) -> Result<Contrast, ContrastiveError> {
        check_pairs(&queries, &keys)?;
        let [batch, _] = queries.dims();
        let queries = widen(queries);
        let keys = constant_beside(keys, &queries); // no gradient to keys
        let positive = plain::dots(queries.clone(), keys.clone(), self.temperature); // [batch, 1]
        if batch == 1 {
            return Ok(self.nothing_to_tell_apart(positive));
        }
        let similar = queries.matmul(keys.transpose()).div_scalar(self.temperature); // [batch, batch]
        Ok(plain::contrast(positive, without_own_key(similar), self.decoupled, batch - 1))
    }
}

/// How far predictions point away from their targets: the loss of BYOL and SimSiam before they scale it.
///
/// ```text
/// D = −cos(p, z) = −(p/‖p‖)·(z/‖z‖)      of a prediction p and its target z
/// L = the mean of D over the batch, in [−1, 1]
/// ```
///
/// (Chen & He, arXiv 2011.10566, eq. 1; BYOL's `‖p/‖p‖ − z/‖z‖‖²` is 2 + 2·D: Grill et al., arXiv 2006.07733, eq. 2.) The
/// gradient goes to `predictions` only: targets are constants.
///
/// There are no negatives. [`Contrast::chance`] is that of directions that have nothing to do with each other, 0.
/// [`Contrast::accuracy`] is the fraction of predictions that are nearer to their own target than to any other of the batch: the
/// loss alone is as low in a collapse, where all targets are one, and the accuracy is 0.
///
/// # Shapes
/// - `predictions`, `targets`: `[batch, dim]`, row i of both of the same sample
///
/// # Errors
/// [`ContrastiveError::Empty`] without predictions, [`ContrastiveError::Views`] or [`ContrastiveError::Dim`] where shapes differ.
pub fn negative_cosine(predictions: Tensor<2>, targets: Tensor<2>) -> Result<Contrast, ContrastiveError> {
    check_pairs(&predictions, &targets)?;
    let predictions = normalize(predictions); // [batch, dim]
    let targets = constant_beside(normalize(targets.without_autodiff()), &predictions); // stop-gradient
    let accuracy = nearest(predictions.clone().without_autodiff(), targets.clone().without_autodiff());
    let cosine = plain::dots(predictions, targets, 1.0); // [batch, 1]
    Ok(Contrast { loss: cosine.neg().mean(), accuracy, negatives: 0, chance: 0.0 })
}

/// The fraction of rows that are nearest to the same row of the other.
fn nearest(predictions: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, _] = predictions.dims();
    if batch == 1 {
        return Tensor::ones([1], &predictions.device());
    }
    let own = plain::dots(predictions.clone(), targets.clone(), 1.0); // [batch, 1]
    let others = without_own_key(predictions.matmul(targets.transpose())); // [batch, batch]
    plain::accuracy(own, others.max_dim(1))
}

/// Takes from similarities `[n, n]` those of a sample's query with its own key.
fn without_own_key(similar: Tensor<2>) -> Tensor<2> {
    let [n, _] = similar.dims();
    let own: Tensor<2, Bool> = Tensor::<2>::eye(n, &similar.device()).bool();
    // Finite, as in `without_own_sample`.
    similar.mask_fill(own, -1e30)
}
