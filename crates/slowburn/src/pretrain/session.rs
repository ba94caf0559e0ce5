use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use slowburn_augment::Pipeline;
use slowburn_augment::loader::{Source, ViewLoader, ViewLoaderConfig};
use slowburn_contrastive::evaluation::{FeatureSet, Representation, renew_statistics, spread};
use slowburn_contrastive::{EncoderRole, EndToEndConfig, MemoryBankConfig};
use slowburn_ema::Timeline;
use slowburn_models::{MlpHead, Projector};
use slowburn_train::Reporter;
use slowburn_train::data::{Dataset, labeled};
use slowburn_train::monitor::{EncoderMonitor, ImageSet, ScoredSets, Scores, features, pixels, principal_plane};
use slowburn_train::run::RunFolder;
use slowburn_train::trainer::{initialized, mix};

use super::part::{Beside, Part, Speed, Train, Visit};
use super::summary::{Baseline, Scored, Summary};
use super::{History, Method, Recipe, Resume};
use crate::network::Backbone;
use crate::report::{Scatter, draw_scatter};
use crate::scoring::{test_images, trained_on};
use crate::weights::Weights;

/// A whole pre-training: random encoder, method, scores where images have labels, summary.
#[derive(Debug)]
pub struct Session<'a> {
    /// What decides the outcome.
    pub recipe: &'a Recipe,
    /// The images.
    pub data: &'a Dataset,
    /// Pre-trained weights to start from, if not from random ones.
    pub start: Option<&'a Weights>,
    /// Where to train; with autodiff.
    pub device: Device,
    /// Threads that read images; 0 for one a core.
    pub workers: usize,
}

/// Images in the scatter picture.
const SCATTERED: usize = 2000;

/// Images without labels that the monitor looks at.
const LOOKED_AT: usize = 2000;

/// Images that running statistics are renewed on, or a batch where that is more.
const RENEWED: usize = 2000;

