//! burn-train's loop in the place of `slowburn_train::Trainer`: MoCo with Burn's dashboard, metrics and checkpoints.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example burn_train        # 5 epochs
//! cargo run --release -p slowburn-examples --example burn_train -- 20
//! ```
//!
//! `docs/burn-train.md` compares both loops. With burn-train, a resumed run ends with other weights than one that was never stopped,
//! and a loss that is not finite panics.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::{Learner, SupervisedTraining};
use slowburn_augment::presets;
use slowburn_contrastive::evaluation::{KnnConfig, Representation};
use slowburn_contrastive::{Contrastive, ContrastiveLearning, LabeledBatch, MocoConfig, RateMetric};
use slowburn_examples::FASHION_MNIST;
use slowburn_models::{HeadVersion, Norm, ProjectionConfig, SmallConvNetConfig};
use slowburn_optim::FusedSgdConfig;
use slowburn_train::burn_train::{EpochLoader, ImageSetLoader};
use slowburn_train::data::{Dataset, labeled};
use slowburn_train::monitor::{ImageSet, features};
use slowburn_train::{Fit, Pretrain, Task};

fn main() -> Result<()> {
    let epochs = std::env::args().nth(1).map_or(Ok(5), |epochs| epochs.parse::<usize>());
    let epochs = epochs.context("usage: burn_train [EPOCHS]")?;
    let data = Dataset::load(FASHION_MNIST)?;
    let device = Device::flex().autodiff();
    device.seed(0); // the weights at the start; burn-train does not seed steps

    let encoder = SmallConvNetConfig::new().with_norm(Norm::Split { splits: 8 }).init(&device)?;
    let network = ProjectionConfig::new(HeadVersion::V2).init(encoder, &device)?;
    let moco = MocoConfig::cifar().init(network, &device)?;

    // The batches that `Trainer` would make. To resume from burn-train's checkpoint of epoch n, pass n instead of 0: order and
    // views of an epoch depend on its number.
    let views = presets::moco_fashion(28);
    let task = Pretrain::new(moco, data.train.images.clone(), views.clone()).without_monitor();
    let (moco, task) = task.prepare(128, 0)?; // images in a batch, seed
    let steps = epochs * task.steps_per_epoch();
    let train = EpochLoader::pretrain(task, 0);

    // Validation: how often the nearest of 2,000 training images have the test image's class.
    let bank = ImageSet::new(data.train.images.clone(), labeled(&data.train.labels), &views)?.thinned(2000);
    let known = data.test.labels.iter().copied().enumerate().collect();
    let test = ImageSet::new(data.test.images.clone(), known, &views)?.thinned(2000);
    let plain = device.clone().without_autodiff();
    let mut batches = Vec::new();
    for batch in bank.batches(&plain)? {
        let batch = batch?;
        batches.push(LabeledBatch { input: batch.images, labels: batch.classes });
    }
    let knn = KnnConfig { k: 50, ..KnnConfig::default() };
    let learning = ContrastiveLearning::new(moco, batches, knn)?;

    // From here on, burn-train.
    let optimizer = FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(5e-4).init()?;
    let rate = CosineAnnealingLrSchedulerConfig::new(0.06, steps).init().map_err(anyhow::Error::msg)?;
    let trained = SupervisedTraining::new(
        "runs/burn_train",
        Arc::new(train),
        Arc::new(ImageSetLoader::contrastive(test.clone())),
    )
    .num_epochs(epochs)
    .metric_train_numeric(LossMetric::new())
    .metric_train_numeric(RateMetric::contrastive())
    .metric_valid_numeric(RateMetric::knn())
    .with_default_checkpointers()
    .summary()
    .launch(Learner::new(learning, optimizer, rate));
    let moco = trained.model.method();

    let of = |set| features(moco.query(), set, Representation::Features, &plain);
    let report = knn.evaluate(&of(&bank)?, &of(&test)?)?;
    println!(
        "{} steps; nearest neighbours are right for {:.2} % of test images",
        moco.steps(),
        100.0 * report.accuracy
    );
    Ok(())
}
