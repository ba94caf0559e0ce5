//! Where keys or targets come from.

mod byol;
mod end_to_end;
mod memory_bank;
mod moco;
mod moco_v3;
mod sim_siam;
#[cfg(feature = "train")]
pub(crate) mod train;

use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use serde::Serialize;
use slowburn_ema::{Decay, Refused, StepCount, sync_running_state};

pub use byol::{Byol, ByolConfig};
pub use end_to_end::{EndToEnd, EndToEndConfig};
pub use memory_bank::{MemoryBank, MemoryBankConfig};
pub use moco::{EncoderRole, Moco, MocoConfig};
pub use moco_v3::{MocoV3, MocoV3Config};
pub use sim_siam::{SimSiam, SimSiamConfig};

use crate::random::inverse;
use crate::{Batch, Contrast, ContrastiveError, Encode, Stream, ViewPair, Warning, permutation};

/// A method that learns from two views of each sample: [`Moco`], [`MocoV3`], [`EndToEnd`], [`MemoryBank`], and without
/// negatives [`Byol`] and [`SimSiam`].
///
/// One step is [`contrast`](Self::contrast), `backward`, [`optimize`](Self::optimize), which [`step`](Self::step) does
/// in one call:
///
/// ```no_run
/// # use burn::optim::ModuleOptimizer;
/// # use slowburn_contrastive::{Contrastive, Encode, ContrastiveError, ViewPair};
/// # fn step<M: Contrastive>(
/// #     mut method: M, views: ViewPair<<M::Encoder as Encode>::Input>, optimizer: &mut ModuleOptimizer,
/// # ) -> Result<M, ContrastiveError> {
/// let outcome;
/// (method, outcome) = method.contrast(views)?;
/// let gradients = method.gradients(&outcome);
/// method = method.optimize(optimizer, 0.06, gradients);
/// # Ok(method)
/// # }
/// ```
///
/// A method is a `Module`: its record holds encoders, predictor, queue or bank and step, all that a resumed run needs beside the
/// optimizer. Take it after `optimize`. Hand the optimizer the gradients of [`trained()`](Self::trained) alone, as above;
/// nothing else has any.
///
/// Everything that changes state, except the optimizer and the average of [`Byol`], which follows it, happens in `contrast`. If
/// you accumulate gradients over several calls, each call moves average and queue, as it would in the original.
pub trait Contrastive: Module + ModuleDisplay {
    /// The network that it trains.
    type Encoder: Encode;

    /// What the optimizer trains: that network, with the predictor in methods that have one ([`Online`](crate::Online)).
    type Trained: Module;

    /// What decides its steps beside weights and batches, to be kept with a run.
    type Settings: Serialize;

    /// The loss of a batch, ready for `backward`, and the method after it: with this batch's keys in its queue or bank.
    ///
    /// On the CPU the loss must be finite; on a GPU, which works ahead until somebody reads, ask
    /// [`Contrast::require_finite`] when you read it anyway.
    ///
    /// # Errors
    /// For a batch that does not fit, and a loss that is not finite. The method comes back: weights, queue or bank and steps
    /// are as they were. A loss that is not finite is found late: an average has moved by then, and running statistics hold
    /// what the passes left in them. Go back to a checkpoint then.
    fn contrast(self, batch: ViewPair<<Self::Encoder as Encode>::Input>) -> Contrasted<Self>;

    /// The encoder that the optimizer trains, without a predictor: what is scored and exported.
    fn query(&self) -> &Self::Encoder;

    /// The encoder to look at while training goes on: a copy of [`query`](Self::query), or of its average where running
    /// statistics of the query encoder are not those of images as they are evaluated ([`MocoConfig::masked`]).
    fn evaluated(&self) -> Self::Encoder {
        self.query().clone()
    }

    /// All that the optimizer trains.
    fn trained(&self) -> &Self::Trained;

    /// The method with what `change` makes of all that the optimizer trains.
    fn map_trained(self, change: impl FnOnce(Self::Trained) -> Self::Trained) -> Self;

    /// The gradients of a loss for [`optimize`](Self::optimize), those of a predictor included.
    fn gradients(&self, outcome: &Contrast) -> GradientsParams {
        GradientsParams::from_grads(outcome.loss.backward(), self.trained())
    }

    /// The method with what `change` makes of the encoder that the optimizer trains.
    fn map_query(self, change: impl FnOnce(Self::Encoder) -> Self::Encoder) -> Self;

    /// The number of calls of [`contrast`](Self::contrast).
    fn steps(&self) -> u64;

    /// The method for a new training with what it has learned: encoders, average and queue stay, its steps are counted from 0,
    /// and so is a decay that follows them ([`Ema::restart`](slowburn_ema::Ema::restart)). A memory bank, whose slots are of
    /// samples that a new training may not have, is as it was made.
    fn restart(self) -> Self;

    /// The settings that it was made with.
    fn settings(&self) -> &Self::Settings;

    /// Settings that are probably not meant, for a data set of `samples` and batches of `batch`.
    fn diagnose(&self, samples: usize, batch: usize) -> Vec<Warning>;

    /// What is probably not meant for a training of so many steps: a decay that ends before it, or behind it.
    fn diagnose_length(&self, _steps: u64) -> Option<Warning> {
        None
    }

