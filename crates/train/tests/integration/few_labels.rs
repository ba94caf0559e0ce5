//! Few labels on a stranger's photos and network: labels from a file, validation, the best epoch, early stopping.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Decoder, ImageFolder, OnCorrupt};
use slowburn_augment::{ImageSize, Operation};
use slowburn_ema::{Decay, Length, Ramp, RampShape};
use slowburn_ema::{Ema, EmaConfig};
use slowburn_models::weights::{WeightsFile, save_safetensors};
use slowburn_models::{Classifier, ClassifierConfig};
use slowburn_semi::{
    MeanTeacher, MeanTeacherConfig, Mix, Objective, Predict, SemiBatch, SemiSupervised, SupervisedConfig,
};
use slowburn_testkit::generator;
use slowburn_train::data::LabelFile;
use slowburn_train::progress::Silent;
use slowburn_train::run::metadata;
use slowburn_train::task::{FewLabelsTask, Task};
use slowburn_train::{FewLabels, Fit, Labeled, OptimizerConfig, TrainError, Trained, Trainer};

use crate::support::{Mine, StopAfter, photos, views, weights};

type Network = Classifier<Mine>;

/// 40 photos, 16 of them with a label in a table.
fn data(folder: &Path) -> Labeled {
    let images = folder.join("photos");
    if !images.exists() {
        photos(&images, 40);
        let row =
            |number: usize| format!("{},p{number}.jpg\n", if number.is_multiple_of(2) { "upright" } else { "flat" });
        let table: String = (0..16).map(row).collect();
        std::fs::write(folder.join("labels.csv"), format!("label,filename\n{table}")).expect("written");
    }
    let images = ImageFolder::flat(images).expect("photos").with_decoder(Decoder::rgb());
    Labeled::from_file(images, folder.join("labels.csv")).expect("labels")
}

fn method(classes: usize) -> MeanTeacher<Network> {
    let device = Device::flex().autodiff();
    device.seed(3);
    let network = ClassifierConfig::new(classes).init(Mine::new(&device), &device).expect("valid");
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.9 });
    MeanTeacherConfig { objective: Objective::default(), average }.init(network, &device).expect("valid")
}

type Fitted = Result<Trained<FewLabelsTask<Network, Ema<Network>>>, TrainError>;

fn fit(trainer: Trainer, folder: &Path) -> Fitted {
    let _drawn = generator();
    let labeled = data(folder);
    trainer.fit(FewLabels::new(method(labeled.classes().len()), labeled, views()).with_validation(0.25))
}

fn trainer(run: &Path) -> Trainer {
    Trainer::new(run).epochs(4.0).batch(8).optimizer(OptimizerConfig::adam(0.01)).reporter(Silent)
}

#[test]
fn few_labels_are_learned_from_and_a_stopped_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = fit(trainer(&folder.path().join("whole")), folder.path()).expect("trained");
    // 12 labels to learn from, 4 held back, 24 images without: 24 / (8 − 2) batches.
    assert_eq!((whole.timeline.per_epoch, whole.timeline.total), (4, 16));
    let run = folder.path().join("stopped");
    fit(trainer(&run).reporter(StopAfter(7)), folder.path()).expect_err("stopped");
    let resumed = fit(trainer(&run), folder.path()).expect("goes on");
    assert!(weights(&resumed.method) == weights(&whole.method));
    assert_eq!((resumed.history.metrics, resumed.history.best), (whole.history.metrics.clone(), whole.history.best));

    // What the folder says of its labels is what was read.
    let labeled = data(folder.path());
    let names: Vec<String> = (0..40).map(|image| labeled.source().id(image)).collect();
    let file = LabelFile::read(run.join("labels.txt"), &names, None).expect("labels");
    assert_eq!((file.labels.as_slice(), file.classes.as_slice()), (labeled.labels(), labeled.classes()));
}

