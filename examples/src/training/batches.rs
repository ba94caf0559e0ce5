use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Images, ViewBatch, ViewLoader, ViewLoaderConfig};
use slowburn_augment::{Pipeline, Views};
use slowburn_semi::{SemiBatch, TwoStreamBatch};

use super::Plan;
use crate::data::Dataset;
use crate::recipe::{Method, Recipe};

/// The batches of a semi-supervised epoch, made by the loader's workers.
#[derive(Debug)]
pub(super) struct Source<'a> {
    plan: &'a Plan,
    loader: ViewLoader<Arc<Images>>,
    /// Leave the unlabelled images out.
    labeled_only: bool,
    /// Whether the teacher sees a view of its own.
    two_views: bool,
}

/// A batch on the host.
pub(super) struct HostBatch {
    views: ViewBatch,
    /// The label of each image that has one here.
    labels: Vec<Option<usize>>,
    two_views: bool,
}

impl HostBatch {
    /// The number of images.
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// Moves the batch to the device.
    pub(super) fn into_device(self, device: &Device) -> SemiBatch<Tensor<4>> {
        let samples = self.views.samples;
        let wanted = if self.two_views { 2 } else { 1 };
        let mut views = self.views.views.into_iter().take(wanted).map(|view| view.into_tensor(device));
        let Some(student) = views.next() else { unreachable!("the loader makes two views of each image") };
        let teacher = views.next().unwrap_or_else(|| student.clone());
        SemiBatch { student, teacher, labels: self.labels, samples }
    }
}

impl<'a> Source<'a> {
    /// Batches as `plan` has them, of views as the recipe's method wants them.
    ///
    /// # Errors
    /// If the views do not fit the images.
    pub(super) fn new(recipe: &Recipe, data: &Dataset, plan: &'a Plan) -> Result<Self> {
        let config = ViewLoaderConfig::new(recipe.batch).with_seed(recipe.seed);
        let views: &Pipeline = &recipe.views;
        Ok(Self {
            plan,
            // Two views of an image for every method: those of the student are then the same.
            loader: config.init(Arc::clone(&data.train.images), Views::two(views.clone()))?,
            labeled_only: recipe.method == Method::Supervised,
            two_views: matches!(recipe.method, Method::MeanTeacher | Method::Pi),
        })
    }

    /// The student's view of the very first batch.
    pub(super) fn first(&self, device: &Device) -> Result<Tensor<4>> {
        let batch = self.epoch(0, 1)?.next().context("an epoch has a batch")??;
        Ok(batch.into_device(device).student)
    }

    /// The first `steps` batches of an epoch, in order.
    pub(super) fn epoch(&self, epoch: u64, steps: u64) -> Result<impl Iterator<Item = Result<HostBatch>> + '_> {
        let chosen: Vec<TwoStreamBatch> = self.plan.stream.epoch(epoch).take(steps as usize).collect();
        let labeled: Vec<usize> = chosen.iter().map(|batch| batch.labeled.len()).collect();
        let samples = |batch: TwoStreamBatch| if self.labeled_only { batch.labeled } else { batch.samples() };
        // A label that comes round again in an epoch gets other views each time.
        let batches = self.loader.sampled(epoch, chosen.into_iter().map(samples).collect())?;
        Ok(batches.map(move |views| {
            let views = views?;
            let row = |(row, sample): (usize, &usize)| self.plan.labels[*sample].filter(|_| row < labeled[views.index]);
            let labels = views.samples.iter().enumerate().map(row).collect();
            Ok(HostBatch { views, labels, two_views: self.two_views })
        }))
    }
}
