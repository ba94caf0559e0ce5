//! No labels, then 100, in one program: an encoder learns from 10,000 images end to end (SimCLR's form, arXiv 2002.05709), and
//! FixMatch (arXiv 2001.07685) goes on from it, beside FixMatch from random weights.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example pretrain_then_fixmatch           # 20 epochs without labels, 10 with, seed 0
//! cargo run --release -p slowburn-examples --example pretrain_then_fixmatch -- 40 1   # 40 and 20, seed 1
//! ```
//!
//! Runs are written to `runs/pretrain_then_fixmatch-SEED`. The same command resumes one that was stopped.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_augment::presets;
use slowburn_contrastive::{EndToEndConfig, InfoNce};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_examples::FASHION_MNIST;
use slowburn_models::weights::{LoadOptions, WeightsFile, load, save_safetensors};
use slowburn_models::{
    Classifier, ClassifierConfig, HeadVersion, Norm, ProjectionConfig, SmallConvNet, SmallConvNetConfig,
};
use slowburn_semi::{LabelSource, Mix, PseudoLabelConfig, Selection};
use slowburn_train::data::Dataset;
use slowburn_train::run::metadata;
use slowburn_train::trainer::{initialized, mix};
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Pretrain, Trainer};

/// Training images that keep their label, the same number of each class.
const LABELS: usize = 100;

fn main() -> Result<()> {
    // Warnings and progress go to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let usage = "usage: pretrain_then_fixmatch [EPOCHS [SEED]]";
    let mut arguments = std::env::args().skip(1);
    let epochs: f64 = arguments.next().map_or(Ok(20.0), |epochs| epochs.parse()).context(usage)?;
    let seed: u64 = arguments.next().map_or(Ok(0), |seed| seed.parse()).context(usage)?;

    let run = Run { data: &Dataset::load(FASHION_MNIST)?, epochs, seed };
    let device = Device::flex().autodiff(); // learning needs autodiff; another backend is another device
    let encoder = run.pretrain(&device)?;
    println!("test accuracy, {} images, {LABELS} labels, seed {seed}", run.data.test.len());
    for (name, start) in [("random weights", None), ("pre-trained", Some(encoder.as_path()))] {
        println!("  {name:<14} {:6.2} %", 100.0 * run.train(start, &device)?);
    }
    Ok(())
}

/// What both parts have in common.
struct Run<'a> {
    data: &'a Dataset,
    epochs: f64,
    seed: u64,
}

impl Run<'_> {
    fn folder(&self, part: &str) -> PathBuf {
        format!("runs/pretrain_then_fixmatch-{}/{part}", self.seed).into()
    }

    /// Trains an encoder without labels; the file with its weights.
    fn pretrain(&self, device: &Device) -> Result<PathBuf> {
        device.seed(mix(self.seed, u64::MAX));
        // Each eighth of a batch has batch statistics of its own: see `moco`.
        let encoder = SmallConvNetConfig::new().with_norm(Norm::Split { splits: 8 }).init(device)?;
        let network = ProjectionConfig::new(HeadVersion::V2).with_dim(64).init(encoder, device)?;
        // A view of an image is told from the 254 other views of its batch.
        let config = EndToEndConfig { loss: InfoNce::new(0.1), seed: self.seed, ..EndToEndConfig::default() };
        let method = config.init(initialized(network), device)?;

        let views = presets::in_batch_fashion(28);
        let trained = Trainer::new(self.folder("pretrain"))
            .epochs(self.epochs)
            .batch(128)
            .seed(self.seed)
            .optimizer(OptimizerConfig::sgd(0.15).with_weight_decay(5e-4)) // falls as half a cosine
            .fit(Pretrain::new(method, self.data.train.images.clone(), views.clone()))?;
        let file = trained.folder.file("encoder.safetensors");
        save_safetensors(&trained.method.query.encoder, &file, &metadata(&views, self.data.image_size(), &[]))?;
        Ok(file)
    }

    /// Trains with few labels; the test accuracy of the average.
    fn train(&self, start: Option<&Path>, device: &Device) -> Result<f64> {
        let &Self { data, seed, epochs } = self;
        let images = Labeled::from_train(data)?.keep_balanced(LABELS, seed)?;
        let test = Labeled::from_test(data)?;

        // What the average is sure of on a weak view is the target of the student's strong view.
        let config = PseudoLabelConfig {
            source: LabelSource::Average,
            selection: Selection::Fixed { threshold: 0.8 }, // the paper's 0.95 is for longer trainings
            average: EmaConfig::new(Decay::WarmUp { decay: 0.99 }),
            ..PseudoLabelConfig::fix_match()
        };
        let method = config.init(self.network(start, device)?, data.train.len(), data.classes.len(), device)?;

        // Both presets normalise as `in_batch_fashion` does: an encoder needs images as it knows them.
        let presets::Pair { weak, strong } = presets::fixmatch_fashion();
        let task = FewLabels::new(method, images, weak)
            .with_strong_views(strong)
            .with_mix(Mix::Fixed { labeled: 8 })
            .with_labeled_in_unlabeled(true)
            .with_test(test); // evaluated after each epoch, never used to choose anything
        let part = if start.is_some() { "fixmatch-pretrained" } else { "fixmatch-scratch" };
        let trained = Trainer::new(self.folder(part))
            .epochs(epochs / 2.0)
            .batch(64)
            .seed(seed)
            .optimizer(OptimizerConfig::sgd(0.1).with_weight_decay(5e-4))
            .fit(task)?;
        let last = trained.history.metrics.last().context("a run has an epoch")?;
        last.teacher_accuracy.context("there are test images")
    }

    /// The network with random weights, the same at every call; with the encoder of a file, if there is one.
    fn network(&self, encoder: Option<&Path>, device: &Device) -> Result<Classifier<SmallConvNet>> {
        device.seed(mix(self.seed, u64::MAX));
        // Groups of 16 keep statistics of weak and of strong views apart: `mean_teacher` explains them.
        let random = SmallConvNetConfig::new().init(device)?;
        let network = ClassifierConfig::new(self.data.classes.len()).with_group(Some(16)).init(random, device)?;
        let network = initialized(network);
        let Some(file) = encoder else { return Ok(network) };
        let (encoder, _) = load(network.encoder, &WeightsFile::open(file)?, &LoadOptions::default())?;
        Ok(Classifier { encoder, ..network })
    }
}
