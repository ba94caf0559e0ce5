//! Pre-training without labels: two views of every image, one of the contrastive methods.

mod metrics;
mod run;

pub use metrics::ContrastMetrics;
pub use run::PretrainTask;
#[cfg(feature = "burn-train")]
pub(crate) use run::into_views;

use std::marker::PhantomData;
use std::sync::Arc;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use slowburn_augment::loader::{OnCorrupt, Source, ViewLoaderConfig};
use slowburn_augment::{Pipeline, Views};
use slowburn_contrastive::evaluation::{KnnConfig, Representation};
use slowburn_contrastive::{Contrastive, Encode};

use super::{Fit, TaskError};
use crate::data::{fingerprint, labeled_indices};
use crate::monitor::{EncoderMonitor, ImageSet};
use crate::task::device_of;
use crate::trainer::initialized;

/// Training images that the monitor looks at where no classes are known.
const SAMPLE: usize = 1000;

/// A contrastive method with the images that it is to learn from: what [`Trainer::fit`](crate::Trainer::fit) takes.
///
/// Labels, where the source has them, serve the monitor alone; the method never sees them.
#[derive(Debug)]
pub struct Pretrain<M> {
    method: M,
    name: String,
    source: AnySource,
    views: Views,
    evaluation: Pipeline,
    labels: Option<Vec<Option<usize>>>,
    knn: Option<KnnConfig>,
    representation: Representation,
    every: u64,
    on_corrupt: OnCorrupt,
    workers: usize,
    monitored: bool,
}

/// A source of any kind.
pub(crate) struct AnySource(pub(crate) Arc<dyn Source>);

impl std::fmt::Debug for AnySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} images", self.0.len())
    }
}

impl<M: Contrastive> Pretrain<M>
where
    M::Encoder: Encode<Input = Tensor<4>>,
{
    /// A method that learns from two views of each image, both made by `pipeline`.
    pub fn new(method: M, images: impl Source + 'static, pipeline: Pipeline) -> Self {
        // `Moco<Mine>` is called moco.
        let name = std::any::type_name::<M>();
        let name = name.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
        Self {
            method: initialized(method),
            name: name.to_lowercase(),
            source: AnySource(Arc::new(images)),
            evaluation: pipeline.evaluation(),
            views: Views::two(pipeline),
            labels: None,
            knn: None,
            representation: Representation::Features,
            every: 1,
            on_corrupt: OnCorrupt::Stop,
            workers: 0,
            monitored: true,
        }
    }

    /// Other views of each image, two of them: one pipeline for queries and another for keys, say.
    pub fn with_views(self, views: Views) -> Self {
        Self { views, ..self }
    }

    /// What images pass before an encoder that is looked at; the fixed part of the views by default.
    pub fn with_evaluation(self, evaluation: Pipeline) -> Self {
        Self { evaluation, ..self }
    }

    /// The classes of images for the monitor, one entry an image; those of the source by default.
    pub fn with_labels(self, labels: Vec<Option<usize>>) -> Self {
        Self { labels: Some(labels), ..self }
    }

    /// The neighbours of the monitor; as many of MoCo's 200 as a tenth of the images by default.
    pub fn with_knn(self, knn: KnnConfig) -> Self {
        Self { knn: Some(knn), ..self }
    }

    /// What of the encoder's output the monitor looks at.
    pub fn with_representation(self, representation: Representation) -> Self {
        Self { representation, ..self }
    }

    /// Looks at the encoder after every `every`-th epoch, and after the last.
    pub fn with_monitor_every(self, every: u64) -> Self {
        Self { every: every.max(1), ..self }
    }

    /// Does not look at the encoder while it is trained.
    pub fn without_monitor(self) -> Self {
        Self { monitored: false, ..self }
    }

    /// What happens to an image that cannot be decoded.
    pub fn with_on_corrupt(self, on_corrupt: OnCorrupt) -> Self {
        Self { on_corrupt, ..self }
    }

    /// Threads that read and prepare images; 0: as many as rayon's pool has.
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// The method's name in files and progress.
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    fn monitor(&self) -> Result<Option<EncoderMonitor>, TaskError> {
        if !self.monitored {
            return Ok(None);
        }
        let (source, device) = (&self.source.0, device_of(&self.method)?.without_autodiff());
        let labeled = labeled_indices(source.as_ref(), self.labels.as_deref());
        let set = |chosen| ImageSet::trained_on(Arc::clone(source), chosen, &self.evaluation, self.on_corrupt);
        let knn = self.knn.unwrap_or_else(|| {
            let known = KnnConfig::default();
            KnnConfig { k: known.k.min(labeled.len() / 10).max(1), ..known }
        });
        if labeled.len() >= 2 {
            return Ok(Some(EncoderMonitor::classes(&set(labeled)?, knn, self.representation, &device)?));
        }
        let all = set((0..source.len()).map(|index| (index, 0)).collect())?.thinned(SAMPLE);
        Ok(Some(EncoderMonitor::unlabeled(all, self.representation, &device)))
    }

    fn settings(&self) -> Value {
        json!({
            "method": self.name,
            "method_settings": self.method.settings(),
            "network": crate::task::shapes(self.method.query()),
            "views": self.views,
            "evaluation": self.evaluation,
            "images": self.source.0.len(),
            "exif": self.source.0.exif(),
            "monitor_every": self.every,
            "on_corrupt": self.on_corrupt,
        })
    }
}

impl<M: Contrastive> Fit for Pretrain<M>
where
    M::Encoder: Encode<Input = Tensor<4>>,
{
    type Task = PretrainTask<M>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn images(&self) -> usize {
        self.source.0.len()
    }

    fn prepare(self, batch: usize, seed: u64) -> Result<(M, PretrainTask<M>), TaskError> {
        for warning in self.method.diagnose(self.source.0.len(), batch) {
            tracing::warn!("{warning}");
        }
        let config =
            ViewLoaderConfig::new(batch).with_seed(seed).with_on_corrupt(self.on_corrupt).with_workers(self.workers);
        let task = PretrainTask {
            monitor: self.monitor()?,
            settings: self.settings(),
            fingerprint: fingerprint(self.source.0.as_ref())?,
            loader: config.init(self.source.0, self.views)?,
            every: self.every,
            scored: false,
            device: device_of(&self.method)?,
            advice: "lower the learning rate, or raise the temperature where the method has one".to_owned(),
            method: PhantomData,
        };
        Ok((self.method, task))
    }
}
