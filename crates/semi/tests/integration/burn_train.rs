//! burn-train's `SupervisedTraining` drives a method.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::constant::ConstantLr;
use burn::module::Module;
use burn::optim::{GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_semi::{MeanTeacher, MeanTeacherConfig, Objective, SemiBatch, TestBatch};

use crate::{INPUT, Network, batch, matrix, numbers, optimizer, step, tensors};

const RATE: f64 = 0.05;
const SAMPLES: usize = 32;
const BATCH: usize = 8;

/// Two views of some samples, of which every third has a label.
struct Views;

fn views(samples: &[usize], device: &Device) -> SemiBatch<Tensor<2>> {
    let view = |view: u32| {
        matrix(samples.iter().flat_map(|&sample| numbers(2 * sample as u32 + view, INPUT)).collect(), INPUT, device)
    };
    SemiBatch {
        student: view(0),
        teacher: view(1),
        labels: samples.iter().map(|sample| sample.is_multiple_of(3).then_some(sample % 2)).collect(),
        samples: samples.to_vec(),
    }
}

impl Batcher<usize, SemiBatch<Tensor<2>>> for Views {
    fn batch(&self, samples: Vec<usize>, device: &Device) -> SemiBatch<Tensor<2>> {
        views(&samples, device)
    }
}

impl Batcher<usize, TestBatch<Tensor<2>>> for Views {
    fn batch(&self, samples: Vec<usize>, device: &Device) -> TestBatch<Tensor<2>> {
        TestBatch { input: views(&samples, device).student, labels: samples.iter().map(|sample| sample % 2).collect() }
    }
}

fn loader<B: Clone + Send + Sync + std::fmt::Debug + 'static>() -> Arc<dyn DataLoader<B>>
where
    Views: Batcher<usize, B>,
{
    DataLoaderBuilder::new(Views).batch_size(BATCH).build(InMemDataset::new((0..SAMPLES).collect()))
}

fn method(device: &Device) -> MeanTeacher<Network> {
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.9 });
    MeanTeacherConfig { objective: Objective::default(), average }.init(Network::plain(1, device), device).unwrap()
}

/// Trains up to an epoch, from a checkpoint where one is named, and returns the model for evaluation.
fn train(directory: &Path, epochs: usize, from: Option<usize>, device: &Device) -> MeanTeacher<Network> {
    let mut training = SupervisedTraining::new(directory, loader(), loader())
        .num_epochs(epochs)
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(4))
        .with_metric_logger(InMemoryMetricLogger::new())
        .metric_train_numeric(LossMetric::new())
        .metric_train_numeric(AccuracyMetric::new())
        .metric_valid_numeric(LossMetric::new())
        .metric_valid_numeric(AccuracyMetric::new())
        .with_application_logger(None);
    if let Some(epoch) = from {
        training = training.checkpoint(epoch);
    }
    training.launch(Learner::new(method(device), optimizer(), ConstantLr::new(RATE))).model
}

/// The same steps without burn-train.
fn by_hand(epochs: usize, device: &Device) -> MeanTeacher<Network> {
    let (mut method, mut optimizer) = (method(device), optimizer());
    for _ in 0..epochs {
        for first in (0..SAMPLES).step_by(BATCH) {
            let samples: Vec<usize> = (first..first + BATCH).collect();
            method = step(method, &mut optimizer, RATE, views(&samples, device)).0;
        }
    }
    method.valid()
}

#[test]
fn supervised_training_takes_the_same_steps_as_a_loop_and_resumes() {
    let device = Device::flex().autodiff();
    let directory = tempfile::tempdir().unwrap();
    let trained = train(directory.path(), 2, None, &device);
    assert_eq!(trained.steps(), (2 * SAMPLES / BATCH) as u64);
    assert_eq!(trained.teacher.updates(), trained.steps(), "the teacher follows every step");
    assert_ne!(tensors(&trained.teacher), tensors(&method(&device).teacher));
    let expected = by_hand(2, &device);
    assert_eq!(tensors(&trained), tensors(&expected), "bit for bit");

    let resumed = train(directory.path(), 2, Some(1), &device);
    assert_eq!(tensors(&resumed), tensors(&expected), "from the checkpoint of the first epoch");
}

#[test]
fn gradients_of_many_devices_move_the_teacher_too() {
    let device = Device::flex().autodiff();
    let (rate, mut first, mut second) = (RATE.into(), optimizer(), optimizer());
    let gradients = |method: &MeanTeacher<Network>| {
        GradientsParams::from_grads(method.losses(batch(1, &device)).unwrap().total.backward(), &method.student)
    };
    let (one, many) = (method(&device), method(&device));
    let single = TrainStep::optimize(one.clone(), &mut first, rate, gradients(&one));
    let all = MultiGradientsParams { grads: vec![(gradients(&many), device.clone())] };
    let multi = many.optimize_multi(&mut second, RATE.into(), all);
    assert_eq!(multi.teacher.updates(), 1);
    assert_eq!(tensors(&multi), tensors(&single));
}

#[test]
fn a_step_shows_the_labelled_rows_only_even_if_there_are_none() {
    let device = Device::flex().autodiff();
    let method = method(&device);
    let output = TrainStep::step(&method, batch(1, &device));
    assert_eq!(output.item.logits.dims(), [3, 3]);
    assert_eq!(output.item.labels.into_data().try_into_vec_as::<i64>().unwrap(), [0, 2, 1]);
    let none = SemiBatch { labels: vec![None; 8], ..batch(1, &device) };
    assert_eq!(TrainStep::step(&method, none).item.logits.dims(), [0, 3]);
}

#[test]
fn validation_shows_the_mean_cross_entropy_of_the_teacher() {
    let device = Device::flex().autodiff();
    let valid = method(&device).valid();
    let input = batch(1, &Device::flex()).student;
    let labels: Vec<usize> = (0..8).map(|row| row % 3).collect();
    let output = InferenceStep::step(&valid, TestBatch { input: input.clone(), labels: labels.clone() });
    let logits = crate::read(valid.predict_with_teacher(input).class);
    let mean: f64 = labels
        .iter()
        .enumerate()
        .map(|(row, &label)| {
            let row = &logits[3 * row..][..3];
            row.iter().map(|value| value.exp()).sum::<f64>().ln() - row[label]
        })
        .sum::<f64>()
        / 8.0;
    assert!((crate::scalar(&output.loss) - mean).abs() < 1e-5 * mean);
}