impl Session<'_> {
    /// How long training takes.
    pub fn steps(recipe: &Recipe, data: &Dataset) -> Timeline {
        Timeline::new(data.train.len() / recipe.batch, recipe.length)
    }

    /// Trains from the start or from a checkpoint and returns the summary and the history it came from.
    ///
    /// # Errors
    /// [`TrainError`](slowburn_train::TrainError), and errors of data and files.
    pub fn run(
        &self,
        folder: &RunFolder,
        resume: Option<Resume>,
        report: &mut dyn Reporter,
    ) -> Result<(Summary, History)> {
        let (recipe, evaluation) = (self.recipe, self.recipe.evaluation());
        let broken = recipe.reading.broken;
        let train = self.labelled(&evaluation)?;
        let test = test_images(self.data, &evaluation, usize::MAX, broken)?;
        let mut progress =
            resume.as_ref().map(|(_, checkpoint)| checkpoint.header.progress.clone()).unwrap_or_default();
        let monitor = self.monitor(train.as_ref())?;
        if progress.baseline_accuracy.is_none() {
            progress.baseline_accuracy = monitor.look(&self.network()?)?.knn_accuracy;
        }
        let part = Part { session: self, monitor };
        let train_it = Train { part: &part, folder, progress, resume, report };
        let (encoder, progress, left_out) = self.with_method(self.network()?, train_it)?;

        let (scored, seen) = match (&train, &test) {
            (Some(train), Some(test)) => {
                let (scored, seen) = self.score(&encoder, train, test)?;
                (Some(scored), seen)
            }
            _ => (None, self.look(&encoder, train)?),
        };
        self.scatter(folder, &seen, scored.is_some())?;
        let summary = self.summary(&progress, scored, &seen, left_out)?;
        Ok((summary, progress))
    }

    /// How many steps fit into a time, by the speed of the first ones.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn steps_within(&self, seconds: f64) -> Result<u64> {
        let train = self.labelled(&self.recipe.evaluation())?;
        let part = Part { session: self, monitor: self.monitor(train.as_ref())? };
        self.with_method(self.network()?, Speed { part: &part, seconds })
    }

    /// Looks at images whose classes are known; else at some without.
    fn monitor(&self, train: Option<&ImageSet>) -> Result<EncoderMonitor> {
        let (scoring, device) = (&self.recipe.scoring, self.device.clone().without_autodiff());
        match train {
            Some(train) => Ok(EncoderMonitor::classes(train, scoring.knn, scoring.representation, &device)?),
            None => Ok(EncoderMonitor::unlabeled(self.some(LOOKED_AT)?, scoring.representation, &device)),
        }
    }

    /// Training images with their classes, where any has one.
    fn labelled(&self, evaluation: &Pipeline) -> Result<Option<ImageSet>> {
        let chosen = labeled(&self.data.train.labels);
        match chosen.is_empty() {
            true => Ok(None),
            false => {
                let broken = self.recipe.reading.broken;
                trained_on(&self.data.train.images, chosen, evaluation, broken).map(Some)
            }
        }
    }

    /// Training images without their classes, spread evenly.
    fn some(&self, count: usize) -> Result<ImageSet> {
        let all = (0..self.data.train.len()).map(|index| (index, 0)).collect();
        let reading = self.recipe.reading;
        Ok(trained_on(&self.data.train.images, all, &self.recipe.evaluation(), reading.broken)?.thinned(count))
    }

    /// The network at its start: the same for every method of one seed.
    fn network(&self) -> Result<Projector<Backbone>> {
        self.device.seed(mix(self.recipe.seed, u64::MAX));
        let size = self.recipe.views.output_size(self.data.image_size());
        let mut network = initialized(self.recipe.network.contrast().init(size, &self.device)?);
        if let Some(start) = self.start {
            network.encoder = start.encoder(network.encoder)?.0;
        } else if self.recipe.network.whiten_patches {
            network.encoder = network.encoder.init_from_batch(self.first()?)?;
        }
        Ok(network)
    }

    /// Two views of every training image, labels unseen, in whole batches.
    pub(super) fn loader(&self) -> Result<ViewLoader<Arc<dyn Source>>> {
        let Self { recipe, data, workers, .. } = self;
        let config = ViewLoaderConfig::new(recipe.batch)
            .with_seed(recipe.seed)
            .with_on_corrupt(recipe.reading.broken)
            .with_workers(*workers);
        Ok(config.init(Arc::clone(&data.train.images), recipe.pair()?)?)
    }

    /// A view of every image of the very first batch, not the masked one.
    fn first(&self) -> Result<Tensor<4>> {
        let batch = self.loader()?.epoch(0).next().context("an epoch has a batch")??;
        let view = batch.views.into_iter().next_back().context("an image has a view")?;
        Ok(view.into_tensor(&self.device))
    }

    /// The encoder of a masked method with running statistics of whole images, as it is scored and used.
    pub(super) fn on_whole_images(&self, encoder: &Projector<Backbone>) -> Result<Projector<Backbone>> {
        let batch = self.recipe.batch;
        let set = self.some(RENEWED.max(batch))?.with_loading(batch, self.workers)?;
        let images = set.batches(&self.device)?.map(|images| Ok(images?.images)).collect::<Result<Vec<_>>>()?;
        let size = |images: &Tensor<4>| images.dims()[0];
        // The last one is smaller, and so are those with broken files.
        let whole: Vec<Tensor<4>> = images.iter().filter(|images| size(images) == batch).cloned().collect();
        if !whole.is_empty() {
            return Ok(renew_statistics(encoder, whole)?);
        }
        let largest = images.into_iter().max_by_key(size).context("no image can be decoded")?;
        let groups = size(&largest) / self.recipe.network.splits;
        Ok(renew_statistics(encoder, [largest.narrow(0, 0, groups * self.recipe.network.splits)])?)
    }

    /// The predictor of a method that has one, at its start.
    fn predictor(&self) -> Result<MlpHead> {
        let network = &self.recipe.network;
        let heads = network.heads.as_ref().with_context(|| format!("{} has a predictor", self.recipe.method))?;
        Ok(initialized(heads.predictor.init(network.dim, &self.device)?))
    }

    /// Makes the method and hands it on: each is a type of its own.
    fn with_method<V: Visit>(&self, network: Projector<Backbone>, visit: V) -> Result<V::Output> {
        let (recipe, device, samples) = (self.recipe, &self.device, self.data.train.len());
        let steps = Self::steps(recipe, self.data).total;
        match recipe.method {
            Method::Moco => {
                let method = recipe.moco().init(network, device)?;
                visit.method(method, |method| {
                    Some(Beside { key: method.export(EncoderRole::Key), queue: Some(method.queue.clone()) })
                })
            }
            Method::MocoV3 => {
                let method = recipe.moco_v3(steps).init(network, self.predictor()?, device)?;
                visit.method(method, |method| Some(Beside { key: method.export(EncoderRole::Key), queue: None }))
            }
            Method::Byol => {
                let method = recipe.byol(steps).init(network, self.predictor()?, device)?;
                visit.method(method, |method| Some(Beside { key: method.export(EncoderRole::Key), queue: None }))
            }
            Method::SimSiam => visit.method(recipe.sim_siam().init(network, self.predictor()?, device)?, |_| None),
            Method::EndToEnd => {
                let config = EndToEndConfig {
                    loss: recipe.loss(),
                    shuffle: recipe.shuffle,
                    seed: recipe.seed,
                    ..EndToEndConfig::default()
                };
                visit.method(config.init(network, device)?, |_| None)
            }
            Method::MemoryBank => {
                let config = MemoryBankConfig {
                    dim: recipe.network.dim,
                    negatives: recipe.queue,
                    decay: recipe.decay,
                    loss: recipe.loss(),
                    seed: recipe.seed,
                };
                visit.method(config.init(network, samples, device)?, |_| None)
            }
        }
    }

    /// Scores of the encoder, beside random weights and pixels where these are wanted, and the features of the test images.
    fn score(&self, encoder: &Projector<Backbone>, train: &ImageSet, test: &ImageSet) -> Result<(Scored, FeatureSet)> {
        let (scoring, plain) = (&self.recipe.scoring, self.device.clone().without_autodiff());
        let pretrained = scoring.sets(encoder, train, test, &plain)?;
        let scores: Scores = scoring.score(&pretrained)?;
        let scored = Scored {
            knn_accuracy: scores.knn.accuracy,
            linear_accuracy: scores.linear.probe.accuracy,
            baseline: self.recipe.baseline.then(|| self.baseline(train, test)).transpose()?,
            train_images: pretrained.neighbours[0].samples(),
            test_images: pretrained.neighbours[1].samples(),
            scores,
        };
        let [_, test] = pretrained.neighbours;
        Ok((scored, test))
    }

    /// Scores of random weights and pixels.
    fn baseline(&self, train: &ImageSet, test: &ImageSet) -> Result<Baseline> {
        let (scoring, plain) = (&self.recipe.scoring, self.device.clone().without_autodiff());
        let random = scoring.score(&scoring.sets(&self.network()?, train, test, &plain)?)?;
        let pixel = scoring.score(&ScoredSets::same(pixels(train, &plain)?, pixels(test, &plain)?))?;
        Ok(Baseline {
            random_knn_accuracy: random.knn.accuracy,
            pixel_knn_accuracy: pixel.knn.accuracy,
            random_linear_accuracy: random.linear.probe.accuracy,
            pixel_linear_accuracy: pixel.linear.probe.accuracy,
        })
    }

    /// Features of training images, where there are no scores.
    fn look(&self, encoder: &Projector<Backbone>, train: Option<ImageSet>) -> Result<FeatureSet> {
        let set = train.map_or_else(|| self.some(LOOKED_AT), Ok)?;
        let device = self.device.clone().without_autodiff();
        Ok(features(encoder, &set, self.recipe.scoring.representation, &device)?)
    }

    fn scatter(&self, folder: &RunFolder, seen: &FeatureSet, of_test: bool) -> Result<()> {
        let stride = seen.samples().div_ceil(SCATTERED);
        let plane = principal_plane(slowburn_contrastive::normalize(seen.features()))?;
        let thin = |place: &usize| place.is_multiple_of(stride);
        let points: Vec<_> = (0..seen.samples()).filter(thin).map(|place| plane.points[place]).collect();
        let labels: Vec<_> = (0..seen.samples()).filter(thin).map(|place| seen.labels()[place]).collect();
        let what = match self.recipe.scoring.representation {
            Representation::Embedding => "embeddings",
            _ => "features",
        };
        let part = if of_test { "test" } else { "training" };
        let title = format!("{part} {what} of unit length, two principal components");
        let unnamed = ["images".to_owned()];
        let classes = if self.data.classes.is_empty() { &unnamed[..] } else { &self.data.classes };
        let scatter = Scatter { title, shares: plane.shares, points: &points, labels: &labels, classes };
        draw_scatter(&scatter, folder.path())
    }

    fn summary(
        &self,
        progress: &History,
        scored: Option<Scored>,
        seen: &FeatureSet,
        left_out: usize,
    ) -> Result<Summary> {
        let recipe = self.recipe;
        let last = progress.metrics.last();
        let spread = spread(seen.features());
        let (timeline, epochs) = (Self::steps(recipe, self.data), progress.metrics.len() as u64);
        Ok(Summary {
            method: recipe.method.to_string(),
            version: recipe.network.version,
            scored,
            loss: last.map_or(f64::NAN, |last| last.loss),
            chance_loss: last.map_or(f64::NAN, |last| last.chance_loss),
            contrast_accuracy: last.map_or(f64::NAN, |last| last.contrast_accuracy),
            effective_rank: progress.metrics.iter().rev().find_map(|row| row.effective_rank),
            feature_std: spread.std,
            even_std: spread.even,
            seed: recipe.seed,
            best_epoch: progress.best.map(|best| best.epoch),
            epochs,
            steps: (0..epochs).map(|epoch| timeline.in_epoch(epoch)).sum(),
            train_seconds: progress.train_seconds,
            images_per_second: progress.images as f64 / progress.train_seconds.max(f64::MIN_POSITIVE),
            device: recipe.device.clone(),
            left_out,
        })
    }
}
