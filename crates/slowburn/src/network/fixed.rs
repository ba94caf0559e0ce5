use serde::{Deserialize, Serialize};
use slowburn_contrastive::{MocoConfig, Unfilled};
use slowburn_layers::SplitBatchNormConfig;
use slowburn_models::WideResNetConfig;

use super::{Arch, BackboneConfig, Normalization};

/// What decides how a run ends and no flag changes, so that whoever rebuilds the run finds it in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    /// The weight of the new batch in batch normalisation's running statistics, by which a network is evaluated.
    pub batch_norm_momentum: f64,
    /// Added to a variance before its root divides.
    pub batch_norm_epsilon: f64,
    /// How the rows of MoCo's queue that no key has filled yet are treated.
    pub unfilled_queue_rows: Unfilled,
}

impl BackboneConfig {
    /// What is fixed for this encoder.
    pub fn fixed(&self) -> Fixed {
        let (batch_norm_momentum, batch_norm_epsilon) = match (self.arch, self.normalization) {
            (Arch::WideResNet28x2, Normalization::SlowBatch) => {
                let WideResNetConfig { momentum, epsilon, .. } = WideResNetConfig::wrn_28_2_usb();
                (momentum, epsilon)
            }
            _ => {
                let SplitBatchNormConfig { momentum, epsilon, .. } = SplitBatchNormConfig::new(1);
                (momentum, epsilon)
            }
        };
        Fixed { batch_norm_momentum, batch_norm_epsilon, unfilled_queue_rows: MocoConfig::default().unfilled }
    }
}