    /// Steps what is trained with its gradients and brings running statistics up to date.
    ///
    /// # Panics
    /// If a predictor is to be trained and has no gradients: they were taken of the encoder alone.
    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: GradientsParams,
    ) -> Self {
        let method = self.map_trained(|trained| optimizer.step(learning_rate, trained, gradients));
        // A record taken now must hold the statistics of this step's forward passes, not of the step before.
        sync_running_state(&method);
        method
    }

    /// One whole step. Reads the loss, on a GPU too: a step with one that is not finite never reaches the weights. On a GPU its
    /// keys are in queue or bank by then, as after [`contrast`](Self::contrast): go back to a checkpoint.
    ///
    /// # Errors
    /// Those of [`contrast`](Self::contrast).
    fn step(
        self,
        batch: ViewPair<<Self::Encoder as Encode>::Input>,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
    ) -> Contrasted<Self> {
        let (method, outcome) = self.contrast(batch)?;
        if let Err(error) = outcome.require_finite() {
            return Err(Refused::new(method, error));
        }
        let gradients = method.gradients(&outcome);
        Ok((method.optimize(optimizer, learning_rate, gradients), outcome))
    }
}

/// A method after [`Contrastive::contrast`] and the loss of the batch, or the method as it was and the reason.
pub type Contrasted<M> = Result<(M, Contrast), Refused<M, ContrastiveError>>;

/// What every method does with its fields `steps` and `config`, with the one of its average where it has one, and with what
/// forgets the samples of a training.
macro_rules! common {
    ($($average:ident)? $(; $forget:ident)?) => {
        fn steps(&self) -> u64 {
            self.steps.get()
        }

        fn restart(mut self) -> Self {
            self.steps.set(0);
            $(self.$average = self.$average.restart();)?
            $(self.$forget();)?
            self
        }

        fn settings(&self) -> &Self::Settings {
            &self.config
        }
    };
}

/// What every method without a predictor does with its field `query`.
macro_rules! accessors {
    ($($average:ident)? $(; $forget:ident)?) => {
        fn query(&self) -> &E {
            &self.query
        }

        fn map_query(self, change: impl FnOnce(E) -> E) -> Self {
            Self { query: change(self.query), ..self }
        }

        fn trained(&self) -> &E {
            &self.query
        }

        fn map_trained(self, change: impl FnOnce(E) -> E) -> Self {
            self.map_query(change)
        }

        $crate::methods::common!($($average)? $(; $forget)?);
    };
}

/// What every method with a predictor does with its field `online`.
macro_rules! online_accessors {
    ($($average:ident)?) => {
        fn query(&self) -> &E {
            &self.online.encoder
        }

        fn map_query(self, change: impl FnOnce(E) -> E) -> Self {
            self.map_trained(|online| crate::Online { encoder: change(online.encoder), ..online })
        }

        fn trained(&self) -> &crate::Online<E, P> {
            &self.online
        }

        fn map_trained(self, change: impl FnOnce(crate::Online<E, P>) -> crate::Online<E, P>) -> Self {
            Self { online: change(self.online), ..self }
        }

        $crate::methods::common!($($average)?);
    };
}
use {accessors, common, online_accessors};

/// Checks what every method asks of a batch, and returns its rows.
fn check_batch<E: Encode>(encoder: &E, batch: &ViewPair<E::Input>) -> Result<usize, ContrastiveError> {
    let (query, key) = (batch.query.rows(), batch.key.rows());
    if query != key {
        return Err(ContrastiveError::Views { query, key });
    }
    if query == 0 {
        return Err(ContrastiveError::Empty { what: "the batch" });
    }
    let splits = encoder.splits();
    match query.is_multiple_of(splits.max(1)) {
        true => Ok(query),
        false => Err(ContrastiveError::Splits { batch: query, splits }),
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

/// What is probably not meant where statistics of the whole batch are.
fn diagnose_whole_batch(method: &'static str, splits: usize) -> Option<Warning> {
    (splits > 1).then_some(Warning::SplitsWithoutQueue { method, splits })
}

/// A warning of a batch below the one from which on accuracy is the same in the method's paper.
fn diagnose_batch(method: &'static str, batch: usize, least: usize) -> Option<Warning> {
    (batch < least).then_some(Warning::SmallBatch { method, batch, least })
}

/// A warning of a batch in which no sample has a negative.
fn diagnose_negatives(method: &'static str, batch: usize) -> Option<Warning> {
    (batch < 2).then_some(Warning::NoNegatives { method })
}

/// A warning of a decay that rises over another number of steps than the training has.
fn diagnose_decay(decay: Decay, training: u64) -> Option<Warning> {
    match decay {
        Decay::Cosine { steps, .. } if steps != training => Some(Warning::DecayLength { steps, training }),
        _ => None,
    }
}

/// A method behind a step whose outcome is known, which counts where it is one.
fn counted<M>(
    mut method: M,
    outcome: Result<Contrast, ContrastiveError>,
    steps: fn(&mut M) -> &mut StepCount,
) -> Contrasted<M> {
    match outcome {
        Ok(outcome) => {
            steps(&mut method).increment();
            Ok((method, outcome))
        }
        Err(error) => Err(Refused::new(method, error)),
    }
}

/// `Ok` for a finite loss. It is read only where that costs no wait: on the CPU.
fn finite_on_host(outcome: Contrast) -> Result<Contrast, ContrastiveError> {
    #[cfg(feature = "flex")]
    if slowburn_layers::fast_path(&outcome.loss.device()) == slowburn_layers::ComputePath::Kernels {
        outcome.require_finite()?;
    }
    Ok(outcome)
}
