//! Pre-training on a stranger's photos and network: begins, goes on, starts from another run, fits a budget of time.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use slowburn_augment::loader::{Decoder, ImageFolder, OnCorrupt};
use slowburn_contrastive::{Contrastive, Moco, MocoConfig};
use slowburn_ema::Decay;
use slowburn_models::{HeadVersion, ProjectionConfig, Projector};
use slowburn_testkit::generator;
use slowburn_train::progress::Silent;
use slowburn_train::run::{Checkpoint, NAMES, RunFolder};
use slowburn_train::task::PretrainTask;
use slowburn_train::{OptimizerConfig, Pretrain, TrainError, Trained, Trainer, embed};

use crate::support::{Mine, StopAfter, photos, views, weights};

type Method = Moco<Projector<Mine>>;

fn task(folder: &Path) -> Pretrain<Method> {
    let device = Device::flex().autodiff();
    device.seed(3);
    let network = ProjectionConfig::new(HeadVersion::V1).with_dim(4).init(Mine::new(&device), &device).expect("valid");
    let config =
        MocoConfig { dim: 4, queue: 12, shuffle: false, decay: Decay::Constant { decay: 0.9 }, ..MocoConfig::v2() };
    let images = ImageFolder::flat(folder).expect("photos").with_decoder(Decoder::rgb());
    Pretrain::new(config.init(network, &device).expect("valid"), images, views())
}

fn trainer(run: &Path) -> Trainer {
    Trainer::new(run).epochs(3.0).batch(6).optimizer(OptimizerConfig::sgd(0.1)).reporter(Silent)
}

fn fit(trainer: Trainer, photos: &Path) -> Result<Trained<PretrainTask<Method>>, TrainError> {
    let _drawn = generator();
    trainer.fit(task(photos))
}

#[test]
fn a_run_that_was_stopped_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let whole = fit(trainer(&folder.path().join("whole")), &images).expect("trained");
    assert_eq!((whole.timeline.per_epoch, whole.timeline.total, whole.history.metrics.len()), (4, 12, 3));

    let run = folder.path().join("stopped");
    let stopped = fit(trainer(&run).reporter(StopAfter(6)), &images).expect_err("stopped");
    assert!(matches!(stopped, TrainError::Interrupted { .. }), "{stopped}");
    let resumed = fit(trainer(&run), &images).expect("goes on");
    assert!(weights(&resumed.method) == weights(&whole.method));
    assert_eq!(resumed.history.metrics, whole.history.metrics);
    // A run that is over is over: the same weights, without a step.
    let again = fit(trainer(&run).reporter(StopAfter(1)), &images).expect("over");
    assert!(weights(&again.method) == weights(&whole.method));

    let monitored = whole.history.metrics.last().expect("three epochs");
    assert!(monitored.spread.is_some() && monitored.knn_accuracy.is_none(), "no classes are known");
    assert!(monitored.effective_rank.expect("looked at") >= 1.0);
}

#[test]
fn looking_at_the_encoder_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let seen = fit(trainer(&folder.path().join("seen")), &images).expect("trained");
    let unseen = {
        let _drawn = generator();
        trainer(&folder.path().join("unseen")).fit(task(&images).without_monitor()).expect("trained")
    };
    assert!(weights(&seen.method) == weights(&unseen.method));
    let losses =
        |run: &Trained<PretrainTask<Method>>| run.history.metrics.iter().map(|row| row.loss).collect::<Vec<_>>();
    assert_eq!(losses(&seen), losses(&unseen));
}

#[test]
fn a_run_is_not_gone_on_with_by_other_settings_or_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (images, run) = (folder.path().join("photos"), folder.path().join("run"));
    photos(&images, 25);
    fit(trainer(&run), &images).expect("trained");
    for (other, said) in [
        (trainer(&run).epochs(4.0), "trainer.length.epochs: 3.0 in the run, 4.0 asked for"),
        (trainer(&run).seed(1), "trainer.seed: 0 in the run, 1 asked for"),
        (trainer(&run).from_run("elsewhere"), "from"),
    ] {
        let error = fit(other, &images).expect_err("another run").to_string();
        assert!(error.contains(said), "{error} lacks {said}");
    }
    crate::support::photo(&images.join("p0.jpg"), 5);
    let error = fit(trainer(&run), &images).expect_err("other images").to_string();
    assert!(error.contains("the images are not those that the run"), "{error}");
}

#[test]
fn a_new_run_begins_with_the_weights_and_queue_of_another_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let first = folder.path().join("first");
    let one = fit(trainer(&first), &images).expect("trained");
    // A step that moves nothing shows what it began with.
    let still = || Trainer::new(folder.path().join("second")).steps(1).batch(6).reporter(Silent);
    let tiny = OptimizerConfig::sgd(1e-30);
    let two = fit(still().optimizer(tiny.clone()).from_run(&first), &images).expect("trained");
    assert!(weights(two.method.query()) == weights(one.method.query()));
    assert_eq!(two.method.steps(), 1, "schedules start over");
    let queue = |trained: &Trained<PretrainTask<Method>>| trained.method.queue.rows().into_data();
    assert!(queue(&one) != queue(&two), "a step wrote its keys");
    let config = std::fs::read_to_string(folder.path().join("second/config.json")).expect("written");
    assert!(config.contains(&format!("\"from\": \"{}\"", first.display())), "{config}");
}

