use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_ema::StepCount;

use super::{
    Contrasted, Contrastive, accessors, check_batch, counted, diagnose_negatives, diagnose_order, embed_shuffled,
    finite_on_host,
};
use crate::{Contrast, ContrastiveError, Encode, InfoNce, Stream, SymmetricReduction, ViewPair, Warning, normalize};

/// The settings of [`EndToEnd`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `loss` | τ = 0.07 | temperature, and whether decoupled |
/// | `reduction` | `Mean` | `Sum` doubles it, for comparison with a symmetric sum |
/// | `shuffle` | true | the second view is encoded in another order, see [`EndToEnd`] |
/// | `seed` | 0 | of the shuffles |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndToEndConfig {
    /// Temperature, and whether decoupled.
    pub loss: InfoNce,
    /// Whether the mean over both views is doubled.
    pub reduction: SymmetricReduction,
    /// Whether the second view is encoded in another order than the first.
    pub shuffle: bool,
    /// The seed of the shuffles.
    pub seed: u64,
}

impl Default for EndToEndConfig {
    fn default() -> Self {
        Self { loss: InfoNce::default(), reduction: SymmetricReduction::Mean, shuffle: true, seed: 0 }
    }
}

impl EndToEndConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        self.loss.validate()
    }

    /// End-to-end training of this encoder.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init<E: Encode>(&self, query: E, device: &Device) -> Result<EndToEnd<E>, ContrastiveError> {
        self.validate()?;
        let steps = StepCount::new(&device.clone().without_autodiff());
        Ok(EndToEnd { query, steps, config: self.clone() })
    }
}

/// In-batch keys with gradient to queries and keys: the first baseline of MoCo's paper (arXiv 1911.05722, fig. 2a), in
/// the form of SimCLR ([`InfoNce::nt_xent`]).
///
/// One encoder for both views, each its own forward pass; the other samples of the batch, in both views, are the
/// negatives. Their number is that of the batch: the reason for a queue.
///
/// With `shuffle`, the second view of step t is encoded in the order [`permutation`](crate::permutation)`(batch, seed,
/// t, Stream::Keys)` and put back, gradients too. The paper shuffles "in both our method and its end-to-end ablation counterpart"
/// (§3.3): where the encoder normalises by splits of the batch, the two views of a sample would otherwise always share
/// their group and could be recognised by it. [`diagnose`](Contrastive::diagnose) warns as [`Moco`](crate::Moco)'s does.
#[derive(Module, Debug)]
pub struct EndToEnd<E: Module> {
    /// The encoder, with its head.
    pub query: E,
    steps: StepCount,
    #[module(skip)]
    config: EndToEndConfig,
}

impl<E: Encode> EndToEnd<E> {
    /// The settings.
    pub fn config(&self) -> &EndToEndConfig {
        &self.config
    }

    fn outcome(&self, batch: ViewPair<E::Input>) -> Result<Contrast, ContrastiveError> {
        check_batch(&self.query, &batch)?;
        let embed = |view| self.query.embed(view);
        let first = normalize(embed(batch.query)); // [batch, dim]
        let second = normalize(match self.config.shuffle {
            true => embed_shuffled(batch.key, (self.config.seed, self.steps.get(), Stream::Keys), embed),
            false => embed(batch.key),
        }); // [batch, dim]
        finite_on_host(self.config.loss.nt_xent(first, second)?.scaled(self.config.reduction.factor()))
    }
}

impl<E: Encode> Contrastive for EndToEnd<E> {
    type Encoder = E;
    type Trained = E;
    type Settings = EndToEndConfig;

    fn contrast(self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        let outcome = self.outcome(batch);
        counted(self, outcome, |method| &mut method.steps)
    }

    accessors!();

    fn diagnose(&self, _samples: usize, batch: usize) -> Vec<Warning> {
        let order = diagnose_order(self.config.shuffle, self.query.splits());
        order.into_iter().chain(diagnose_negatives("end-to-end training", batch)).collect()
    }
}
