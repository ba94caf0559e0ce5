//! burn-train's `SupervisedTraining` drives a method.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::constant::ConstantLr;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::{Adaptor, LossMetric, Metric, MetricMetadata, Numeric};
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep};
use slowburn_contrastive::evaluation::{KnnConfig, Representation, extract};
use slowburn_contrastive::{Contrastive, ContrastiveLearning, LabeledBatch, Moco, MocoConfig, RateMetric, ViewPair};
use slowburn_models::HeadVersion;

use crate::support::{INPUT, Network, config, matrix, numbers, optimizer, part, read, tensors, views};

const RATE: f64 = 0.05;
const SAMPLES: usize = 24;
const BATCH: usize = 6;

#[derive(Debug)]
struct Points;

fn points(samples: &[usize], view: u32, device: &Device) -> Tensor<2> {
    let values = samples.iter().flat_map(|&sample| numbers(2 * sample as u32 + view, INPUT)).collect();
    matrix(values, INPUT, device)
}

fn two_views(samples: &[usize], device: &Device) -> ViewPair<Tensor<2>> {
    ViewPair { query: points(samples, 0, device), key: points(samples, 1, device), samples: samples.to_vec() }
}

fn labeled(samples: &[usize], device: &Device) -> LabeledBatch<Tensor<2>> {
    LabeledBatch { input: points(samples, 0, device), labels: samples.iter().map(|sample| sample % 3).collect() }
}

impl Batcher<usize, ViewPair<Tensor<2>>> for Points {
    fn batch(&self, samples: Vec<usize>, device: &Device) -> ViewPair<Tensor<2>> {
        two_views(&samples, device)
    }
}

impl Batcher<usize, LabeledBatch<Tensor<2>>> for Points {
    fn batch(&self, samples: Vec<usize>, device: &Device) -> LabeledBatch<Tensor<2>> {
        labeled(&samples, device)
    }
}

fn loader<B: Clone + Send + Sync + std::fmt::Debug + 'static>() -> Arc<dyn DataLoader<B>>
where
    Points: Batcher<usize, B>,
{
    DataLoaderBuilder::new(Points).batch_size(BATCH).build(InMemDataset::new((0..SAMPLES).collect()))
}

fn moco(device: &Device) -> Moco<Network> {
    let query = Network::new(1, HeadVersion::V2, 2, 0.0, device);
    MocoConfig { symmetric: true, ..config() }.init(query, device).unwrap()
}

fn learning(device: &Device) -> ContrastiveLearning<Moco<Network>> {
    let bank = vec![labeled(&[0, 1, 2, 3, 4, 5], device), labeled(&[6, 7, 8], device)];
    ContrastiveLearning::new(moco(device), bank, KnnConfig { k: 3, temperature: 0.1 }).unwrap()
}

/// Trains up to an epoch, from a checkpoint where one is named, and returns the model for evaluation.
fn train(directory: &Path, epochs: usize, from: Option<usize>, device: &Device) -> Moco<Network> {
    let mut training = SupervisedTraining::new(directory, loader(), loader())
        .num_epochs(epochs)
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(4))
        .with_metric_logger(InMemoryMetricLogger::new())
        .metric_train_numeric(LossMetric::new())
        .metric_train_numeric(RateMetric::contrastive())
        .metric_valid_numeric(RateMetric::knn())
        .with_application_logger(None);
    if let Some(epoch) = from {
        training = training.checkpoint(epoch);
    }
    training.launch(Learner::new(learning(device), optimizer(), ConstantLr::new(RATE))).model.method()
}

/// The same steps without burn-train.
fn by_hand(epochs: usize, device: &Device) -> Moco<Network> {
    let (mut moco, mut optimizer) = (moco(device), optimizer());
    for _ in 0..epochs {
        for first in (0..SAMPLES).step_by(BATCH) {
            let samples: Vec<usize> = (first..first + BATCH).collect();
            moco = moco.step(two_views(&samples, device), &mut optimizer, RATE).unwrap().0;
        }
    }
    moco
}

#[test]
fn supervised_training_takes_the_same_steps_as_a_loop_and_resumes() {
    let device = Device::flex().autodiff();
    let directory = tempfile::tempdir().unwrap();
    let trained = train(directory.path(), 2, None, &device);
    let steps = (2 * SAMPLES / BATCH) as u64;
    assert_eq!((trained.steps(), trained.key.updates()), (steps, steps), "the average moves once a step");
    let expected = by_hand(2, &device);
    assert_eq!(tensors(&trained), tensors(&expected), "bit for bit, queue included");

    let resumed = train(directory.path(), 2, Some(1), &device);
    assert_eq!(tensors(&resumed), tensors(&expected), "from the checkpoint of the first epoch");
}

