//! Networks with the weights of a file.

use burn::tensor::Device;
use slowburn_augment::ImageSize;
use slowburn_models::weights::{LoadOptions, Loaded, load};
use slowburn_models::{Classifier, HeadVersion, MlpHeadConfig, OutputNorm, Projector};

use super::{CheckpointError, Weights};
use crate::network::{Backbone, BackboneConfig, ContrastConfig, Head, NetworkConfig};

/// How many names a message shows.
const SHOWN: usize = 4;

impl Weights {
    fn options(&self, fresh_head: bool) -> LoadOptions {
        LoadOptions { branch: self.branch.clone(), fresh_head, partial: false }
    }

    /// The projection head, or a classifier's.
    fn head(&self) -> Option<Head> {
        let rows = |name: &str| self.shape(name).map(|shape| shape[0]);
        let v2 = || rows("fc.2.weight").map(|dim| Head::Moco(HeadVersion::V2, dim));
        let v1 = || rows("fc.weight").map(|dim| Head::Moco(HeadVersion::V1, dim));
        self.normalized_head().map(Head::Mlp).or_else(v2).or_else(v1)
    }

    /// A head of normalised layers: linear, normalisation and rectifier each have a number.
    fn normalized_head(&self) -> Option<MlpHeadConfig> {
        let rows = |number: usize| self.shape(&format!("fc.{number}.weight")).map(|shape| shape[0]);
        let has = |number: usize, what: &str| self.shape(&format!("fc.{number}.{what}")).is_some();
        let widths: Vec<usize> = (0..).step_by(3).map_while(rows).collect();
        let (&dim, hidden) = widths.split_last()?;
        if hidden.is_empty() || !has(1, "running_mean") {
            return None;
        }
        let last = 3 * hidden.len();
        let output_norm = match (has(last + 1, "running_mean"), has(last + 1, "weight")) {
            (false, _) => OutputNorm::None,
            (true, false) => OutputNorm::Plain,
            (true, true) => OutputNorm::Affine,
        };
        let head = MlpHeadConfig::new(hidden.to_vec(), dim).with_hidden_bias(has(0, "bias"));
        Some(head.with_output_bias(has(last, "bias")).with_output_norm(output_norm))
    }

    /// Whether there is a head of a kind that this program knows.
    pub fn has_head(&self) -> bool {
        self.head().is_some()
    }

    /// How many classes the head tells apart: none where there is no classifier's head.
    pub fn classes(&self) -> Option<usize> {
        let rows = self.shape("fc.weight").map(|shape| shape[0]);
        rows.filter(|_| !self.is_contrastive())
    }

    /// The encoder with these weights.
    ///
    /// # Errors
    /// What does not fit, by name.
    pub fn encoder(&self, encoder: Backbone) -> Result<(Backbone, Loaded), CheckpointError> {
        Ok(load(encoder, &self.source, &self.options(false))?)
    }

    /// A classifier that starts from these weights: with their head where it tells the same classes apart, unless a fresh one
    /// is wanted.
    ///
    /// # Errors
    /// What does not fit, by name; [`CheckpointError::OtherHead`] for a head of other classes.
    pub fn start(
        &self,
        network: Classifier<Backbone>,
        classes: &[String],
        fresh_head: bool,
    ) -> Result<(Classifier<Backbone>, Loaded), CheckpointError> {
        if self.keeps_head(classes, fresh_head)? {
            return Ok(load(network, &self.source, &self.options(true))?);
        }
        let (encoder, loaded) = self.encoder(network.encoder)?;
        Ok((Classifier { encoder, ..network }, loaded))
    }

    fn keeps_head(&self, classes: &[String], fresh_head: bool) -> Result<bool, CheckpointError> {
        let Some(theirs) = self.classes().filter(|_| !fresh_head) else {
            return Ok(false);
        };
        let known = &self.source.metadata().classes;
        if theirs == classes.len() && (known.is_empty() || known == classes) {
            return Ok(true);
        }
        let names = |classes: &[String]| match classes.len() <= SHOWN {
            true => classes.join(", "),
            false => format!("{} classes ({}, …)", classes.len(), classes[..SHOWN].join(", ")),
        };
        let theirs = if known.is_empty() { format!("{theirs} classes") } else { names(known) };
        Err(CheckpointError::OtherHead { path: self.file.clone(), theirs, ours: names(classes) })
    }

    /// The encoder with its projection head, where it has one and an `embedding` is wanted.
    ///
    /// # Errors
    /// [`CheckpointError::NoHead`] if an `embedding` is wanted and cannot be had; what does not fit, by name.
    pub fn network(
        &self,
        image: ImageSize,
        embedding: bool,
        device: &Device,
    ) -> Result<Projector<Backbone>, CheckpointError> {
        let head = self.head();
        if embedding && head.is_none() {
            return Err(CheckpointError::NoHead { path: self.file.clone() });
        }
        let head = head.unwrap_or(Head::Moco(HeadVersion::V1, 1));
        let network = ContrastConfig { backbone: self.backbone(), head }.init(image, device)?;
        if embedding {
            // The head was found; a second one, of Mean Teacher's, is no part of the embedding.
            return Ok(load(network, &self.source, &self.options(true))?.0);
        }
        // Features do not pass the head: whatever it starts with will do.
        let (encoder, _) = self.encoder(network.encoder)?;
        Ok(Projector { encoder, ..network })
    }

    /// The classifier with these weights, for images of the size that its views give.
    ///
    /// # Errors
    /// [`CheckpointError::NoClassifier`] where there is no such head; what does not fit, by name.
    pub fn classifier(&self, image: ImageSize, device: &Device) -> Result<Classifier<Backbone>, CheckpointError> {
        let classes = self.classes().ok_or_else(|| CheckpointError::NoClassifier { path: self.file.clone() })?;
        let BackboneConfig { arch, normalization, dropout, input_noise, stem, .. } = self.backbone();
        let two_heads = self.shape("fc_consistency.weight").is_some();
        let (group, whiten_patches) = (None, false);
        let config =
            NetworkConfig { arch, normalization, two_heads, dropout, input_noise, group, whiten_patches, stem };
        Ok(load(config.init(image, classes, device)?, &self.source, &self.options(false))?.0)
    }

    fn backbone(&self) -> BackboneConfig {
        let Self { arch, normalization, stem, .. } = *self;
        BackboneConfig { arch, normalization, splits: 1, dropout: 0.0, input_noise: 0.0, stem }
    }
}