#[test]
fn the_best_epoch_is_kept_and_patience_ends_a_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let trained = fit(trainer(&run).epochs(40.0).patience(3), folder.path()).expect("trained");
    let best = trained.history.best.expect("a validation part");
    let epochs = trained.history.metrics.len() as u64;
    assert_eq!(epochs, best.improved + 3, "three epochs without a better one");
    let scores: Vec<f64> = trained.history.metrics.iter().filter_map(|row| row.validation_accuracy).collect();
    let highest = scores.iter().copied().fold(0.0, f64::max);
    assert_eq!((best.score, scores[best.epoch as usize - 1]), (highest, highest));
    let kept = trained.best().expect("kept");
    assert_eq!(kept.steps(), best.step);
    assert_eq!(scores.iter().rposition(|score| *score == highest), Some(best.epoch as usize - 1), "the last of equals");
    // A run that stopped early is over.
    let again = fit(trainer(&run).epochs(40.0).patience(3).reporter(StopAfter(1)), folder.path()).expect("over");
    assert_eq!(again.history.metrics.len() as u64, epochs);

    let file = folder.path().join("teacher.safetensors");
    let labeled = data(folder.path());
    let image = ImageSize { height: 8, width: 8, channels: 1 };
    save_safetensors(kept.teacher.module(), &file, &metadata(&views(), image, labeled.classes())).expect("written");
    let file = WeightsFile::open(&file).expect("intact");
    assert!(file.tensors().contains_key("fc.weight"));
    assert_eq!(file.metadata().classes, labeled.classes());
}

/// Images that are held back are in no batch, and no label of theirs is seen.
#[test]
fn images_to_validate_by_are_in_no_batch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let labeled = data(folder.path());
    let _drawn = generator();
    let fit = FewLabels::new(method(2), labeled.clone(), views()).with_validation(0.5).with_labeled_in_unlabeled(true);
    let (method, task) = fit.prepare(8, 5).expect("fits");
    let held_out: Vec<usize> =
        task.validation.as_ref().expect("a part").chosen().iter().map(|&(image, _)| image).collect();
    assert_eq!(held_out.len(), 8);
    let mut seen = 0;
    for epoch in 0..3 {
        for batch in task.batches(epoch, 100).expect("batches") {
            let batch: SemiBatch<Tensor<4>> = batch.expect("fits").into_device(&task.device).expect("views");
            assert_eq!(batch.student.dims(), [8, 3, 12, 12]);
            for (image, label) in batch.samples.iter().zip(&batch.labels) {
                assert!(!held_out.contains(image), "{image}");
                seen += usize::from(label.is_some());
                assert!(label.is_none() || *label == labeled.labels()[*image]);
            }
        }
    }
    assert!(seen > 0);
    drop(method);
}

/// Strong views are the student's alone: of images without a label, or of all where asked, and then in the baseline too.
#[test]
fn strong_views_are_the_students_of_unlabelled_images_or_of_all() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _drawn = generator();
    let gray = |images: Tensor<4>| images.into_data().convert::<f32>().try_to_vec::<f32>().expect("numbers");
    let constant = |image: &Tensor<4>, row: usize| {
        let values = gray(image.clone().narrow(0, row, 1));
        values.iter().all(|value| *value == values[0])
    };
    let blank = Operation::Cutout { side: 24, fill: 0.5 };
    let strong =
        || views().with_operations([views().operations(), std::slice::from_ref(&blank)].concat()).expect("valid");
    for (labels_too, of_labelled, of_others) in [(false, false, true), (true, true, true)] {
        let fit = FewLabels::new(method(2), data(folder.path()), views()).with_strong_views(strong());
        let (_, task) = fit.with_strong_labels(labels_too).prepare(8, 5).expect("fits");
        for batch in task.batches(0, 2).expect("batches") {
            let batch: SemiBatch<Tensor<4>> = batch.expect("fits").into_device(&task.device).expect("views");
            for (row, label) in batch.labels.iter().enumerate() {
                let wanted = if label.is_some() { of_labelled } else { of_others };
                assert_eq!(constant(&batch.student, row), wanted, "row {row}, label {label:?}");
                assert!(!constant(&batch.teacher, row), "targets come from weak views");
            }
        }
        let network = || method(2).student;
        let baseline = SupervisedConfig::default().init(network(), &Device::flex().autodiff()).expect("valid");
        let fit = FewLabels::new(baseline, data(folder.path()), views()).with_strong_views(strong());
        let (_, task) = fit.with_strong_labels(labels_too).prepare(8, 5).expect("fits");
        let batch = task.batches(0, 1).expect("batches").next().expect("one").expect("fits");
        let batch: SemiBatch<Tensor<4>> = batch.into_device(&task.device).expect("views");
        assert_eq!(constant(&batch.student, 0), of_labelled);
    }
}