#[test]
fn accumulated_gradients_are_of_steps_that_follow_each_other() {
    let device = Device::flex().autodiff();
    let mut learning = learning(&device);
    let (mut expected, mut optimizers) = (moco(&device), (optimizer(), optimizer()));
    for round in 0..2 {
        let mut sums = (GradientsAccumulator::new(), GradientsAccumulator::new());
        for seed in [2 * round, 2 * round + 1] {
            let gradients = TrainStep::step(&learning, views(seed, &device)).grads;
            sums.0.accumulate(&learning, gradients);
            let outcome;
            (expected, outcome) = expected.contrast(views(seed, &device)).unwrap();
            let gradients = GradientsParams::from_grads(outcome.loss.backward(), &expected.query);
            sums.1.accumulate(&expected.query, gradients);
        }
        learning = TrainStep::optimize(learning, &mut optimizers.0, RATE.into(), sums.0.grads());
        expected = expected.optimize(&mut optimizers.1, RATE, sums.1.grads());
        assert_eq!(learning.method().steps(), 2 * (u64::from(round) + 1));
        assert_eq!(tensors(&learning.method()), tensors(&expected), "bit for bit, keys of both batches in the queue");
    }
}

#[test]
fn validation_is_knn_with_the_query_encoder_as_it_is_now() {
    let device = Device::flex().autodiff();
    let mut learning = learning(&device);
    let expected = |method: &Moco<Network>| {
        let set = |samples: &[usize]| {
            let batch = labeled(samples, &device);
            extract(&method.query, [(batch.input, batch.labels)], Representation::Features).unwrap()
        };
        let bank: Vec<usize> = (0..9).collect();
        let queries: Vec<usize> = (9..21).collect();
        KnnConfig { k: 3, temperature: 0.1 }.evaluate(&set(&bank), &set(&queries)).unwrap().accuracy
    };
    let queries: Vec<usize> = (9..21).collect();
    let mut optimizer = optimizer();
    for seed in 0..3 {
        let output = InferenceStep::step(&learning.valid(), labeled(&queries, &Device::flex()));
        assert_eq!(output.rows, 12);
        assert!((read(output.accuracy)[0] - expected(&learning.method())).abs() < 1e-6, "after {seed} steps");
        let gradients = TrainStep::step(&learning, views(seed, &device)).grads;
        learning = TrainStep::optimize(learning, &mut optimizer, 1.0.into(), gradients);
    }
}

/// The accuracy of twelve points that the validation step finds with this model.
fn validated(learning: &ContrastiveLearning<Moco<Network>>) -> f64 {
    let queries: Vec<usize> = (9..21).collect();
    read(InferenceStep::step(&learning.valid(), labeled(&queries, &Device::flex())).accuracy)[0]
}

/// Another record with as many steps: what was computed for the first is of no use.
#[test]
fn validation_after_loading_is_that_of_the_loaded_encoder() {
    let device = Device::flex().autodiff();
    let with = |seed| {
        let query = Network::new(seed, HeadVersion::V2, 2, 0.0, &device);
        let bank = vec![labeled(&[0, 1, 2, 3, 4, 5], &device), labeled(&[6, 7, 8], &device)];
        ContrastiveLearning::new(config().init(query, &device).unwrap(), bank, KnnConfig { k: 3, temperature: 0.1 })
            .unwrap()
    };
    let accuracies: Vec<f64> = (0..20).map(|seed| validated(&with(seed))).collect();
    let set = |seed, samples: std::ops::Range<usize>| {
        let batch = labeled(&samples.collect::<Vec<_>>(), &device);
        extract(&with(seed).method().query, [(batch.input, batch.labels)], Representation::Features).unwrap()
    };
    let stale = |seed| {
        let knn = KnnConfig { k: 3, temperature: 0.1 };
        knn.evaluate(&set(seed - 1, 0..9), &set(seed, 9..21)).unwrap().accuracy
    };
    let shows = |seed: &u32| (stale(*seed) - accuracies[*seed as usize]).abs() > 0.05;
    assert!((1..20).filter(shows).count() > 5, "a bank of the encoder before shows in the accuracy");
    let mut learning = with(0);
    for (seed, expected) in accuracies.iter().enumerate() {
        let before = learning.clone();
        validated(&before);
        // Its own features were known, too, not only those of the copy for validation.
        InferenceStep::step(&learning, labeled(&[0, 1, 2], &device));
        learning = learning.load_record(with(seed as u32).into_record());
        assert_eq!(validated(&learning), *expected, "seed {seed}");
        let queries: Vec<usize> = (9..21).collect();
        let output = InferenceStep::step(&learning, labeled(&queries, &device));
        assert_eq!(read(output.accuracy)[0], *expected, "seed {seed}, without `valid`");
        assert_eq!(learning.method().steps(), 0);
    }
}

