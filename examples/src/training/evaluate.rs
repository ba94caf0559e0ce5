use burn::tensor::{Device, Int, Tensor, TensorData};
use slowburn_augment::{Error, Key, Pipeline};

use crate::data::Dataset;

/// Images in one forward pass.
const BATCH: usize = 500;

/// Test images, normalised as the training views are, on the device, with their labels.
#[derive(Debug, Clone)]
pub struct TestSet {
    batches: Vec<(Tensor<4>, Tensor<1, Int>)>,
    images: usize,
}

impl TestSet {
    /// The first `count` test images of each stride, or all: spread evenly over the test set, whose files are often
    /// sorted by class.
    ///
    /// # Errors
    /// If the pipeline does not fit the images.
    pub fn new(data: &Dataset, views: &Pipeline, count: usize, device: &Device) -> Result<Self, Error> {
        let pipeline = views.evaluation();
        let size = data.image_size();
        let total = data.test.images.len();
        let count = count.min(total);
        let chosen: Vec<usize> = (0..count).map(|index| index * total / count).collect();
        let output = pipeline.output_size(size);
        let batches = chosen
            .chunks(BATCH)
            .map(|chunk| {
                let images: Vec<_> = chunk.iter().map(|&index| data.test.images.get(index)).collect();
                let keys: Vec<Key> =
                    chunk.iter().map(|&index| Key { seed: 0, epoch: 0, sample: index as u64, view: 0 }).collect();
                let pixels = pipeline.apply_batch(&images, &pipeline.draw_batch(&keys, size)?)?;
                let shape = [chunk.len(), output.channels, output.height, output.width];
                let labels: Vec<i32> = chunk.iter().map(|&index| data.test.labels[index] as i32).collect();
                Ok((
                    Tensor::from_data(TensorData::new(pixels, shape), device),
                    Tensor::from_data(TensorData::new(labels, [chunk.len()]), device),
                ))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { batches, images: count })
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
