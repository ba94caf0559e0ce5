//! Photos of one's own: MoCo v2 on a folder of them, and Mean Teacher with a file that gives some of them a label.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example own_photos -- PHOTOS             # without labels
//! cargo run --release -p slowburn-examples --example own_photos -- PHOTOS LABELS.csv  # and then with them
//! ```
//!
//! Photos are JPEG and PNG files of any size, in any folders below PHOTOS. LABELS has a line `photo label` for each labelled
//! photo; a file that ends with `.csv` has a header with the columns `filename` and `label`. Runs are written to
//! `runs/own_photos`. The same command resumes one that was stopped.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::module::Module as _;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Decoder, ImageFolder, OnCorrupt, Source};
use slowburn_augment::{ImageSize, presets};
use slowburn_contrastive::{Contrastive, MocoConfig};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_models::weights::save_safetensors;
use slowburn_models::{
    Classifier, ClassifierConfig, HeadVersion, Norm, ProjectionConfig, SmallConvNet, SmallConvNetConfig,
    load_state_dict, state_dict,
};
use slowburn_semi::MeanTeacherConfig;
use slowburn_train::defaults::{self, FewLabelsDefaults, PretrainDefaults};
use slowburn_train::monitor::ImageSet;
use slowburn_train::run::metadata;
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Pretrain, Trainer, embed};

/// The side of the views in pixels: more shows more of a photo, and takes longer.
const SIDE: u32 = 64;

fn main() -> Result<()> {
    // Warnings, of photos that are left out for one, and progress go to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("usage: own_photos PHOTOS [LABELS]")?;
    let labels = arguments.next();
    let device = Device::flex().autodiff();

    // Files are read when they are needed. Grey photos get three channels, like the others.
    let photos = ImageFolder::flat(folder)?.with_decoder(Decoder::rgb());
    let encoder = pretrain(&photos, &device)?;
    if let Some(labels) = labels {
        few_labels(Labeled::from_file(photos, labels)?, encoder, &device)?;
    }
    Ok(())
}

/// A small network for a CPU. On a GPU, `ResNetConfig::resnet18()` learns more.
fn small(norm: Norm, device: &Device) -> Result<SmallConvNet> {
    Ok(SmallConvNetConfig::new().with_in_channels(3).with_norm(norm).init(device)?)
}

/// Learns from the photos alone, and writes their features: photos that look alike are near each other.
fn pretrain(photos: &ImageFolder, device: &Device) -> Result<SmallConvNet> {
    device.seed(0); // the weights at the start
    // Batch, queue and length for so many photos.
    let PretrainDefaults { batch, splits, queue, epochs, .. } = defaults::pretrain(photos.len(), 0);
    let network = ProjectionConfig::new(HeadVersion::V2).init(small(Norm::Split { splits }, device)?, device)?;
    // The paper's decay of 0.999 is for trainings a hundred times as long.
    let config = MocoConfig { queue, decay: Decay::Constant { decay: 0.99 }, ..MocoConfig::v2() };
    let views = presets::moco_v2(SIDE);
    let task = Pretrain::new(config.init(network, device)?, photos.clone(), views.clone());
    // Broken files are left out and counted; otherwise one would stop the run.
    let task = task.with_on_corrupt(OnCorrupt::Skip);
    let trained = Trainer::new("runs/own_photos/moco")
        .epochs(epochs)
        .batch(batch)
        .optimizer(OptimizerConfig::sgd(0.03).with_weight_decay(1e-4))
        .fit(task)?;

    let file = trained.folder.file("features.safetensors"); // `features`, and in the metadata `names`
    let left_out = embed(trained.method.query(), photos.clone(), &views, OnCorrupt::Skip, &file)?;
    println!("{}: features of {} photos, {} left out", file.display(), photos.len() - left_out.len(), left_out.len());
    Ok(trained.method.query.encoder)
}

/// Learns from the labels and from all photos, and predicts the class of each.
fn few_labels(photos: Labeled, encoder: SmallConvNet, device: &Device) -> Result<()> {
    let (source, classes) = (Arc::clone(photos.source()), photos.classes().to_vec());
    device.seed(0); // the head's weights at the start
    // The pre-trained weights, with batch statistics of whole batches.
    let encoder = load_state_dict(small(Norm::Plain, device)?, &state_dict(&encoder))?;
    let student = ClassifierConfig::new(classes.len()).init(encoder, device)?;
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.99 });
    let method = MeanTeacherConfig { average, ..MeanTeacherConfig::default() }.init(student, device)?;

    let views = presets::mean_teacher_imagenet(SIDE);
    let FewLabelsDefaults { batch, epochs, .. } = defaults::few_labels(source.len());
    let task = FewLabels::new(method, photos, views.clone())
        .with_validation(0.2) // holds a fifth of the labels back, to choose the best epoch by
        .with_on_corrupt(OnCorrupt::Skip);
    let trained = Trainer::new("runs/own_photos/mean-teacher")
        .epochs(epochs)
        .batch(batch)
        .optimizer(OptimizerConfig::adam(0.003))
        .fit(task)?;

    let best = trained.best()?.teacher.export();
    let size = ImageSize { height: SIDE as usize, width: SIDE as usize, channels: 3 };
    save_safetensors(&best, trained.folder.file("teacher.safetensors"), &metadata(&views, size, &classes))?;
    let epoch = trained.history.best.context("labels were held back")?;
    println!("epoch {} is the best, with {:.1} % of the labels that were held back", epoch.epoch, 100.0 * epoch.score);

    let file = trained.folder.file("predictions.jsonl");
    let all = (0..source.len()).map(|photo| (photo, 0)).collect(); // a place for the class, which is not known
    let set = ImageSet::with_on_corrupt(Arc::clone(&source), all, &views, OnCorrupt::Skip)?;
    let network = best.valid(); // in evaluation mode, off autodiff
    let mut lines = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for batch in set.batches(&device.clone().without_autodiff())? {
        let batch = batch?;
        for (photo, probabilities) in batch.samples.iter().zip(predict(&network, batch.images)) {
            let (class, probability) =
                probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).context("classes")?;
            let line = serde_json::json!({
                "photo": source.id(*photo), "class": classes[class], "probability": probability,
            });
            writeln!(lines, "{line}")?;
        }
    }
    lines.flush()?;
    println!("{}", file.display());
    Ok(())
}

/// The probabilities of the classes for each image.
fn predict(network: &Classifier<SmallConvNet>, images: Tensor<4>) -> Vec<Vec<f32>> {
    let probabilities = softmax(network.forward(images), 1); // [N, classes]
    let [_, classes] = probabilities.dims();
    let values: Vec<f32> = probabilities.into_data().iter().collect();
    values.chunks(classes).map(<[f32]>::to_vec).collect()
}
