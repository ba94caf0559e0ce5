use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_augment::Views;
use slowburn_augment::loader::{Source, ViewLoader, ViewLoaderConfig};
use slowburn_contrastive::evaluation::{FeatureSet, Representation, spread};
use slowburn_contrastive::{Contrastive, EncoderRole, EndToEndConfig, MemoryBankConfig};
use slowburn_ema::Timeline;
use slowburn_models::Projector;

use slowburn_train::Reporter;
use slowburn_train::monitor::EncoderMonitor;
use slowburn_train::run::{RunFolder, save_safetensors};
use slowburn_train::task::PretrainTask;
use slowburn_train::trainer::{Phase, initialized, mix};

use super::{History, Method, Recipe, Resume, Summary};
use crate::advice::in_flags;
use crate::data::Dataset;
use crate::network::Backbone;
use crate::report::{Scatter, draw_scatter};
use crate::scoring::{test_images, training_images};
use slowburn_train::monitor::{ScoredSets, Scores, pixels, principal_plane};

/// A whole pre-training: random encoder, method, scores, summary.
#[derive(Debug)]
pub struct Session<'a> {
    /// What decides the outcome.
    pub recipe: &'a Recipe,
    /// The images.
    pub data: &'a Dataset,
    /// Where to train; with autodiff.
    pub device: Device,
    /// Where results go.
    pub folder: &'a RunFolder,
}

/// Test images in the scatter picture.
const SCATTERED: usize = 2000;