/// A clone is the same method, a copy for validation is not.
#[test]
fn clones_share_the_method_and_other_modules_do_not() {
    let device = Device::flex().autodiff();
    let learning = learning(&device);
    let (clone, valid) = (learning.clone(), learning.valid());
    let moved = learning.clone().to_device(&device);
    let start = tensors(&valid.method());
    let gradients = TrainStep::step(&learning, views(1, &device)).grads;
    let learning = TrainStep::optimize(learning, &mut optimizer(), RATE.into(), gradients);
    assert_eq!((learning.method().steps(), clone.method().steps()), (1, 1));
    assert_eq!(tensors(&clone), tensors(&learning));
    let weights = |method: &Moco<Network>| part(method, false);
    assert_eq!((valid.method().steps(), moved.method().steps()), (0, 0));
    assert_eq!(tensors(&valid.method()), start);
    assert_eq!(
        weights(&moved.method()),
        weights(&valid.method()),
        "running statistics are shared, as Burn's clones do"
    );
    // The record shows the method and nothing of where it is held.
    assert_eq!(tensors(&learning)[0].0, format!("method.{}", tensors(&learning.method())[0].0));
}

#[test]
fn a_step_that_fails_says_why_and_leaves_the_method_as_it_was() {
    let device = Device::flex().autodiff();
    let learning = learning(&device);
    let before = part(&learning.method(), false);
    let odd = || ViewPair { key: views(1, &device).key.narrow(0, 0, 4), ..views(1, &device) };
    let step = std::panic::AssertUnwindSafe(|| drop(TrainStep::step(&learning, odd())));
    let said = std::panic::catch_unwind(step).unwrap_err();
    assert!(said.downcast_ref::<String>().unwrap().contains("the query view has 6 rows and the key view 4"));
    assert_eq!(part(&learning.method(), false), before);
    TrainStep::step(&learning, views(1, &device));
    assert_eq!(learning.method().steps(), 1);
}

#[test]
fn metrics_show_percent() {
    let device = Device::flex().autodiff();
    let output = TrainStep::step(&learning(&device), views(1, &device)).item;
    let fraction = read(output.accuracy.clone())[0];
    let mut metric = RateMetric::contrastive();
    let metadata =
        MetricMetadata { progress: burn::data::dataloader::Progress::new(1, 1, None), iteration: Some(0), lr: None };
    metric.update(&output.adapt(), &metadata).unwrap();
    let value = metric.final_value().current();
    assert!((value - 100.0 * fraction).abs() < 1e-4);
    metric.clear();
    assert_eq!(metric.name().as_str(), "Contrastive accuracy");
    assert_eq!(RateMetric::knn().name().as_str(), "kNN accuracy");
}

#[test]
fn gradients_of_one_device_are_taken_and_of_two_refused() {
    let device = Device::flex().autodiff();
    let gradients = |learning: &ContrastiveLearning<Moco<Network>>| {
        let grads: GradientsParams = TrainStep::step(learning, views(1, &device)).grads;
        (grads, device.clone())
    };
    let (one, other) = (learning(&device), learning(&device));
    let (single, _) = gradients(&other);
    let expected = TrainStep::optimize(other, &mut optimizer(), RATE.into(), single);
    let grads = vec![gradients(&one)];
    let multi = one.optimize_multi(&mut optimizer(), RATE.into(), MultiGradientsParams { grads });
    assert_eq!(tensors(&multi), tensors(&expected));

    let two = learning(&device);
    let grads = vec![gradients(&two), gradients(&two)];
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        two.optimize_multi(&mut optimizer(), RATE.into(), MultiGradientsParams { grads })
    }));
    assert!(refused.is_err());
}

/// burn-train takes gradients of what is trained, a predictor included, and the target follows the optimizer.
#[test]
fn a_predictor_is_trained_too() {
    let device = Device::flex().autodiff();
    let byol = || crate::no_negatives::byol(&device);
    let by_hand = byol().step(views(1, &device), &mut optimizer(), RATE).unwrap().0;
    let bank = vec![labeled(&[0, 1, 2, 3, 4, 5], &device)];
    let learning = ContrastiveLearning::new(byol(), bank, KnnConfig { k: 3, temperature: 0.1 }).unwrap();
    let gradients = TrainStep::step(&learning, views(1, &device)).grads;
    let learning = TrainStep::optimize(learning, &mut optimizer(), RATE.into(), gradients);
    assert_eq!(tensors(&learning.method()), tensors(&by_hand));
    assert_ne!(tensors(&by_hand.online.predictor), tensors(&byol().online.predictor));
}

#[test]
fn a_bank_that_cannot_vote_is_refused() {
    let device = Device::flex().autodiff();
    assert!(ContrastiveLearning::new(moco(&device), vec![], KnnConfig { k: 1, temperature: 0.1 }).is_err());
    let bank = || vec![labeled(&[0, 1], &device)];
    assert!(ContrastiveLearning::new(moco(&device), bank(), KnnConfig { k: 3, temperature: 0.1 }).is_err());
    assert!(ContrastiveLearning::new(moco(&device), bank(), KnnConfig { k: 2, temperature: 0.1 }).is_ok());
}
