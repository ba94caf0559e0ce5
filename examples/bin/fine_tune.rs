//! No labels, then few: the encoder of `moco` under 100 labels, beside random weights, with the labels alone and with Mean
//! Teacher.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example moco              # first: pre-trains, seed 0
//! cargo run --release -p slowburn-examples --example fine_tune         # 10 epochs, seed 0
//! cargo run --release -p slowburn-examples --example fine_tune -- 10 1 # seed 1, from the encoder of `moco -- 20 1`
//! ```
//!
//! Runs are written to `runs/fine_tune-SEED`. The same command resumes one that was stopped.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use slowburn_augment::presets;
use slowburn_ema::{Decay, EmaConfig, Length, RampShape, Schedule};
use slowburn_examples::FASHION_MNIST;
use slowburn_models::weights::{LoadOptions, WeightsFile, load};
use slowburn_models::{Classifier, ClassifierConfig, SmallConvNet, SmallConvNetConfig};
use slowburn_semi::{MeanTeacherConfig, Objective, SemiSupervised, SupervisedConfig, Teacher};
use slowburn_train::data::Dataset;
use slowburn_train::trainer::{initialized, mix};
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Trainer};

/// Training images that keep their label, the same number of each class.
const LABELS: usize = 100;

type Network = Classifier<SmallConvNet>;

fn main() -> Result<()> {
    // Warnings and progress go to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let usage = "usage: fine_tune [EPOCHS [SEED]]";
    let mut arguments = std::env::args().skip(1);
    let epochs: f64 = arguments.next().map_or(Ok(10.0), |epochs| epochs.parse()).context(usage)?;
    let seed: u64 = arguments.next().map_or(Ok(0), |seed| seed.parse()).context(usage)?;
    let encoder = format!("runs/moco-{seed}/encoder.safetensors");
    ensure!(Path::new(&encoder).exists(), "{encoder} is not there: run the example `moco` with this seed first");

    let data = Dataset::load(FASHION_MNIST)?;
    let run = Run { data: &data, epochs, seed };
    let device = Device::flex().autodiff(); // learning needs autodiff; another backend is another device
    let objective = Objective { weight: 10.0, ..Objective::default() };
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.99 });
    let teacher = MeanTeacherConfig { objective, average };

    println!("test accuracy, {} images, {LABELS} labels, seed {seed}", data.test.len());
    println!("  {:<14} {:>14} {:>14} {:>8}", "", "from scratch", "pre-trained", "gain");
    let starts = [("scratch", None), ("pretrained", Some(Path::new(&encoder)))];
    let [mut alone, mut taught] = [[0.0; 2]; 2];
    for (place, (name, start)) in starts.into_iter().enumerate() {
        let method = SupervisedConfig::default().init(network(&data, start, seed, &device)?, &device)?;
        alone[place] = run.train(&format!("{name}-supervised"), method)?;
        let method = teacher.init(network(&data, start, seed, &device)?, &device)?;
        taught[place] = run.train(&format!("{name}-mean-teacher"), method)?;
    }
    for (name, accuracies) in [("labels alone", alone), ("Mean Teacher", taught)] {
        let [scratch, pretrained] = accuracies.map(|accuracy| 100.0 * accuracy);
        println!("  {name:<14} {scratch:>12.2} % {pretrained:>12.2} % {:>+8.2}", pretrained - scratch);
    }
    println!("  {:<14} {:>+12.2} {:>+14.2}", "gain", 100.0 * (taught[0] - alone[0]), 100.0 * (taught[1] - alone[1]));
    Ok(())
}

/// The network with random weights, the same at every call; with the encoder of a file, if there is one.
fn network(data: &Dataset, encoder: Option<&Path>, seed: u64, device: &Device) -> Result<Network> {
    device.seed(mix(seed, u64::MAX));
    // The encoder's weights fit whether its batch statistics are split, as in `moco`, or not, as here. `mean_teacher` explains
    // the groups.
    let random = SmallConvNetConfig::new().init(device)?;
    let network = ClassifierConfig::new(data.classes.len()).with_group(Some(16)).init(random, device)?;
    let network = initialized(network);
    let Some(file) = encoder else { return Ok(network) };
    // Every layer of the encoder stays learnable. The classification head starts at the same random weights either way.
    let (encoder, _) = load(network.encoder, &WeightsFile::open(file)?, &LoadOptions::default())?;
    Ok(Network { encoder, ..network })
}

/// What all trainings have in common.
struct Run<'a> {
    data: &'a Dataset,
    epochs: f64,
    seed: u64,
}

impl Run<'_> {
    /// Trains, and returns the test accuracy of the teacher, or of the student where there is no teacher.
    fn train<T: Teacher<Network>>(&self, name: &str, method: SemiSupervised<Network, T>) -> Result<f64> {
        let &Self { data, epochs, seed } = self;
        let images = Labeled::from_train(data)?.keep_balanced(LABELS, seed)?;
        let test = Labeled::from_test(data)?;

        // A pre-trained encoder needs images normalised as in pre-training: `fashion` and `moco_fashion` do it alike.
        let task = FewLabels::new(method, images, presets::fashion()).with_test(test);
        let fall = RampShape::CosineDown(Length::Share(1.1));
        let schedule = Schedule { ramp_down: fall, ..Schedule::constant(0.003) };
        let trained = Trainer::new(format!("runs/fine_tune-{seed}/{name}"))
            .epochs(epochs)
            .batch(64)
            .seed(seed)
            .optimizer(OptimizerConfig::adam(0.003).with_schedule(schedule))
            .fit(task)?;
        let last = trained.history.metrics.last().context("a run has an epoch")?;
        last.teacher_accuracy.or(last.student_accuracy).context("there are test images")
    }
}
