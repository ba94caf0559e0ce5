//! One loss, three places where keys come from.

mod end_to_end;
mod memory_bank;
mod moco;
#[cfg(feature = "train")]
mod shared;
#[cfg(feature = "train")]
pub(crate) mod train;

use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use slowburn_ema::sync_running_state;

pub use end_to_end::{EndToEnd, EndToEndConfig};
pub use memory_bank::{MemoryBank, MemoryBankConfig};
pub use moco::{Encoder, Moco, MocoConfig};

use crate::random::inverse;
use crate::{Batch, Contrast, Encode, Error, Stream, Views, Warning, permutation};

/// A contrastive method: [`Moco`], [`EndToEnd`] or [`MemoryBank`].
///
/// One step is [`contrast`](Self::contrast), `backward`, [`optimize`](Self::optimize), which [`step`](Self::step) does
/// in one call:
///
/// ```no_run
/// # use burn::optim::{GradientsParams, ModuleOptimizer};
/// # use slowburn_contrastive::{Contrastive, Encode, Error, Views};
/// # fn step<M: Contrastive>(
/// #     mut method: M, views: Views<<M::Encoder as Encode>::Input>, optimizer: &mut ModuleOptimizer,
/// # ) -> Result<M, Error> {
/// let outcome;
/// (method, outcome) = method.contrast(views)?;
/// let gradients = GradientsParams::from_grads(outcome.loss.backward(), method.query());
/// method = method.optimize(optimizer, 0.06.into(), gradients);
/// # Ok(method)
/// # }
/// ```
///
/// A method is a `Module`: its record holds encoders, queue or bank and step, all that a resumed run needs beside the
/// optimizer. Take it after `optimize`. Hand the optimizer the gradients of `query()` alone, as above; nothing else
/// has any.
///
/// All that moves state but the optimizer happens in `contrast`. Whoever accumulates gradients over several calls moves
/// average and queue at each of them, as the original would.
pub trait Contrastive: Module + ModuleDisplay {
    /// The network that it trains.
    type Encoder: Encode;

    /// The loss of a batch, ready for `backward`, and the method after it: with this batch's keys in its queue or bank.
    ///
    /// # Errors
    /// For a batch that does not fit. The method is gone then: check batches beforehand, or go back to a checkpoint.
    fn contrast(self, batch: Views<<Self::Encoder as Encode>::Input>) -> Result<(Self, Contrast), Error>;

    /// The encoder that the optimizer trains.
    fn query(&self) -> &Self::Encoder;

    /// The method with what `change` makes of the encoder that the optimizer trains.
    fn map_query(self, change: impl FnOnce(Self::Encoder) -> Self::Encoder) -> Self;

    /// The number of calls of [`contrast`](Self::contrast).
    fn steps(&self) -> u64;

    /// What is probably not meant, for a data set of `samples` and batches of `batch`.
    fn diagnose(&self, samples: usize, batch: usize) -> Vec<Warning>;

    /// Steps the query encoder with its gradients and brings running statistics up to date.
    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        let method = self.map_query(|query| optimizer.step(learning_rate, query, gradients));
        // A record taken now must hold the statistics of this step's forward passes, not of the step before.
        sync_running_state(&method);
        method
    }

    /// One whole step.
    ///
    /// # Errors
    /// Those of [`contrast`](Self::contrast).
    fn step(
        self,
        batch: Views<<Self::Encoder as Encode>::Input>,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
    ) -> Result<(Self, Contrast), Error> {
        let (method, outcome) = self.contrast(batch)?;
        let gradients = GradientsParams::from_grads(outcome.loss.backward(), method.query());
        Ok((method.optimize(optimizer, learning_rate.into(), gradients), outcome))
    }
}

/// Checks what every method asks of a batch, and returns its rows.
fn check_batch<E: Encode>(encoder: &E, batch: &Views<E::Input>) -> Result<usize, Error> {
    let (query, key) = (batch.query.rows(), batch.key.rows());
    if query != key {
        return Err(Error::Views { query, key });
    }
    if query == 0 {
        return Err(Error::Empty { what: "the batch" });
    }
    let splits = encoder.splits();
    match query.is_multiple_of(splits.max(1)) {
        true => Ok(query),
        false => Err(Error::Splits { batch: query, splits }),
    }
}

/// Embeds a view in the order [`permutation`]`(rows, seed, step, stream)` and puts the rows back: shuffling batch
/// normalisation (arXiv 1911.05722, §3.3). Gradients follow the rows.
fn embed_shuffled<B: Batch>(
    view: B,
    (seed, step, stream): (u64, u64, Stream),
    embed: impl FnOnce(B) -> Tensor<2>,
) -> Tensor<2> {
    let order = permutation(view.rows(), seed, step, stream);
    embed(view.pick(&order)).pick(&inverse(&order)) // [batch, dim]
}

/// What is probably not meant of the order in which keys are encoded.
fn diagnose_order(shuffle: bool, splits: usize) -> Option<Warning> {
    match (shuffle, splits) {
        (true, 0 | 1) => Some(Warning::ShuffleWithoutEffect),
        (false, 2..) => Some(Warning::SplitsWithoutShuffle { splits }),
        (false, 0 | 1) | (true, 2..) => None,
    }
}
