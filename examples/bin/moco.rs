//! MoCo v2 (arXiv 1911.05722, 2003.04297): a network learns from 10,000 images without a label, and is then scored beside random
//! weights and raw pixels.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example moco           # 20 epochs, seed 0
//! cargo run --release -p slowburn-examples --example moco -- 40 1   # 40 epochs, seed 1
//! ```
//!
//! The run is written to `runs/moco-SEED`; `fine_tune` starts from its encoder. The same command resumes a run that was stopped.

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_augment::{Pipeline, presets};
use slowburn_contrastive::MocoConfig;
use slowburn_ema::Decay;
use slowburn_examples::FASHION_MNIST;
use slowburn_models::weights::save_safetensors;
use slowburn_models::{HeadVersion, Norm, ProjectionConfig, Projector, SmallConvNet, SmallConvNetConfig};
use slowburn_train::data::{Dataset, labeled};
use slowburn_train::monitor::{ImageSet, ScoredSets, Scoring, pixels};
use slowburn_train::run::metadata;
use slowburn_train::trainer::{initialized, mix};
use slowburn_train::{OptimizerConfig, Pretrain, Trainer};

/// The length of an embedding: what queries and keys are compared by.
const DIM: usize = 64;

fn main() -> Result<()> {
    // Warnings and progress go to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let usage = "usage: moco [EPOCHS [SEED]]";
    let mut arguments = std::env::args().skip(1);
    let epochs: f64 = arguments.next().map_or(Ok(20.0), |epochs| epochs.parse()).context(usage)?;
    let seed: u64 = arguments.next().map_or(Ok(0), |seed| seed.parse()).context(usage)?;

    let data = Dataset::load(FASHION_MNIST)?;
    let device = Device::flex().autodiff(); // learning needs autodiff; another backend is another device

    // A query is told from 4,096 keys of earlier images. Keys come from a slowly moving average of the query's encoder.
    let config = MocoConfig {
        dim: DIM,
        queue: 4096,
        decay: Decay::Constant { decay: 0.99 }, // weight of the old average; the paper's 0.999 is for longer trainings
        seed,
        ..MocoConfig::v2()
    };
    let moco = config.init(network(seed, &device)?, &device)?;

    // Two views of each image: a random part of it, mirrored or not, lighter or darker.
    let views = presets::moco_fashion(28);
    let task = Pretrain::new(moco, data.train.images.clone(), views.clone())
        // The method never sees labels. A monitor uses them after every fourth epoch, to report how often nearest neighbours
        // among the training images share a class. Without labels it reports the spread of the features only.
        .with_labels(data.train.labels.clone())
        .with_monitor_every(4);
    let trained = Trainer::new(format!("runs/moco-{seed}"))
        .epochs(epochs)
        .batch(128)
        .seed(seed) // of batches and views
        .optimizer(OptimizerConfig::sgd(0.06).with_weight_decay(5e-4)) // falls as half a cosine
        .fit(task)?;
    let last = trained.history.metrics.last().context("a run has an epoch")?;
    println!("loss {:.3}; a guess among 4,097 keys has ln(4097) = {:.3}", last.loss, last.chance_loss);

    // What one keeps: the encoder without its head, under PyTorch's names.
    let file = trained.folder.file("encoder.safetensors");
    save_safetensors(&trained.method.query.encoder, &file, &metadata(&views, data.image_size(), &[]))?;

    score(&trained.method.query, &data, &views, seed, &device)?;
    println!("{}", file.display());
    Ok(())
}

/// Prints what the encoder is worth beside random weights and raw pixels.
fn score(query: &Projector<SmallConvNet>, data: &Dataset, views: &Pipeline, seed: u64, device: &Device) -> Result<()> {
    // Scores use images without random views, features below the head, and the labels of all training images: for the 200
    // nearest neighbours, and for a linear classifier on frozen features, whose learning rate is chosen on held-out training
    // images.
    let train = ImageSet::new(data.train.images.clone(), labeled(&data.train.labels), views)?;
    let known = data.test.labels.iter().copied().enumerate().collect();
    let test = ImageSet::new(data.test.images.clone(), known, views)?;
    let scoring = Scoring::default();
    let plain = device.clone().without_autodiff();
    let random = network(seed, device)?;
    println!("\ntest accuracy, {} images, seed {seed}", data.test.len());
    println!("  {:<16} {:>8} {:>14}", "", "kNN", "linear probe");
    for (name, sets) in [
        ("MoCo", scoring.sets(query, &train, &test, &plain)?),
        ("random weights", scoring.sets(&random, &train, &test, &plain)?),
        ("pixels", ScoredSets::same(pixels(&train, &plain)?, pixels(&test, &plain)?)),
    ] {
        let scores = scoring.score(&sets)?;
        let [knn, linear] = [scores.knn.accuracy, scores.linear.probe.accuracy].map(|accuracy| 100.0 * accuracy);
        println!("  {name:<16} {knn:>6.2} % {linear:>12.2} %");
    }
    Ok(())
}

/// An encoder with MoCo v2's head and random weights, the same at every call.
fn network(seed: u64, device: &Device) -> Result<Projector<SmallConvNet>> {
    // Any seed will do. The program `slowburn` uses this one, so both give the same numbers.
    device.seed(mix(seed, u64::MAX));
    // Each eighth of a batch has batch statistics of its own, and keys are encoded in another order than queries
    // (`MocoConfig::shuffle`). Otherwise statistics that a query shares with its key would give the key away (§3.3).
    let encoder = SmallConvNetConfig::new().with_norm(Norm::Split { splits: 8 }).init(device)?;
    let network = ProjectionConfig::new(HeadVersion::V2).with_dim(DIM).init(encoder, device)?;
    // Burn draws a weight when it is first read. Read all of them now, before the generator is seeded again.
    Ok(initialized(network))
}
