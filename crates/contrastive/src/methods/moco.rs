use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, Ema, EmaConfig, Refused, StepCount, detached_copy};

use super::{
    Contrasted, Contrastive, accessors, check_batch, diagnose_decay, diagnose_order, embed_shuffled, finite_on_host,
};
use crate::{
    Contrast, ContrastiveError, Encode, InfoNce, KeyQueue, KeyQueueConfig, Stream, SymmetricReduction, Unfilled,
    ViewPair, Warning, normalize,
};

/// The settings of [`Moco`].
///
/// | Name | Default (v1) | Purpose | Range |
/// |---|---|---|---|
/// | `dim` | 128 | length of an embedding | ≥ 1 |
/// | `queue` | 65,536 | keys in the queue, K | ≥ keys of a step |
/// | `unfilled` | `Keep` | how the queue's unfilled rows are treated | |
/// | `decay` | 0.999 | weight of the old key encoder in its average, the paper's m | [0, 1] |
/// | `loss` | τ = 0.07 | temperature, and whether decoupled | |
/// | `symmetric` | false | each view is query once and key once | |
/// | `reduction` | `Sum` | how the two directions are combined | |
/// | `shuffle` | true | keys are encoded in another order, see [`Moco`] | |
/// | `masked` | false | the query view has masked parts, see [`Moco`] | not with `symmetric` |
/// | `seed` | 0 | of the queue's initial rows and of the shuffles | |
///
/// What differs between v1 and v2 beside the temperature is not here: the head belongs to the encoder, blur to the
/// views, the cosine schedule to the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MocoConfig {
    /// The length of an embedding.
    pub dim: usize,
    /// The number of keys in the queue, K.
    pub queue: usize,
    /// How the queue's unfilled rows are treated.
    pub unfilled: Unfilled,
    /// The weight of the old key encoder in its average, by step.
    pub decay: Decay,
    /// Temperature, and whether decoupled.
    pub loss: InfoNce,
    /// Whether each view is query once and key once.
    pub symmetric: bool,
    /// How the two directions of a symmetric loss are combined.
    pub reduction: SymmetricReduction,
    /// Whether keys are encoded in another order than queries.
    pub shuffle: bool,
    /// Whether parts of the query view are masked and the key view is whole. The views do the masking; this says that they do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// The seed of the queue's initial rows and of the shuffles.
    pub seed: u64,
}

impl Default for MocoConfig {
    fn default() -> Self {
        Self::v1()
    }
}

impl MocoConfig {
    /// MoCo v1 on ImageNet (arXiv 1911.05722): τ 0.07, K 65,536, decay 0.999.
    pub fn v1() -> Self {
        Self {
            dim: 128,
            queue: 65_536,
            unfilled: Unfilled::Keep,
            decay: Decay::Constant { decay: 0.999 },
            loss: InfoNce::new(0.07),
            symmetric: false,
            reduction: SymmetricReduction::Sum,
            shuffle: true,
            masked: false,
            seed: 0,
        }
    }

    /// MoCo v2 on ImageNet (arXiv 2003.04297): τ 0.2, otherwise as v1.
    pub fn v2() -> Self {
        Self { loss: InfoNce::new(0.2), ..Self::v1() }
    }

