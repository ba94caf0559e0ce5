//! What stops training, and what is said then.

use burn::nn::{Linear, LinearConfig};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::evaluation::{FeatureSet, Representation};
use slowburn_ema::Timeline;
use slowburn_testkit::generator;
use slowburn_train::progress::{Figure, Reporter, StepReport};
use slowburn_train::run::{History, Part, RunFolder};
use slowburn_train::task::{Observed, StepOutcome, Task, TaskBatches, TaskError};
use slowburn_train::trainer::{Phase, Stop};
use slowburn_train::{OptimizerConfig, TrainError};

/// Steps that change nothing, and an evaluation whose features are not finite from the epoch `bad` on.
struct Still {
    device: Device,
    bad: u64,
    /// Batches of each epoch whose images are all left out.
    lost: u64,
}

impl Task for Still {
    type Method = Linear;
    type Batch = ();
    type Metrics = f64;

    fn steps_per_epoch(&self) -> usize {
        1
    }

    fn batches(&self, _epoch: u64, steps: u64) -> Result<TaskBatches<'_, ()>, TaskError> {
        Ok(Box::new((self.lost..steps).map(|_| Ok(()))))
    }

    fn images(&self, (): &()) -> usize {
        1
    }

    fn step(
        &self,
        method: Linear,
        (): (),
        _: &mut ModuleOptimizer,
        _: f64,
    ) -> Result<(Linear, StepOutcome), TaskError> {
        Ok((method, StepOutcome { costs: vec![Tensor::from_data([1.0], &self.device)], known: vec![] }))
    }

    fn step_figures(&self, _: &Observed) -> Vec<Figure> {
        Vec::new()
    }

    fn metrics(&self, _: &Linear, seen: &Observed) -> Result<f64, TaskError> {
        let value = if seen.epoch < self.bad { 1.0 } else { f32::NAN };
        FeatureSet::new(Tensor::from_data([[value]], &self.device), vec![0], Representation::Features)?;
        Ok(0.0)
    }

    fn epoch_figures(&self, _: &f64) -> Vec<Figure> {
        Vec::new()
    }
}

/// Nobody watches; a person stops after the first step, or never.
struct Unseen {
    stops: bool,
}

impl Reporter for Unseen {
    fn begin(&mut self, _: &str, _: u64, _: u64, _: u64) {}

    fn step(&mut self, _: &StepReport) {}

    fn epoch(&mut self, _: u64, _: &[Figure]) {}

    fn stop_requested(&self) -> bool {
        self.stops
    }
}

/// Three epochs of one step in `folder`; the error that ends them.
fn error(folder: &RunFolder, bad: u64, stops: bool) -> TrainError {
    let device = Device::flex().autodiff();
    let task = Still { device: device.clone(), bad, lost: 0 };
    let phase = Phase {
        name: "still",
        order: 1,
        task: &task,
        optimizer: &OptimizerConfig::sgd(0.1),
        timeline: Timeline { per_epoch: 1, total: 3 },
        seed: 0,
        device: &device,
        folder,
        patience: None,
        reporter: &mut Unseen { stops },
    };
    let _drawn = generator();
    let trained = phase.train(LinearConfig::new(1, 1).init(&device), History::default(), None);
    trained.expect_err("it stops")
}

#[test]
fn features_that_are_no_numbers_stop_the_run_with_the_step_and_the_last_good_checkpoint() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(&outer.path().join("run"), &1, "digest").expect("free");
    let error = error(&folder, 2, false);
    assert!(matches!(error, TrainError::Evaluation { at: Stop { step: 2, .. }, .. }), "{error:?}");
    let said = error.to_string();
    let good = folder.file("checkpoints/001-still-000000001.ckpt");
    assert!(good.exists(), "the first epoch went well");
    for part in [
        "the features: not all numbers are finite after step 2 of still: lower the learning rate",
        &good.to_string_lossy(),
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

/// A part of a run cannot be gone on with alone.
#[test]
fn a_stop_names_the_run_that_resume_takes() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let whole = RunFolder::create(&outer.path().join("run"), &1, "digest").expect("free");
    for _ in ["begun", "gone on with"] {
        let part = Part::<f64, f64>::find(&whole, "part", &2, (outer.path(), "digest")).expect("free");
        let Part::Open(part, None) = part else { panic!("nothing is trained yet") };
        assert_eq!(part.path(), whole.file("part"));
        let said = error(&part, 9, true).to_string();
        assert_eq!(
            said,
            format!("stopped; the run in {} can go on from its newest checkpoint", whole.path().display())
        );
    }
}

/// A batch whose images are all left out is no step, and the run ends all the same, with its schedules where they would be.
#[test]
fn a_batch_of_which_nothing_is_left_does_not_keep_a_run_from_its_end() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(&outer.path().join("run"), &1, "digest").expect("free");
    let device = Device::flex().autodiff();
    let task = Still { device: device.clone(), bad: 9, lost: 1 };
    let phase = Phase {
        name: "still",
        order: 1,
        task: &task,
        optimizer: &OptimizerConfig::sgd(0.1),
        timeline: Timeline { per_epoch: 3, total: 8 },
        seed: 0,
        patience: None,
        device: &device,
        folder: &folder,
        reporter: &mut Unseen { stops: false },
    };
    let _drawn = generator();
    let (_, history) = phase.train(LinearConfig::new(1, 1).init(&device), History::default(), None).expect("trained");
    assert_eq!((history.metrics.len(), history.images), (3, 2 + 2 + 1));
    assert!(folder.file("checkpoints/001-still-000000008.ckpt").exists());
}
