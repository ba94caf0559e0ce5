//! Training with one of the methods, from its start to its networks.

use std::marker::PhantomData;

use anyhow::Result;
use slowburn_contrastive::{Contrastive, KeyQueue, Warning};
use slowburn_models::Projector;
use slowburn_train::monitor::EncoderMonitor;
use slowburn_train::run::{Checkpoint, RunFolder};
use slowburn_train::task::{ContrastMetrics, PretrainTask, Task};
use slowburn_train::trainer::{Phase, timeline_within, with_record};
use slowburn_train::{Reporter, TrainerConfig};

use super::{History, Resume, Session};
use crate::advice::in_flags;
use crate::network::{Backbone, Normalization};
use crate::weights::{self, Described, Facts};

/// Something done with a method of any kind.
pub(super) trait Visit {
    type Output;

    /// `beside` exports what the method has beside its query encoder.
    fn method<M: Contrastive<Encoder = Projector<Backbone>>>(
        self,
        method: M,
        beside: impl FnOnce(&M) -> Option<Beside>,
    ) -> Result<Self::Output>;
}

/// What a method with an average has beside its query encoder.
pub(super) struct Beside {
    pub(super) key: Projector<Backbone>,
    pub(super) queue: Option<KeyQueue>,
}

/// What is trained, and who looks at it.
pub(super) struct Part<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) monitor: EncoderMonitor,
}

impl Part<'_> {
    /// Two views of every training image, labels unseen, in whole batches.
    fn task<M>(&self) -> Result<PretrainTask<M>> {
        let Session { recipe, device, .. } = self.session;
        Ok(PretrainTask {
            loader: self.session.loader()?,
            monitor: Some(self.monitor.clone()),
            every: recipe.monitor,
            scored: recipe.patience.is_some(),
            device: device.clone(),
            advice: match recipe.method.has_negatives() {
                true => "lower --lr or raise --temperature".to_owned(),
                false => "lower --lr".to_owned(),
            },
            settings: serde_json::Value::Null,
            fingerprint: String::new(),
            method: PhantomData,
        })
    }
}

impl Part<'_> {
    /// Writes the encoders, with what is to be known of them.
    fn save(&self, query: &Projector<Backbone>, beside: Option<Beside>, folder: &RunFolder) -> Result<()> {
        let recipe = self.session.recipe;
        let facts = Facts {
            normalization: Normalization::Batch,
            two_heads: false,
            evaluation: recipe.evaluation(),
            whitening: None,
            image: recipe.image,
            reading: recipe.reading,
            data_sha256: folder.data_sha256()?,
        };
        let settings = serde_json::to_value(recipe)?;
        let described = Described { arch: recipe.network.arch, classes: &[], recipe: &settings, facts: &facts };
        let key = beside.as_ref().map(|beside| &beside.key);
        described.save([("query", Some(query)), ("key", key)], folder)?;
        match beside.and_then(|beside| beside.queue) {
            Some(queue) => Ok(weights::save_queue(&queue, &folder.file("queue.safetensors"))?),
            None => Ok(()),
        }
    }
}

/// Trains the method; gives the encoder that is scored, what was found out, and how many files could not be decoded.
pub(super) struct Train<'a, 'r> {
    pub(super) part: &'a Part<'a>,
    pub(super) folder: &'a RunFolder,
    pub(super) progress: History,
    pub(super) resume: Option<Resume>,
    pub(super) report: &'r mut dyn Reporter,
}

impl Visit for Train<'_, '_> {
    type Output = (Projector<Backbone>, History, usize);

    fn method<M: Contrastive<Encoder = Projector<Backbone>>>(
        self,
        method: M,
        beside: impl FnOnce(&M) -> Option<Beside>,
    ) -> Result<Self::Output> {
        let Session { recipe, data, device, .. } = self.part.session;
        // The statistics of masked queries are renewed below.
        let warnings = method.diagnose(data.train.len(), recipe.batch);
        for warning in warnings.iter().filter(|warning| **warning != Warning::MaskedStatistics) {
            tracing::warn!("{warning}");
        }
        let task = self.part.task()?;
        let name = &recipe.method.to_string();
        let phase = Phase {
            name,
            order: 1,
            task: &task,
            optimizer: &recipe.optimizer,
            timeline: Session::steps(recipe, data),
            seed: recipe.seed,
            patience: recipe.patience,
            device,
            folder: self.folder,
            reporter: self.report,
        };
        let (mut method, progress) = phase.train(method, self.progress, self.resume).map_err(in_flags)?;
        if progress.best.is_some() {
            let best: Checkpoint<ContrastMetrics> = self.folder.best(name)?;
            method = with_record(method, best.method)?;
        }
        let query = match recipe.mask {
            Some(_) => self.part.session.on_whole_images(method.query())?,
            None => method.query().clone(),
        };
        self.part.save(&query, beside(&method), self.folder)?;
        Ok((query, progress, task.left_out().len()))
    }
}

/// Measures how many steps fit into a time.
pub(super) struct Speed<'a> {
    pub(super) part: &'a Part<'a>,
    pub(super) seconds: f64,
}

impl Visit for Speed<'_> {
    type Output = u64;

    fn method<M: Contrastive<Encoder = Projector<Backbone>>>(
        self,
        method: M,
        _beside: impl FnOnce(&M) -> Option<Beside>,
    ) -> Result<u64> {
        let Session { recipe, device, .. } = self.part.session;
        let config =
            TrainerConfig { optimizer: recipe.optimizer.clone(), seed: recipe.seed, ..TrainerConfig::default() };
        let task = self.part.task()?;
        let (_, timeline) = timeline_within(self.seconds, method, &task, &config, device).map_err(in_flags)?;
        Ok(timeline.total)
    }
}