    /// The CIFAR-10 notebook of MoCo's authors: τ 0.1, K 4,096, decay 0.99; give the encoder 8 splits.
    pub fn cifar() -> Self {
        Self { queue: 4096, decay: Decay::Constant { decay: 0.99 }, loss: InfoNce::new(0.1), ..Self::v1() }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`] or [`ContrastiveError::Average`], which name the setting;
    /// [`ContrastiveError::MaskedKeys`] for masked queries in a symmetric loss.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        if self.masked && self.symmetric {
            return Err(ContrastiveError::MaskedKeys);
        }
        self.queue_config().validate()?;
        self.loss.validate()?;
        Ok(self.decay.validate()?)
    }

    /// The key encoder starts as a copy of `query`, head included, the queue with random directions.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init<E: Encode>(&self, query: E, device: &Device) -> Result<Moco<E>, ContrastiveError> {
        self.validate()?;
        Ok(Moco {
            key: EmaConfig::new(self.decay).init(&query)?,
            query,
            queue: self.queue_config().init(device)?,
            steps: StepCount::new(&device.clone().without_autodiff()),
            config: self.clone(),
        })
    }

    fn queue_config(&self) -> KeyQueueConfig {
        KeyQueueConfig { size: self.queue, dim: self.dim, unfilled: self.unfilled, seed: self.seed }
    }
}

/// Which of a method's two encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderRole {
    /// The one that the optimizer trains, and that the papers evaluate.
    #[default]
    Query,
    /// Its average.
    Key,
}

/// Momentum contrast (He et al., arXiv 1911.05722; v2: Chen et al., arXiv 2003.04297).
///
/// An encoder learns to tell the key of a query's own image from K keys of earlier images, which a slow-moving
/// average of itself has encoded. One step, on one device, in the order of the authors' code; the paper's algorithm 1 moves
/// the average behind the optimizer instead, which gives the same keys, since the first move is from θ to θ:
///
/// 1. queries `q = normalize(f(x_q, θ))`
/// 2. the average moves: `θ̄ ← m·θ̄ + (1 − m)·θ`, exactly once, with the weights just used
/// 3. keys `k = normalize(f(x_k, θ̄))`, without gradient, in training mode, with running statistics of their own
/// 4. the [`InfoNce`] loss against the queue as it was before this batch
/// 5. this batch's keys enter the queue, once
/// 6. the optimizer, in [`optimize`](Contrastive::optimize)
///
/// Symmetric: both views are queries and keys, all against the same queue; still one move and one enqueue (of the first
/// view's keys, then the second's).
///
/// With `shuffle`, the key batch of step t is encoded in the order [`permutation`](crate::permutation)`(batch, seed, t,
/// Stream::Keys)` and put back, the second direction's in that of `Stream::SecondKeys`: a pure function of (seed, step). Where the encoder
/// normalises by splits of the batch, a query and its key are then normalised in different groups and cannot be recognised
/// by them (§3.3). Without splits it changes nothing, and [`diagnose`](Contrastive::diagnose) says so.
///
/// Masked queries ([`MocoConfig::masked`]): the paper's last sentence hopes for pretext tasks such as masked auto-encoding. Here
/// the query view has masked patches, and its key is of a whole view, as are all keys in the queue. The views do the masking,
/// queries by one pipeline and keys by another; the step is the same. Not with a symmetric loss, which would make keys of
/// masked views. Running statistics of the query encoder are of masked images then: before it is scored or exported,
/// [`renew_statistics`](crate::evaluation::renew_statistics). There is no published recipe.
///
/// Defaults that differ from the reference's: none in the method. The queue may hold any number of keys and take
/// batches of any size up to it.
#[derive(Module, Debug)]
pub struct Moco<E: Module> {
    /// The encoder that the optimizer trains, with its head.
    pub query: E,
    /// Its average.
    pub key: Ema<E>,
    /// The keys of earlier batches.
    pub queue: KeyQueue,
    steps: StepCount,
    #[module(skip)]
    config: MocoConfig,
}

impl<E: Encode> Moco<E> {
    /// The settings.
    pub fn config(&self) -> &MocoConfig {
        &self.config
    }

    /// An independent copy of one encoder, head included, without gradients: for evaluation or for a file.
    ///
    /// `unfreeze()` makes it learnable for fine-tuning.
    pub fn export(&self, which: EncoderRole) -> E {
        match which {
            EncoderRole::Query => detached_copy(&self.query),
            EncoderRole::Key => self.key.export(),
        }
    }

    /// The keys of a view, `[batch, dim]`, without gradient.
    fn keys(&self, view: E::Input, stream: Stream) -> Tensor<2> {
        // Training mode: "ShuffleBN would be meaningless if the key encoder freezes BN" (MoCo issue 13).
        let embed = |view| self.key.with_module(|key| key.embed(view)).detach();
        normalize(match self.config.shuffle {
            true => embed_shuffled(view, (self.config.seed, self.steps.get(), stream), embed),
            false => embed(view),
        })
    }

    /// Keys of a step with batches of `batch`.
    fn keys_of_a_step(&self, batch: usize) -> usize {
        if self.config.symmetric { 2 * batch } else { batch }
    }

    fn check(&self, batch: &ViewPair<E::Input>) -> Result<(), ContrastiveError> {
        let keys = self.keys_of_a_step(check_batch(&self.query, batch)?);
        let queue = self.queue.size();
        match keys <= queue {
            true => Ok(()),
            false => Err(ContrastiveError::QueueTooSmall { keys, queue }),
        }
    }

    /// The queries of the first direction, `[batch, dim]`, of a batch that fits.
    fn queries(&self, batch: &ViewPair<E::Input>) -> Result<Tensor<2>, ContrastiveError> {
        self.check(batch)?;
        let queries = normalize(self.query.embed(batch.query.clone()));
        ContrastiveError::dims(queries.dims()[1], self.config.dim)?;
        Ok(queries)
    }

    /// The loss of a batch, and the keys of it that go into the queue.
    fn outcome(
        &self,
        queries: Tensor<2>,
        batch: ViewPair<E::Input>,
    ) -> Result<(Contrast, Tensor<2>), ContrastiveError> {
        let loss = self.config.loss;
        let keys = self.keys(batch.key.clone(), Stream::Keys); // [batch, dim]
        // [K, dim], read before this batch goes in: no key is a negative of its own query, in either direction. Not kept
        // in a variable, which would be a second owner of the queue's memory and make `enqueue` copy all of it.
        let outcome = loss.info_nce(queries, keys.clone(), self.queue.negatives())?;
        if !self.config.symmetric {
            return Ok((finite_on_host(outcome)?, keys));
        }
        let queries = normalize(self.query.embed(batch.key));
        let second = self.keys(batch.query, Stream::SecondKeys);
        let other = loss.info_nce(queries, second.clone(), self.queue.negatives())?;
        let outcome = outcome.mean(other).scaled(self.config.reduction.factor());
        // The first view's keys, then the second's.
        Ok((finite_on_host(outcome)?, Tensor::cat(vec![second, keys], 0)))
    }
}

impl<E: Encode> Contrastive for Moco<E> {
    type Encoder = E;
    type Trained = E;
    type Settings = MocoConfig;

    fn contrast(mut self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        let queries = match self.queries(&batch) {
            Ok(queries) => queries,
            Err(error) => return Err(Refused::new(self, error)),
        };
        // Once a step whatever the mode, and before the keys: they are those of the average of the weights just used.
        self.key = match self.key.update(&self.query) {
            Ok(key) => key,
            Err(refused) => return Err(refused.map(|key| Self { key, ..self }, Into::into)),
        };
        let (outcome, keys) = match self.outcome(queries, batch) {
            Ok(outcome) => outcome,
            Err(error) => return Err(Refused::new(self, error)),
        };
        self.queue = match self.queue.enqueue(keys) {
            Ok(queue) => queue,
            Err(refused) => return Err(refused.map(|queue| Self { queue, ..self }, |error| error)),
        };
        self.steps.increment();
        Ok((self, outcome))
    }

    accessors!(key);

    fn evaluated(&self) -> E {
        match self.config.masked {
            true => self.key.export(),
            false => self.query.clone(),
        }
    }

    fn diagnose(&self, samples: usize, batch: usize) -> Vec<Warning> {
        let order = diagnose_order(self.config.shuffle, self.query.splits());
        // A symmetric step puts two keys of each sample in.
        let rounds = self.keys_of_a_step(1);
        let stale = KeyQueue::check(self.queue.size().div_ceil(rounds), samples, batch);
        let stale = stale.map(|_| Warning::QueueHoldsPositives { queue: self.queue.size(), samples, batch });
        let masked = self.config.masked.then_some(Warning::MaskedStatistics);
        order.into_iter().chain(stale).chain(masked).collect()
    }

    fn diagnose_length(&self, steps: u64) -> Option<Warning> {
        diagnose_decay(self.config.decay, steps)
    }
}