impl Session<'_> {
    /// How long training takes.
    pub fn steps(recipe: &Recipe, data: &Dataset) -> Timeline {
        Timeline::new(data.train.len() / recipe.batch, recipe.length)
    }

    /// Trains from the start or from a checkpoint and returns the summary and the history it came from.
    ///
    /// # Errors
    /// [`TrainError`](slowburn_train::TrainError), and errors of data and files.
    pub fn run(&self, resume: Option<Resume>, report: &mut dyn Reporter) -> Result<(Summary, History)> {
        let recipe = self.recipe;
        let (plain, evaluation) = (self.device.clone().without_autodiff(), recipe.evaluation());
        let (train, test) =
            (training_images(self.data, &evaluation)?, test_images(self.data, &evaluation, usize::MAX)?);
        let mut progress =
            resume.as_ref().map(|(_, checkpoint)| checkpoint.header.progress.clone()).unwrap_or_default();
        let scoring = &recipe.scoring;
        let monitor = EncoderMonitor::classes(&train, scoring.knn, scoring.representation, &plain)?;
        if progress.baseline_accuracy.is_none() {
            progress.baseline_accuracy = monitor.look(&self.network()?)?.knn_accuracy;
        }
        let (encoder, progress) = self.train(&monitor, progress, resume, report)?;

        let pretrained = scoring.sets(&encoder, &train, &test, &plain)?;
        self.scatter(&pretrained.neighbours[1])?;
        let random = scoring.sets(&self.network()?, &train, &test, &plain)?;
        let raw = ScoredSets::same(pixels(&train, &plain)?, pixels(&test, &plain)?);
        let scores = [scoring.score(&pretrained)?, scoring.score(&random)?, scoring.score(&raw)?];
        let summary = self.summary(&progress, &pretrained.neighbours, scores)?;
        Ok((summary, progress))
    }

    /// The network at its start: the same for every method of one seed.
    fn network(&self) -> Result<Projector<Backbone>> {
        self.device.seed(mix(self.recipe.seed, u64::MAX));
        let size = self.recipe.views.output_size(self.data.image_size());
        Ok(initialized(self.recipe.network.contrast().init(size, &self.device)?))
    }

    /// Trains with the method, writes its networks and returns the one that is scored.
    fn train(
        &self,
        monitor: &EncoderMonitor,
        progress: History,
        resume: Option<Resume>,
        report: &mut dyn Reporter,
    ) -> Result<(Projector<Backbone>, History)> {
        let (recipe, device, network) = (self.recipe, &self.device, self.network()?);
        let samples = self.data.train.len();
        match recipe.method {
            Method::Moco => {
                let method = recipe.moco().init(network, device)?;
                let (method, progress) = self.part(method, monitor, progress, resume, report)?;
                save_safetensors(&method.export(EncoderRole::Key), self.folder.file("key.safetensors"))?;
                self.finished(&method, progress)
            }
            Method::EndToEnd => {
                let config = EndToEndConfig {
                    loss: recipe.loss(),
                    shuffle: recipe.shuffle,
                    seed: recipe.seed,
                    ..EndToEndConfig::default()
                };
                let method = config.init(network, device)?;
                let (method, progress) = self.part(method, monitor, progress, resume, report)?;
                self.finished(&method, progress)
            }
            Method::MemoryBank => {
                let config = MemoryBankConfig {
                    dim: recipe.network.dim,
                    negatives: recipe.queue,
                    decay: recipe.decay,
                    loss: recipe.loss(),
                    seed: recipe.seed,
                };
                let method = config.init(network, samples, device)?;
                let (method, progress) = self.part(method, monitor, progress, resume, report)?;
                self.finished(&method, progress)
            }
        }
    }

    fn finished<M>(&self, method: &M, progress: History) -> Result<(Projector<Backbone>, History)>
    where
        M: Contrastive<Encoder = Projector<Backbone>>,
    {
        let query = method.query().clone();
        save_safetensors(&query, self.folder.file("query.safetensors"))?;
        Ok((query, progress))
    }

    fn part<M>(
        &self,
        method: M,
        monitor: &EncoderMonitor,
        progress: History,
        resume: Option<Resume>,
        report: &mut dyn Reporter,
    ) -> Result<(M, History)>
    where
        M: Contrastive<Encoder = Projector<Backbone>>,
    {
        let recipe = self.recipe;
        for warning in method.diagnose(self.data.train.len(), recipe.batch) {
            tracing::warn!("{warning}");
        }
        let task = PretrainTask {
            loader: self.loader()?,
            monitor: Some(monitor.clone()),
            every: recipe.monitor,
            device: self.device.clone(),
            advice: "lower --lr or raise --temperature".to_owned(),
            settings: serde_json::Value::Null,
            fingerprint: String::new(),
            method: PhantomData,
        };
        let phase = Phase {
            name: &recipe.method.to_string(),
            order: 1,
            task: &task,
            optimizer: &recipe.optimizer,
            timeline: Self::steps(recipe, self.data),
            seed: recipe.seed,
            patience: None,
            device: &self.device,
            folder: self.folder,
            reporter: report,
        };
        phase.train(method, progress, resume).map_err(in_flags)
    }

    /// Two views of every training image, labels unseen, in whole batches.
    fn loader(&self) -> Result<ViewLoader<Arc<dyn Source>>> {
        let config = ViewLoaderConfig::new(self.recipe.batch).with_seed(self.recipe.seed);
        Ok(config.init(Arc::clone(&self.data.train.images), Views::two(self.recipe.views.clone()))?)
    }

    fn scatter(&self, test: &FeatureSet) -> Result<()> {
        let stride = test.samples().div_ceil(SCATTERED);
        let plane = principal_plane(slowburn_contrastive::normalize(test.features()))?;
        let thin = |place: &usize| place.is_multiple_of(stride);
        let points: Vec<_> = (0..test.samples()).filter(thin).map(|place| plane.points[place]).collect();
        let labels: Vec<_> = (0..test.samples()).filter(thin).map(|place| test.labels()[place]).collect();
        let what = match self.recipe.scoring.representation {
            Representation::Embedding => "embeddings",
            _ => "features",
        };
        let title = format!("test {what} of unit length, two principal components");
        let classes = &self.data.classes;
        let scatter = Scatter { title, shares: plane.shares, points: &points, labels: &labels, classes };
        draw_scatter(&scatter, self.folder.path())
    }

    fn summary(
        &self,
        progress: &History,
        [train, test]: &[FeatureSet; 2],
        [scores, random, pixel]: [Scores; 3],
    ) -> Result<Summary> {
        let recipe = self.recipe;
        let last = progress.metrics.last().context("a run has an epoch")?;
        let spread = spread(test.features());
        let steps = Self::steps(recipe, self.data);
        Ok(Summary {
            method: recipe.method.to_string(),
            version: recipe.network.version,
            knn_accuracy: scores.knn.accuracy,
            random_knn_accuracy: random.knn.accuracy,
            pixel_knn_accuracy: pixel.knn.accuracy,
            linear_accuracy: scores.linear.probe.accuracy,
            random_linear_accuracy: random.linear.probe.accuracy,
            pixel_linear_accuracy: pixel.linear.probe.accuracy,
            loss: last.loss,
            chance_loss: last.chance_loss,
            contrast_accuracy: last.contrast_accuracy,
            feature_std: spread.std,
            even_std: spread.even,
            seed: recipe.seed,
            epochs: steps.epochs(),
            steps: steps.total,
            train_seconds: progress.train_seconds,
            images_per_second: progress.images as f64 / progress.train_seconds.max(f64::MIN_POSITIVE),
            device: recipe.device.clone(),
            train_images: train.samples(),
            test_images: test.samples(),
            scores,
        })
    }
}
