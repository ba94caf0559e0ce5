use std::collections::HashSet;

use burn::module::Module;
use burn::tensor::{Device, IndexingUpdateOp, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::StepCount;

use super::{Contrastive, check_batch};
use crate::random::negatives;
use crate::rows::{Rows, indices};
use crate::{Contrast, Encode, Error, InfoNce, Views, Warning, normalize};

/// The settings of [`MemoryBank`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `dim` | 128 | length of an embedding | ≥ 1 |
/// | `negatives` | 4,096 | slots drawn as negatives at each step, K | ≥ 1 |
/// | `decay` | 0.5 | weight of the old slot in its average | [0, 1] |
/// | `loss` | τ = 0.07 | temperature, and whether decoupled | |
/// | `seed` | 0 | of the slots' initial values and of the draws | |
///
/// The defaults are those of Wu et al., arXiv 1805.01978.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoryBankConfig {
    /// The length of an embedding.
    pub dim: usize,
    /// The number of slots drawn as negatives at each step.
    pub negatives: usize,
    /// The weight of the old slot in its average.
    pub decay: f64,
    /// Temperature, and whether decoupled.
    pub loss: InfoNce,
    /// The seed of the slots' initial values and of the draws.
    pub seed: u64,
}

impl Default for MemoryBankConfig {
    fn default() -> Self {
        Self { dim: 128, negatives: 4096, decay: 0.5, loss: InfoNce::default(), seed: 0 }
    }
}

impl MemoryBankConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), Error> {
        Error::at_least_one("dim", self.dim)?;
        Error::at_least_one("negatives", self.negatives)?;
        Error::unless((0.0..=1.0).contains(&self.decay), "decay", self.decay, "in [0, 1]")?;
        self.loss.validate()
    }

    /// A bank for a data set of `samples` samples, its slots random directions.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and for fewer samples than negatives and one more.
    pub fn init<E: Encode>(&self, query: E, samples: usize, device: &Device) -> Result<MemoryBank<E>, Error> {
        self.validate()?;
        Error::at_most("negatives", self.negatives, samples.saturating_sub(1), "one less than the number of samples")?;
        Ok(MemoryBank {
            query,
            bank: Rows::random(samples, self.dim, self.seed, device),
            steps: StepCount::new(&device.clone().without_autodiff()),
            config: self.clone(),
        })
    }
}

/// One slot per sample of the data set: the second baseline of MoCo's paper (arXiv 1911.05722, fig. 2b), after instance
/// discrimination (Wu et al., arXiv 1805.01978).
///
/// A query's positive is its own sample's slot `vᵢ`, its negatives are K slots drawn from those of samples outside the
/// batch, a pure function of (seed, step). Then `vᵢ ← normalize(d·vᵢ + (1−d)·qᵢ)`: the average is one of
/// *representations*, as old as the sample's last visit, where MoCo averages the encoder. Reads the query view alone.
///
/// Where ours differs: negatives are drawn once a step for all queries and never are the batch's own slots.
#[derive(Module, Debug)]
pub struct MemoryBank<E: Module> {
    /// The encoder, with its head.
    pub query: E,
    bank: Rows,
    steps: StepCount,
    #[module(skip)]
    config: MemoryBankConfig,
}

impl<E: Encode> MemoryBank<E> {
    /// All slots, `[samples, dim]`.
    pub fn slots(&self) -> Tensor<2> {
        self.bank.value.clone()
    }

    fn check(&self, batch: &Views<E::Input>) -> Result<(), Error> {
        let rows = check_batch(&self.query, batch)?;
        Error::counts("samples", batch.samples.len(), rows)?;
        let [samples, _] = self.bank.value.dims();
        let mut met = HashSet::new();
        for &sample in &batch.samples {
            if sample >= samples {
                return Err(Error::UnknownSample { sample, samples });
            }
            if !met.insert(sample) {
                return Err(Error::RepeatedSample { sample });
            }
        }
        let others = "the number of samples outside the batch";
        Error::at_most("negatives", self.config.negatives, samples - rows, others)
    }

    /// `v ← normalize(d·v + (1−d)·q)` in the slots `at`, whose old values are `old`.
    fn remember(mut self, at: &[usize], old: Tensor<2>, queries: Tensor<2>) -> Self {
        let decay = self.config.decay;
        let queries = queries.without_autodiff().cast(old.dtype());
        let new = normalize(old.clone().mul_scalar(decay) + queries.mul_scalar(1.0 - decay));
        let at = indices(at, &old.device());
        self.bank.value = self.bank.value.select_assign(0, at, new - old, IndexingUpdateOp::Add);
        self
    }
}

impl<E: Encode> Contrastive for MemoryBank<E> {
    type Encoder = E;

    fn contrast(mut self, batch: Views<E::Input>) -> Result<(Self, Contrast), Error> {
        self.check(&batch)?;
        let queries = normalize(self.query.embed(batch.query)); // [batch, dim]
        Error::dims(queries.dims()[1], self.config.dim)?;
        let (bank, config) = (self.bank.value.clone(), &self.config);
        let [samples, _] = bank.dims();
        let own = bank.clone().select(0, indices(&batch.samples, &bank.device())); // [batch, dim]
        let drawn = negatives(samples, config.negatives, &batch.samples, config.seed, self.steps.get());
        let slots = bank.clone().select(0, indices(&drawn, &bank.device())); // [K, dim]
        drop(bank);
        let outcome = config.loss.info_nce(queries.clone(), own.clone(), slots)?;
        // Read first, then remembered: a slot never is the query that it is compared with.
        self = self.remember(&batch.samples, own, queries);
        self.steps.increment();
        Ok((self, outcome))
    }

    fn query(&self) -> &E {
        &self.query
    }

    fn map_query(self, change: impl FnOnce(E) -> E) -> Self {
        Self { query: change(self.query), ..self }
    }

    fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// There is nothing to warn of: a slot is of an earlier step, whose batch was another, so that a query and its
    /// positive never were normalised in the same company and shuffling is "irrelevant" (arXiv 1911.05722, §3.3).
    fn diagnose(&self, _samples: usize, _batch: usize) -> Vec<Warning> {
        Vec::new()
    }
}
