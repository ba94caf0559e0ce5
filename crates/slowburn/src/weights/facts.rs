//! What a file of this program says of its network beside what every program can read.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use serde::{Deserialize, Serialize};
use slowburn_augment::{ImageSize, Operation, Pipeline, WhiteningConfig};
use slowburn_models::weights::{Metadata, save_safetensors};
use slowburn_train::run::{RunFolder, metadata};

use super::CheckpointError;
use crate::args::Reading;
use crate::images::bringing_to;
use crate::network::{Arch, Normalization};

/// The entry of the metadata that is this program's.
const KEY: &str = "slowburn-program";

/// What the program has to know to use a network as it was trained. It is JSON in the metadata of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How the network normalises, where it has a choice.
    pub normalization: Normalization,
    /// Whether it has two classification heads.
    pub two_heads: bool,
    /// What images pass before the network where it is scored.
    pub evaluation: Pipeline,
    /// How they were whitened before, if they were.
    pub whitening: Option<WhiteningConfig>,
    /// Size of the first image before that, and of all where they have one size.
    pub image: Option<ImageSize>,
    /// How files were read.
    pub reading: Reading,
    /// The fingerprint of the images that it was trained on.
    pub data_sha256: String,
}

/// A network that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// Which network.
    pub arch: Arch,
    /// The names of the classes; none without labels.
    pub classes: &'a [String],
    /// The run's settings.
    pub recipe: &'a serde_json::Value,
    /// The rest.
    pub facts: &'a Facts,
}

impl Described<'_> {
    /// Writes networks into the run folder, each called by what it was in training.
    ///
    /// # Errors
    /// Input or output errors, which name the file.
    pub fn save<M: Module>(&self, networks: [(&str, Option<&M>); 2], folder: &RunFolder) -> Result<()> {
        for (role, network) in networks.into_iter().filter_map(|(role, network)| Some((role, network?))) {
            save_safetensors(network, folder.file(&format!("{role}.safetensors")), &self.metadata(role)?)?;
        }
        Ok(())
    }

    fn metadata(&self, role: &str) -> Result<Metadata> {
        let Self { arch, classes, recipe, facts } = self;
        let plain = match facts.image {
            Some(image) => metadata(&facts.evaluation, image, classes),
            None => Metadata { classes: classes.to_vec(), ..Metadata::default() },
        };
        Ok(Metadata {
            network: Some(arch.name()),
            role: Some(role.to_owned()),
            recipe: Some(serde_json::to_string(&without_places(recipe))?),
            more: [(KEY.to_owned(), serde_json::to_string(facts)?)].into(),
            ..plain
        })
    }
}

/// The settings without those that say where something lies or runs, which differ between machines and change no weight.
fn without_places(recipe: &serde_json::Value) -> serde_json::Value {
    let mut recipe = recipe.clone();
    if let Some(settings) = recipe.as_object_mut() {
        for place in ["data", "start", "device", "time"] {
            settings.remove(place);
        }
        // The path of a label file; how many labels there were is a number.
        if settings.get("labels").is_some_and(|labels| labels.is_object() || labels.is_string()) {
            settings.remove("labels");
        }
    }
    recipe
}

impl Facts {
    /// Those in a file's metadata: as this program wrote them, else from what any program says there, if that is enough.
    ///
    /// # Errors
    /// [`CheckpointError::Facts`] for an entry that cannot be read.
    pub(super) fn of(metadata: &Metadata, path: &Path) -> Result<Option<Self>, CheckpointError> {
        match metadata.more.get(KEY) {
            Some(text) => serde_json::from_str(text)
                .map(Some)
                .map_err(|source| CheckpointError::Facts { path: path.to_owned(), source }),
            None => Ok(None),
        }
    }
}

/// What images pass before a network of which a library's file says size and normalisation.
pub(super) fn evaluation(metadata: &Metadata) -> Option<Pipeline> {
    let [_, height, width] = metadata.image?;
    let mut operations = bringing_to(height as u32, width as u32);
    if !metadata.mean.is_empty() {
        operations.push(Operation::Normalize { mean: metadata.mean.clone(), std: metadata.std.clone() });
    }
    Pipeline::new("the file's size and normalisation", operations).ok()
}
