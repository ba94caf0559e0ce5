//! Mean Teacher (arXiv 1703.01780): 100 labels and 9,900 images without one, beside the same training on the labels alone.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example mean_teacher           # 10 epochs, seed 0
//! cargo run --release -p slowburn-examples --example mean_teacher -- 20 1   # 20 epochs, seed 1
//! ```
//!
//! Runs are written to `runs/mean_teacher-SEED`. The same command resumes one that was stopped.

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_augment::presets;
use slowburn_ema::{Decay, EmaConfig, Length, RampShape, Schedule};
use slowburn_examples::FASHION_MNIST;
use slowburn_models::weights::save_safetensors;
use slowburn_models::{Classifier, ClassifierConfig, SmallConvNet, SmallConvNetConfig};
use slowburn_semi::{MeanTeacherConfig, Mix, Objective, SemiSupervised, SupervisedConfig, Teacher};
use slowburn_train::data::Dataset;
use slowburn_train::run::metadata;
use slowburn_train::task::FewLabelsTask;
use slowburn_train::trainer::{initialized, mix};
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Trained, Trainer};

/// Training images that keep their label, the same number of each class.
const LABELS: usize = 100;

/// The encoder is any network that makes features of images; see `own_network`.
type Network = Classifier<SmallConvNet>;

fn main() -> Result<()> {
    // Warnings and progress go to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let usage = "usage: mean_teacher [EPOCHS [SEED]]";
    let mut arguments = std::env::args().skip(1);
    let epochs: f64 = arguments.next().map_or(Ok(10.0), |epochs| epochs.parse()).context(usage)?;
    let seed: u64 = arguments.next().map_or(Ok(0), |seed| seed.parse()).context(usage)?;

    let data = Dataset::load(FASHION_MNIST)?;
    let run = Run { data: &data, epochs, seed };
    let device = Device::flex().autodiff(); // learning needs autodiff; another backend is another device

    // The baseline: the same network, labels, views, batches and steps, without a teacher.
    let student = network(data.classes.len(), seed, &device)?;
    let supervised = run.train("supervised", SupervisedConfig::default().init(student, &device)?)?;

    // The student minimises the class cost of the labelled images plus 10 times the squared distance between its
    // predictions and the teacher's on all images. The teacher is an average of the student's weights. So that it forgets
    // the random start soon, the decay at step t is 1 − 1/(t + 1) until that exceeds 0.99.
    let objective = Objective { weight: 10.0, ..Objective::default() };
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.99 });
    let student = network(data.classes.len(), seed, &device)?;
    let taught = run.train("mean-teacher", MeanTeacherConfig { objective, average }.init(student, &device)?)?;

    // The teacher is what one keeps: under PyTorch's names, for any program that reads safetensors, with what such a program has
    // to know of images and classes.
    let file = taught.folder.file("teacher.safetensors");
    let about = metadata(&presets::fashion(), data.image_size(), &data.classes);
    save_safetensors(taught.method.teacher.module(), &file, &about)?;

    let baseline = supervised.history.metrics.last().context("a run has an epoch")?;
    let ours = taught.history.metrics.last().context("a run has an epoch")?;
    println!("test accuracy, {} images, {LABELS} labels, seed {seed}", data.test.len());
    for (name, accuracy) in [
        ("labels alone", baseline.student_accuracy),
        ("student", ours.student_accuracy),
        ("teacher", ours.teacher_accuracy),
    ] {
        println!("  {name:<14} {:6.2} %", 100.0 * accuracy.context("there are test images")?);
    }
    println!("{}", file.display());
    Ok(())
}

/// The network with random weights, the same at every call.
fn network(classes: usize, seed: u64, device: &Device) -> Result<Network> {
    // Any seed will do. The program `slowburn` uses this one, so both give the same numbers.
    device.seed(mix(seed, u64::MAX));
    let encoder = SmallConvNetConfig::new().init(device)?;
    // In training, 16 images of a batch at a time share batch statistics. Labelled ones come first and are 16, so that the
    // class cost sees the same statistics with and without a teacher. With one set of statistics for the whole batch, Mean
    // Teacher ends below the baseline here (docs/experiments.md).
    let network = ClassifierConfig::new(classes).with_group(Some(16)).init(encoder, device)?;
    // Burn draws a weight when it is first read. Read all of them now, before the generator is seeded again.
    Ok(initialized(network))
}

/// What both trainings have in common.
struct Run<'a> {
    data: &'a Dataset,
    epochs: f64,
    seed: u64,
}

impl Run<'_> {
    /// Trains in a folder of its own. The methods differ only in their teacher `T`.
    fn train<T: Teacher<Network>>(
        &self,
        name: &str,
        method: SemiSupervised<Network, T>,
    ) -> Result<Trained<FewLabelsTask<Network, T>>> {
        let &Self { data, epochs, seed } = self;
        // The others are images without a label.
        let images = Labeled::from_train(data)?.keep_balanced(LABELS, seed)?;
        let test = Labeled::from_test(data)?;

        // Student and teacher see an image differently: moved by up to two pixels, mirrored or not. The consistency weight
        // rises over the first 0.6 of the training, because an untrained teacher teaches nothing.
        let task = FewLabels::new(method, images, presets::fashion())
            .with_ramp_up(RampShape::SigmoidUp(Length::Share(0.6)))
            .with_mix(Mix::Fixed { labeled: 16 })
            .with_test(test); // evaluated after each epoch, never used to choose anything

        // The learning rate falls as half a cosine that is cut off before it reaches 0.
        let fall = RampShape::CosineDown(Length::Share(1.1));
        let schedule = Schedule { ramp_down: fall, ..Schedule::constant(0.003) };
        Ok(Trainer::new(format!("runs/mean_teacher-{seed}/{name}"))
            .epochs(epochs) // passes over the images without a label
            .batch(64)
            .seed(seed) // of batches, views and the choice of labels
            .optimizer(OptimizerConfig::adam(0.003).with_schedule(schedule))
            .fit(task)?)
    }
}
