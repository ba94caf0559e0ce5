use std::collections::HashSet;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{EmaError, StateMatrix, StepCount};

use super::{Contrasted, Contrastive, accessors, check_batch, counted, finite_on_host};
use crate::random::{directions, negatives};
use crate::{Contrast, ContrastiveError, Encode, InfoNce, ViewPair, Warning, normalize};

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
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::at_least_one("dim", self.dim)?;
        ContrastiveError::at_least_one("negatives", self.negatives)?;
        ContrastiveError::unless((0.0..=1.0).contains(&self.decay), "decay", self.decay, "in [0, 1]")?;
        self.loss.validate()
    }

    /// A bank for a data set of `samples` samples, its slots random directions.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and for fewer samples than negatives and one more.
    pub fn init<E: Encode>(
        &self,
        query: E,
        samples: usize,
        device: &Device,
    ) -> Result<MemoryBank<E>, ContrastiveError> {
        self.validate()?;
        ContrastiveError::at_most(
            "negatives",
            self.negatives,
            samples.saturating_sub(1),
            "one less than the number of samples",
        )?;
        Ok(MemoryBank {
            query,
            bank: StateMatrix::new(directions(samples, self.dim, self.seed, device)),
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
    bank: StateMatrix,
    steps: StepCount,
    #[module(skip)]
    config: MemoryBankConfig,
}

impl<E: Encode> MemoryBank<E> {
    /// All slots, `[samples, dim]`.
    pub fn slots(&self) -> Tensor<2> {
        self.bank.value()
    }

    fn forget(&self) {
        let [samples, dim] = self.bank.dims();
        self.bank.update(|bank| directions(samples, dim, self.config.seed, &bank.device()));
    }

    fn check(&self, batch: &ViewPair<E::Input>) -> Result<(), ContrastiveError> {
        let rows = check_batch(&self.query, batch)?;
        ContrastiveError::counts("samples", batch.samples.len(), rows)?;
        let [samples, _] = self.bank.dims();
        let mut met = HashSet::new();
        for &sample in &batch.samples {
            if sample >= samples {
                return Err(EmaError::UnknownSample { sample, samples }.into());
            }
            if !met.insert(sample) {
                return Err(ContrastiveError::RepeatedSample { sample });
            }
        }
        let others = "the number of samples outside the batch";
        ContrastiveError::at_most("negatives", self.config.negatives, samples - rows, others)
    }

    /// The loss of a batch, and what its slots gain by it: `normalize(d·v + (1−d)·q) − v`.
    fn outcome(&self, batch: &ViewPair<E::Input>) -> Result<(Contrast, Tensor<2>), ContrastiveError> {
        self.check(batch)?;
        let queries = normalize(self.query.embed(batch.query.clone())); // [batch, dim]
        ContrastiveError::dims(queries.dims()[1], self.config.dim)?;
        let [samples, _] = self.bank.dims();
        let MemoryBankConfig { negatives: count, decay, loss, seed, .. } = self.config;
        let drawn = negatives(samples, count, &batch.samples, seed, self.steps.get());
        let (own, slots) = (self.bank.select(&batch.samples)?, self.bank.select(&drawn)?); // [batch, dim], [K, dim]
        let outcome = finite_on_host(loss.info_nce(queries.clone(), own.clone(), slots)?)?;
        let queries = queries.without_autodiff().cast(own.dtype());
        let new = normalize(own.clone().mul_scalar(decay) + queries.mul_scalar(1.0 - decay));
        Ok((outcome, new - own))
    }
}

impl<E: Encode> Contrastive for MemoryBank<E> {
    type Encoder = E;
    type Trained = E;
    type Settings = MemoryBankConfig;

    fn contrast(self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        // Read first, then updated: a slot never holds the query that it is compared with.
        let remembered = self.outcome(&batch).and_then(|(outcome, change)| {
            self.bank.add(&batch.samples, change)?;
            Ok(outcome)
        });
        counted(self, remembered, |method| &mut method.steps)
    }

    accessors!(; forget);

    /// There is nothing to warn of: a slot comes from an earlier step with another batch, so that a query and its
    /// positive were never normalised in the same group, and shuffling is "irrelevant" (arXiv 1911.05722, §3.3).
    fn diagnose(&self, _samples: usize, _batch: usize) -> Vec<Warning> {
        Vec::new()
    }
}
