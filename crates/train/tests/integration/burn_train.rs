//! burn-train's `SupervisedTraining` drives the methods with batches of this crate's.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::constant::ConstantLr;
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::LossMetric;
use burn::train::{Learner, SupervisedTraining};
use slowburn_augment::loader::{Decoder, ImageFolder, Source};
use slowburn_contrastive::evaluation::KnnConfig;
use slowburn_contrastive::{Contrastive, ContrastiveLearning, LabeledBatch, Moco, MocoConfig, ViewPair};
use slowburn_models::{Classifier, ClassifierConfig, HeadVersion, ProjectionConfig, Projector};
use slowburn_optim::FusedSgdConfig;
use slowburn_semi::{MeanTeacher, MeanTeacherConfig};
use slowburn_testkit::generator;
use slowburn_train::burn_train::{EpochLoader, ImageSetLoader};
use slowburn_train::monitor::ImageSet;
use slowburn_train::trainer::initialized;
use slowburn_train::{FewLabels, Fit, Labeled, Pretrain, Task};

use crate::support::{Mine, photos, views, weights};

const RATE: f64 = 0.05;

fn optimizer() -> ModuleOptimizer {
    FusedSgdConfig::new().with_momentum(0.9).init().expect("valid")
}

fn images(folder: &Path) -> ImageFolder {
    ImageFolder::flat(folder).expect("photos").with_decoder(Decoder::rgb())
}

fn moco(device: &Device) -> Moco<Projector<Mine>> {
    device.seed(4);
    let network = ProjectionConfig::new(HeadVersion::V1).with_dim(4).init(Mine::new(device), device).expect("valid");
    MocoConfig { dim: 4, queue: 12, shuffle: false, ..MocoConfig::v2() }.init(network, device).expect("valid")
}

/// The photos by parity, to validate by.
fn labeled(folder: &Path) -> ImageSet {
    let source = images(folder);
    let chosen = (0..source.len()).map(|index| (index, index % 2)).collect();
    ImageSet::new(Arc::new(source), chosen, &views()).expect("they fit")
}

#[test]
fn supervised_training_takes_mocos_steps_epoch_by_epoch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let photos_folder = folder.path().join("photos");
    photos(&photos_folder, 25);
    let device = Device::flex().autodiff();
    let _drawn = generator();
    let prepared = || Pretrain::new(moco(&device), images(&photos_folder), views()).prepare(6, 9).expect("fits");

    let (method, task) = prepared();
    let known = labeled(&photos_folder);
    let bank = known.batches(&Device::flex()).expect("batches");
    let bank =
        bank.map(|batch| batch.expect("fits")).map(|batch| LabeledBatch { input: batch.images, labels: batch.classes });
    let learning =
        ContrastiveLearning::new(method, bank.collect(), KnnConfig { k: 3, temperature: 0.1 }).expect("fits");
    let train: Arc<dyn DataLoader<ViewPair<_>>> = Arc::new(EpochLoader::pretrain(task, 0));
    assert_eq!(train.num_items(), 24);
    let valid = Arc::new(ImageSetLoader::contrastive(labeled(&photos_folder)));
    let trained = SupervisedTraining::new(folder.path().join("burn"), train, valid)
        .num_epochs(2)
        .with_metric_logger(InMemoryMetricLogger::new())
        .metric_train_numeric(LossMetric::new())
        .with_application_logger(None)
        .launch(Learner::new(learning, optimizer(), ConstantLr::new(RATE)))
        .model
        .method();

    let (method, task) = prepared();
    let (mut expected, mut optimizer) = (initialized(method), optimizer());
    for epoch in 0..2 {
        for batch in task.batches(epoch, 4).expect("batches") {
            expected = task.step(expected, batch.expect("fits"), &mut optimizer, RATE).expect("finite").0;
        }
    }
    assert_eq!(trained.steps(), 8);
    assert!(weights(&trained) == weights(&expected), "the second epoch has an order and views of its own");
}

#[test]
fn supervised_training_takes_mean_teachers_steps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let photos_folder = folder.path().join("photos");
    photos(&photos_folder, 24);
    let device = Device::flex().autodiff();
    let _drawn = generator();
    let prepared = || {
        device.seed(4);
        let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
        let method: MeanTeacher<Classifier<Mine>> = MeanTeacherConfig::default().init(network, &device).expect("valid");
        let label = |image: usize| (image < 8).then_some(image % 2);
        let classes = ["a".to_owned(), "b".to_owned()].to_vec();
        let labeled = Labeled::new(images(&photos_folder), (0..24).map(label).collect(), classes).expect("fits");
        FewLabels::new(method, labeled, views()).prepare(8, 9).expect("fits")
    };
    let (method, task) = prepared();
    let steps = task.steps_per_epoch();
    // As if burn-train went on from its checkpoint of the first epoch.
    let train = Arc::new(EpochLoader::few_labels(task, 1));
    let valid = Arc::new(ImageSetLoader::semi_supervised(labeled(&photos_folder)));
    let trained = SupervisedTraining::new(folder.path().join("burn"), train, valid)
        .num_epochs(1)
        .with_metric_logger(InMemoryMetricLogger::new())
        .metric_train_numeric(LossMetric::new())
        .with_application_logger(None)
        .launch(Learner::new(method, optimizer(), ConstantLr::new(RATE)))
        .model;

    let (method, task) = prepared();
    let (mut expected, mut optimizer) = (method, optimizer());
    for batch in task.batches(1, steps as u64).expect("batches") {
        expected = task.step(expected, batch.expect("fits"), &mut optimizer, RATE).expect("finite").0;
    }
    assert!(weights(&trained) == weights(&expected));
}

#[test]
fn a_slice_has_the_batches_between_two_items() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 25);
    let device = Device::flex().autodiff();
    let _drawn = generator();
    let loader = || {
        let (_, task) = Pretrain::new(moco(&device), images(folder.path()), views()).prepare(6, 9).expect("fits");
        EpochLoader::pretrain(task, 3)
    };
    let samples = |loader: &dyn DataLoader<ViewPair<_>>| -> Vec<Vec<usize>> {
        loader.iter().map(|pair| pair.expect("fits").samples).collect()
    };
    let (whole, sliced) = (loader(), loader());
    let part = sliced.slice(6, 18);
    assert_eq!(part.num_items(), 12);
    assert_eq!(samples(part.as_ref()), samples(&whole)[1..3]);
    assert_ne!(samples(part.as_ref()), samples(&loader())[1..3], "another epoch");
}
