use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_contrastive::Encode;
use slowburn_contrastive::evaluation::{
    FeatureSet, KnnConfig, KnnReport, ProbeConfig, Representation, SweepConfig, SweepReport,
};

use super::{ImageBatch, ImageSet, features};
use crate::task::TaskError;

/// How features are scored: everything that a score depends on beside the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scoring {
    /// What of the encoder's output neighbours are found by.
    pub representation: Representation,
    /// What of it the linear probe sees, where that is something else.
    #[serde(default)]
    pub probe_representation: Option<Representation>,
    /// Weighted nearest neighbours.
    pub knn: KnnConfig,
    /// The linear probe, whose learning rate is chosen on a part of the training images.
    pub sweep: SweepConfig,
}

impl Default for Scoring {
    /// Features below the head; k and τ of MoCo's notebook; short probes on standardised features, so that one range of
    /// learning rates fits encoders and pixels.
    fn default() -> Self {
        let probe = ProbeConfig { epochs: 30, standardize: true, ..ProbeConfig::simclr() };
        Self {
            representation: Representation::Features,
            probe_representation: None,
            knn: KnnConfig::default(),
            sweep: SweepConfig { learning_rates: vec![0.003, 0.01, 0.03, 0.1, 0.3], probe, ..SweepConfig::default() },
        }
    }
}

/// Both scores of one set of features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Weighted nearest neighbours.
    pub knn: KnnReport,
    /// The linear probe.
    pub linear: SweepReport,
}

impl Scoring {
    /// Checks every setting, for a bank of this many images.
    ///
    /// # Errors
    /// An error that names the setting.
    pub fn validate(&self, bank: usize) -> Result<(), slowburn_contrastive::ContrastiveError> {
        self.knn.validate(bank)?;
        self.sweep.validate()
    }

    /// What of the encoder's output the linear probe sees.
    pub fn probe_representation(&self) -> Representation {
        self.probe_representation.unwrap_or(self.representation)
    }

    /// The features that are scored.
    ///
    /// # Errors
    /// Those of [`features`].
    pub fn sets<E>(
        &self,
        encoder: &E,
        train: &ImageSet,
        test: &ImageSet,
        device: &Device,
    ) -> Result<ScoredSets, TaskError>
    where
        E: Encode<Input = Tensor<4>>,
    {
        let sets = |what| {
            Ok::<_, TaskError>([features(encoder, train, what, device)?, features(encoder, test, what, device)?])
        };
        let neighbours = sets(self.representation)?;
        let probe = match self.probe_representation() == self.representation {
            true => neighbours.clone(),
            false => sets(self.probe_representation())?,
        };
        Ok(ScoredSets { neighbours, probe })
    }

    /// Scores test images by what is known of training images.
    ///
    /// # Errors
    /// Those of the scores.
    pub fn score(&self, sets: &ScoredSets) -> Result<Scores, slowburn_contrastive::ContrastiveError> {
        let ScoredSets { neighbours: [bank, queries], probe: [train, test] } = sets;
        Ok(Scores { knn: self.knn.evaluate(bank, queries)?, linear: self.sweep.evaluate(train, test)? })
    }
}

/// Features of training and of test images.
#[derive(Debug, Clone)]
pub struct ScoredSets {
    /// For nearest neighbours.
    pub neighbours: [FeatureSet; 2],
    /// For the linear probe.
    pub probe: [FeatureSet; 2],
}

impl ScoredSets {
    /// The same for both scores.
    pub fn same(train: FeatureSet, test: FeatureSet) -> Self {
        let neighbours = [train, test];
        Self { probe: neighbours.clone(), neighbours }
    }
}

/// The normalised pixels themselves, as a set of features.
///
/// # Errors
/// If the images do not fit the pipeline.
pub fn pixels(set: &ImageSet, device: &Device) -> Result<FeatureSet, TaskError> {
    let (mut parts, mut labels) = (Vec::new(), Vec::new());
    for batch in set.batches(device)? {
        let ImageBatch { images, classes, .. } = batch?;
        parts.push(images.flatten::<2>(1, 3)); // [batch, C·H·W]
        labels.extend(classes);
    }
    Ok(FeatureSet::new(Tensor::cat(parts, 0), labels, Representation::Input)?)
}