/// The loop's steps are those that the method's own calls make.
#[test]
fn training_is_the_methods_own_steps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::flex().autodiff();
    let supervised = || -> SemiSupervised<Network, slowburn_semi::NoTeacher> {
        device.seed(3);
        let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
        SupervisedConfig::default().init(network, &device).expect("valid")
    };
    let _drawn = generator();
    let task = || FewLabels::new(supervised(), data(folder.path()), views()).with_mix(Mix::Fixed { labeled: 8 });
    let rate = OptimizerConfig::sgd(0.05).with_schedule(slowburn_ema::Schedule::constant(0.05));
    let run = Trainer::new(folder.path().join("run")).steps(3).batch(8).optimizer(rate.clone()).reporter(Silent);
    let trained = run.fit(task()).expect("trained");

    let (mut method, prepared) = task().prepare(8, 0).expect("fits");
    let mut optimizer = rate.init(trained.timeline).expect("valid").optimizer;
    for epoch in 0..2 {
        for batch in prepared.batches(epoch, trained.timeline.in_epoch(epoch)).expect("batches") {
            let batch = batch.expect("fits").into_device(&device).expect("views");
            let losses = method.losses(batch).expect("finite");
            let gradients = burn::optim::GradientsParams::from_grads(losses.total.backward(), &method.student);
            method = method.optimize(&mut optimizer, 0.05, gradients).expect("fits");
        }
    }
    assert!(weights(&trained.method) == weights(&method));
    let images = Tensor::zeros([1, 3, 12, 12], &Device::flex());
    assert_eq!(trained.method.student.predict(images).class.dims(), [1, 2]);
}

/// The network's weights are drawn by the seed that was set before it was made, however lazily Burn draws them.
#[test]
fn another_seed_of_the_device_makes_another_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _drawn = generator();
    let device = Device::flex().autodiff();
    let first = |seed: u64| {
        device.seed(seed);
        let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
        let method = SupervisedConfig::default().init(network, &device).expect("valid");
        weights(&FewLabels::new(method, data(folder.path()), views()).prepare(8, 0).expect("fits").0)
    };
    assert!(first(1) == first(1) && first(1) != first(2));
}

/// Without a rise, the student would agree with an untrained teacher before it learns from the labels.
#[test]
fn the_consistency_weight_rises_unless_the_objective_says_how() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trained = fit(trainer(&folder.path().join("run")), folder.path()).expect("trained");
    assert_eq!(trained.method.objective().ramp_up, Ramp::SigmoidUp { length: 10 }, "0.6 of 16 steps");
    assert!(trained.history.metrics[0].consistency_weight < trained.history.metrics[3].consistency_weight);
    let _drawn = generator();
    let own = RampShape::LinearUp(Length::Epochs(2.0));
    let task = FewLabels::new(method(2), data(folder.path()), views()).with_ramp_up(own);
    let trained = trainer(&folder.path().join("own")).fit(task).expect("trained");
    assert_eq!(trained.method.objective().ramp_up, Ramp::LinearUp { length: 2 * trained.timeline.per_epoch as u64 });
}

#[test]
fn patience_without_a_score_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _drawn = generator();
    let task = FewLabels::new(method(2), data(folder.path()), views());
    let error = trainer(&folder.path().join("run")).patience(2).fit(task).expect_err("no score").to_string();
    assert!(error.contains("patience") && error.contains("with_validation"), "{error}");
}

/// A photo that is held back counts as left out too, and a run that made no step gives way to another.
#[test]
fn a_broken_photo_to_validate_by_is_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    fit(trainer(&folder.path().join("first")), folder.path()).expect("trained");
    let held_out = std::fs::read_to_string(folder.path().join("first/validation.txt")).expect("written");
    let broken = held_out.split_whitespace().next().expect("a name");
    std::fs::write(folder.path().join("photos").join(broken), [0xff, 0xd8, 0xff]).expect("written");
    let error = fit(trainer(&run), folder.path()).expect_err("broken").to_string();
    assert!(error.contains(broken), "{error}");
    let _drawn = generator();
    let task = FewLabels::new(method(2), data(folder.path()), views()).with_validation(0.25);
    trainer(&run).fit(task.with_on_corrupt(OnCorrupt::Skip)).expect("the others are fine");
    let summary = std::fs::read_to_string(run.join("summary.json")).expect("written");
    assert!(summary.contains("\"images\": 1") && summary.contains(broken), "{summary}");
}

/// As many labels, but others: the file was changed between two sittings.
#[test]
fn a_run_is_not_gone_on_with_by_other_labels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    fit(trainer(&run), folder.path()).expect("trained");
    let file = folder.path().join("labels.csv");
    let table = std::fs::read_to_string(&file).expect("written").replace("upright,p0.jpg", "flat,p0.jpg");
    std::fs::write(&file, table).expect("written");
    let error = fit(trainer(&run), folder.path()).expect_err("other labels").to_string();
    assert!(error.contains("task.labels_sha256"), "{error}");
}