/// Weights under other names would be taken for others.
#[test]
fn a_run_whose_weights_have_other_names_is_no_beginning() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let first = folder.path().join("first");
    let history = fit(trainer(&first), &images).expect("trained").history;
    let (held, _): (_, serde_json::Value) = RunFolder::open(&first).expect("a run");
    let newest = held.newest().expect("readable").expect("a checkpoint");
    let mut checkpoint = Checkpoint::read(&newest).expect("whole");
    assert_eq!(checkpoint.header.progress, history);
    checkpoint.header.names = NAMES - 1;
    checkpoint.write(&newest).expect("written");
    let from = trainer(&folder.path().join("second")).from_run(&first);
    let error = fit(from, &images).expect_err("names of before");
    assert!(matches!(error, TrainError::Names { found } if found == NAMES - 1), "{error}");
    assert!(!folder.path().join("second/config.json").exists(), "nothing was begun");
}

#[test]
fn a_run_that_began_with_another_and_was_stopped_in_its_first_epoch_begins_with_it_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let first = folder.path().join("first");
    fit(trainer(&first), &images).expect("trained");
    let from = |run: &str| trainer(&folder.path().join(run)).from_run(&first);
    let whole = fit(from("whole"), &images).expect("trained");
    fit(from("stopped").reporter(StopAfter(1)), &images).expect_err("stopped before a checkpoint");
    let resumed = fit(from("stopped"), &images).expect("goes on");
    assert!(weights(&resumed.method) == weights(&whole.method));
}

#[test]
fn a_budget_of_time_becomes_a_number_of_steps_that_the_run_keeps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (images, run) = (folder.path().join("photos"), folder.path().join("run"));
    photos(&images, 25);
    let timed = || Trainer::new(&run).time(Duration::from_secs(2)).batch(6).reporter(Silent);
    let started = Instant::now();
    let stopped = fit(timed().reporter(StopAfter(3)), &images);
    let error = stopped.expect_err("stopped").to_string();
    assert!(error.contains("stopped"), "{error}");
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("config.json")).expect("written")).expect("JSON");
    let steps = config["recipe"]["timeline"]["total"].as_u64().expect("a number");
    let trained = fit(timed(), &images).expect("goes on");
    assert_eq!((trained.timeline.total, trained.method.steps()), (steps, steps));
    // Measured on a machine that others use: only the order of magnitude is certain.
    assert!(started.elapsed() < Duration::from_secs(60), "{steps} steps took {:?}", started.elapsed());
}

#[test]
fn features_are_written_with_the_names_of_photos() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 7);
    let _drawn = generator();
    let device = Device::flex();
    let network = ProjectionConfig::new(HeadVersion::V1).init(Mine::new(&device), &device).expect("valid");
    let file = folder.path().join("features.safetensors");
    let source = ImageFolder::flat(&images).expect("photos");
    embed(&network, source, &views(), OnCorrupt::Stop, &file).expect("written");
    let bytes = std::fs::read(&file).expect("there");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("safetensors");
    let names: Vec<String> =
        serde_json::from_str(&header.metadata().as_ref().expect("names")["names"]).expect("a list");
    assert_eq!(names, (0..7).map(|number| format!("p{number}.jpg")).collect::<Vec<_>>());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    assert_eq!(tensors.tensor("features").expect("there").shape(), [7, 8]);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_with_step_and_advice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 25);
    let wild = trainer(&folder.path().join("run")).optimizer(OptimizerConfig::sgd(1e30));
    let error = fit(wild, &images).expect_err("diverged");
    assert!(matches!(error, TrainError::NotFinite { .. } | TrainError::Weights { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("of moco: lower the learning rate, or raise the temperature"), "{said}");
    assert!(said.contains("There is no checkpoint yet"), "{said}");
}

/// Text that a subscriber writes.
#[derive(Clone, Default)]
struct Said(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_subscriber_sees_epochs_steps_checkpoints_and_files_that_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 24);
    std::fs::write(images.join("broken.jpg"), [0xff, 0xd8, 0xff]).expect("written");
    std::fs::write(images.join("other.webp"), "x").expect("written");
    // One for all tests of this program, whose threads would see each other's interest in events.
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other test has one");
    {
        let _drawn = generator();
        let run = Trainer::new(folder.path().join("run")).epochs(2.0).batch(5).optimizer(OptimizerConfig::sgd(0.1));
        run.fit(task(&images).with_on_corrupt(OnCorrupt::Skip).with_name("traced")).expect("trained");
    }
    let said = String::from_utf8(said.0.lock().expect("not poisoned").clone()).expect("text");
    for part in [
        "INFO epoch{phase=\"traced\" epoch=1}",
        "traced: 2 epochs, 10 steps",
        "epoch 2/2 in the mean  loss",
        "TRACE epoch{phase=\"traced\" epoch=2}",
        "checkpoints/001-traced-000000005.ckpt",
        "broken.jpg is left out",
        "1 images below",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    // Once, though training and monitor leave it out in each epoch.
    let warning = format!("{} is left out", images.join("broken.jpg").display());
    assert_eq!(said.matches(&warning).count(), 1, "{said}");
}
