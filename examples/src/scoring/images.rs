use burn::tensor::{Device, Int, Tensor, TensorData};
use slowburn_augment::loader::Images;
use slowburn_augment::{AugmentError, Key, Pipeline};

use crate::data::Dataset;

/// Images in one forward pass.
const BATCH: usize = 500;

/// Labelled images as an encoder sees them in evaluation, made batch by batch.
#[derive(Debug, Clone)]
pub struct ImageSet<'a> {
    images: &'a Images,
    /// Index and class of each.
    chosen: Vec<(usize, usize)>,
    pipeline: Pipeline,
    device: Device,
}

impl<'a> ImageSet<'a> {
    /// All test images, or `count` of them, spread evenly over the test set, whose files are often sorted by class.
    pub fn test(data: &'a Dataset, views: &Pipeline, count: usize, device: &Device) -> Self {
        let total = data.test.images.len();
        let count = count.min(total);
        let indices = (0..count).map(|index| index * total / count);
        let chosen = indices.map(|index| (index, data.test.labels[index])).collect();
        Self { images: &data.test.images, chosen, pipeline: views.evaluation(), device: device.clone() }
    }

    /// All training images that have a label.
    pub fn train(data: &'a Dataset, views: &Pipeline, device: &Device) -> Self {
        let labels = data.train.labels.iter().enumerate();
        let chosen = labels.filter_map(|(index, label)| label.map(|label| (index, label))).collect();
        Self { images: &data.train.images, chosen, pipeline: views.evaluation(), device: device.clone() }
    }

    /// All but every `n`-th image, and every `n`-th.
    pub fn split(&self, n: usize) -> (Self, Self) {
        let part = |held_out: bool| {
            let kept = self.chosen.iter().enumerate().filter(|(place, _)| place.is_multiple_of(n) == held_out);
            Self { chosen: kept.map(|(_, chosen)| *chosen).collect(), ..self.clone() }
        };
        (part(false), part(true))
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Images `[batch, channels, height, width]` with the class of each.
    ///
    /// # Errors
    /// If the pipeline does not fit the images.
    pub fn batches(&self) -> impl Iterator<Item = Result<(Tensor<4>, Vec<usize>), AugmentError>> {
        let size = self.images.size();
        let output = self.pipeline.output_size(size);
        self.chosen.chunks(BATCH).map(move |chunk| {
            let images: Vec<_> = chunk.iter().map(|&(index, _)| self.images.get(index)).collect();
            let keys: Vec<Key> =
                chunk.iter().map(|&(index, _)| Key { seed: 0, epoch: 0, sample: index as u64, view: 0 }).collect();
            let values = self.pipeline.apply_batch(&images, &self.pipeline.draw_batch(&keys, size)?)?;
            let shape = [chunk.len(), output.channels, output.height, output.width];
            let tensor = Tensor::from_data(TensorData::new(values, shape), &self.device);
            Ok((tensor, chunk.iter().map(|&(_, class)| class).collect()))
        })
    }
}

/// Test images on the device, with their labels.
#[derive(Debug, Clone)]
pub struct TestSet {
    batches: Vec<(Tensor<4>, Tensor<1, Int>)>,
    images: usize,
}

impl TestSet {
    /// As [`ImageSet::test`].
    ///
    /// # Errors
    /// If the pipeline does not fit the images.
    pub fn new(data: &Dataset, views: &Pipeline, count: usize, device: &Device) -> Result<Self, AugmentError> {
        let set = ImageSet::test(data, views, count, device);
        let batches = set.batches().map(|batch| {
            let (images, classes) = batch?;
            let classes: Vec<i32> = classes.into_iter().map(|class| class as i32).collect();
            let shape = [classes.len()];
            Ok((images, Tensor::from_data(TensorData::new(classes, shape), device)))
        });
        Ok(Self { batches: batches.collect::<Result<_, AugmentError>>()?, images: set.len() })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.images
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }
}

/// The share of test images whose largest logit is that of their class.
pub fn accuracy(test: &TestSet, classify: impl Fn(Tensor<4>) -> Tensor<2>) -> f64 {
    let correct: i64 = test
        .batches
        .iter()
        .map(|(images, labels)| {
            let predicted = classify(images.clone()).argmax(1).squeeze_dim::<1>(1);
            predicted.equal(labels.clone()).int().sum().into_scalar::<i64>()
        })
        .sum();
    correct as f64 / test.len() as f64
}
