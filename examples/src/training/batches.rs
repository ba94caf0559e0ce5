use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use burn::tensor::{Device, Tensor, TensorData};
use slowburn_augment::{Error, Key, Pipeline};
use slowburn_semi::{SemiBatch, TwoStreamBatch};

use super::Plan;
use crate::data::Dataset;

/// Batches made ahead of training: enough to hide the worker, few enough to cost no memory.
const AHEAD: usize = 4;

/// What the worker needs to make the batches of an epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) data: &'a Dataset,
    pub(super) plan: &'a Plan,
    pub(super) views: &'a Pipeline,
    pub(super) seed: u64,
    /// Leave the unlabelled images out.
    pub(super) labeled_only: bool,
    /// Whether the teacher sees a view of its own.
    pub(super) two_views: bool,
}

/// A batch on the host.
pub(super) struct HostBatch {
    student: Vec<f32>,
    teacher: Option<Vec<f32>>,
    shape: [usize; 4],
    labels: Vec<Option<usize>>,
    samples: Vec<usize>,
}

impl HostBatch {
    /// The number of images.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Moves the batch to the device.
    pub(super) fn into_device(self, device: &Device) -> SemiBatch<Tensor<4>> {
        let tensor = |view| Tensor::from_data(TensorData::new(view, self.shape), device);
        let student: Tensor<4> = tensor(self.student);
        let teacher = self.teacher.map_or_else(|| student.clone(), tensor);
        SemiBatch { student, teacher, labels: self.labels, samples: self.samples }
    }
}

impl<'a> Source<'a> {
    /// The student's view of the very first batch.
    pub(super) fn first(&self, device: &Device) -> Result<Tensor<4>, Error> {
        let batch = self.plan.stream.epoch(0).next().unwrap_or_else(|| unreachable!("an epoch has a batch"));
        Ok(self.make(0, batch, &mut HashMap::new())?.into_device(device).student)
    }

    /// Makes the first `steps` batches of an epoch on a worker thread, in order.
    pub(super) fn epoch<'scope, 'env>(
        self,
        epoch: u64,
        steps: u64,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Receiver<Result<HostBatch, Error>>
    where
        'a: 'env,
    {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            let mut occurrences = HashMap::new();
            for batch in self.plan.stream.epoch(epoch).take(steps as usize) {
                let made = self.make(epoch, batch, &mut occurrences);
                let failed = made.is_err();
                // A closed channel means that training has stopped.
                if sender.send(made).is_err() || failed {
                    break;
                }
            }
        });
        receiver
    }

    fn make(&self, epoch: u64, batch: TwoStreamBatch, seen: &mut HashMap<usize, u64>) -> Result<HostBatch, Error> {
        let size = self.data.image_size();
        let labeled = batch.labeled.len();
        let samples = if self.labeled_only { batch.labeled } else { batch.samples() };
        // A label that comes round again in an epoch gets another view each time.
        let occurrences: Vec<u64> = samples
            .iter()
            .map(|&sample| {
                let count = seen.entry(sample).or_insert(0);
                *count += 1;
                *count - 1
            })
            .collect();
        let images: Vec<_> = samples.iter().map(|&sample| self.data.train.images.get(sample)).collect();
        let view = |which: u64| {
            let keys: Vec<Key> = samples
                .iter()
                .zip(&occurrences)
                .map(|(&sample, &occurrence)| Key {
                    seed: self.seed,
                    epoch,
                    sample: sample as u64,
                    view: 2 * occurrence + which,
                })
                .collect();
            self.views.apply_batch(&images, &self.views.draw_batch(&keys, size)?)
        };
        let output = self.views.output_size(size);
        let labels = samples
            .iter()
            .enumerate()
            .map(|(row, &sample)| self.plan.labels[sample].filter(|_| row < labeled))
            .collect();
        Ok(HostBatch {
            student: view(0)?,
            teacher: self.two_views.then(|| view(1)).transpose()?,
            shape: [samples.len(), output.channels, output.height, output.width],
            labels,
            samples,
        })
    }
}
