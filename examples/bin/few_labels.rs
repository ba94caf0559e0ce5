//! Mean Teacher on a folder of photos of any size, some of which a file gives a label, with a network of one's own.
//!
//! `cargo run --release --example few_labels -- PHOTOS LABELS RUN` goes on where it was stopped. A line of LABELS is `filename
//! label`; a file that ends with `.csv` has a header with the columns `filename` and `label`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Decoder, ImageFolder};
use slowburn_augment::presets;
use slowburn_ema::{Decay, EmaConfig};
use slowburn_models::{ClassifierConfig, Encoder};
use slowburn_semi::MeanTeacherConfig;
use slowburn_train::run::save_safetensors;
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Trainer};

/// Three convolutions with batch normalisation, each of which halves the image; a feature is the mean of a map.
#[derive(Module, Debug)]
struct Mine {
    convolutions: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    relu: Relu,
}

impl Mine {
    fn new(device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]).with_padding(padding).init(device)
        };
        Self {
            convolutions: [[3, 32], [32, 64], [64, 128]].map(conv).into(),
            norms: [32, 64, 128].map(|channels| BatchNormConfig::new(channels).init(device)).into(),
            relu: Relu::new(),
        }
    }
}

impl Encoder for Mine {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let layers = self.convolutions.iter().zip(&self.norms);
        let maps = layers.fold(images, |maps, (conv, norm)| self.relu.forward(norm.forward(conv.forward(maps))));
        maps.mean_dims(&[2, 3]).flatten(1, 3) // [N, 128]
    }

    fn feature_dim(&self) -> usize {
        128
    }
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(labels), Some(run)) = (arguments.next(), arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: few_labels PHOTOS LABELS RUN");
    };
    let device = Device::flex().autodiff();
    device.seed(0);

    let photos = Labeled::from_file(ImageFolder::flat(folder)?.with_decoder(Decoder::rgb()), labels)?;
    let network = ClassifierConfig::new(photos.classes().len()).init(Mine::new(&device), &device)?;
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.99 });
    let teacher = MeanTeacherConfig { average, ..MeanTeacherConfig::default() };
    let task = FewLabels::new(teacher.init(network, &device)?, photos, presets::mean_teacher_imagenet(64));
    let trained = Trainer::new(&run).optimizer(OptimizerConfig::adam(3e-3)).fit(task.with_validation(0.2))?;

    let file = trained.folder.file("teacher.safetensors");
    save_safetensors(trained.best()?.teacher.module(), &file)?;
    println!("{}: {:?}", file.display(), trained.history.best);
    Ok(())
}
