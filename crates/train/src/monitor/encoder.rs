use burn::tensor::{Device, Tensor};
use slowburn_contrastive::Encode;
use slowburn_contrastive::evaluation::{FeatureSet, KnnConfig, Representation, Spread, extract, spread};

use super::{ImageSet, effective_rank};
use crate::task::TaskError;

/// The features of an encoder, in evaluation mode, of every image of a set.
///
/// # Errors
/// If an image cannot be read or does not fit, or features are not finite.
pub fn features<E>(
    encoder: &E,
    set: &ImageSet,
    representation: Representation,
    device: &Device,
) -> Result<FeatureSet, TaskError>
where
    E: Encode<Input = Tensor<4>>,
{
    let mut failed = None;
    let batches = set.batches(device)?.map_while(|batch| batch.map_err(|error| failed = Some(error)).ok());
    let features = extract(encoder, batches.map(|batch| (batch.images, batch.classes)), representation);
    match failed {
        Some(error) => Err(error),
        None => Ok(features?),
    }
}

/// What a [`EncoderMonitor`] saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The share of held-out training images whose class their neighbours name, where classes are known.
    pub knn_accuracy: Option<f64>,
    /// How far features of unit length are spread: far below even is a collapse.
    pub spread: Spread,
    /// How many directions features vary along, see [`effective_rank`].
    pub effective_rank: f64,
}

/// Every so many images with a class one is a query.
const HELD_OUT: usize = 5;

/// Watches an encoder in training on training images alone. No test image is looked at, so that settings may be chosen by it.
///
/// Where images have classes, every fifth is classified by its neighbours among the others.
#[derive(Debug, Clone)]
pub struct EncoderMonitor {
    bank: Option<ImageSet>,
    queries: ImageSet,
    knn: KnnConfig,
    representation: Representation,
    device: Device,
}

impl EncoderMonitor {
    /// A monitor of images whose classes are known, on a device without autodiff.
    ///
    /// # Errors
    /// [`ContrastiveError`](slowburn_contrastive::ContrastiveError) where the bank has fewer than k images.
    pub fn classes(
        set: &ImageSet,
        knn: KnnConfig,
        representation: Representation,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let (bank, queries) = set.split(HELD_OUT);
        knn.validate(bank.len())?;
        Ok(Self { bank: Some(bank), queries, knn, representation, device: device.clone() })
    }

    /// A monitor of images of unknown classes: spread and rank alone.
    pub fn unlabeled(set: ImageSet, representation: Representation, device: &Device) -> Self {
        Self { bank: None, queries: set, knn: KnnConfig::default(), representation, device: device.clone() }
    }

    /// Looks at an encoder.
    ///
    /// # Errors
    /// Those of [`features`].
    pub fn look<E: Encode<Input = Tensor<4>>>(&self, encoder: &E) -> Result<Look, TaskError> {
        let of = |set| features(encoder, set, self.representation, &self.device);
        let bank = self.bank.as_ref().map(of).transpose()?;
        let queries = of(&self.queries)?;
        let knn = |bank: FeatureSet| Ok::<_, TaskError>(self.knn.evaluate(&bank, &queries)?.accuracy);
        Ok(Look {
            knn_accuracy: bank.map(knn).transpose()?,
            spread: spread(queries.features()),
            effective_rank: effective_rank(queries.features()),
        })
    }

    /// What was handed out and left out so far.
    pub fn reports(&self) -> Vec<slowburn_augment::loader::Report> {
        self.bank.iter().chain([&self.queries]).map(ImageSet::report).collect()
    }

    /// Images in the bank; 0 where classes are unknown.
    pub fn bank(&self) -> usize {
        self.bank.as_ref().map_or(0, ImageSet::len)
    }

    /// Images that are looked at each time beside the bank.
    pub fn queries(&self) -> usize {
        self.queries.len()
    }
}
