//! MoCo v2 on a folder of photos of any size, without labels, with a network of one's own.
//!
//! `cargo run --release --example pretrain_photos -- PHOTOS RUN` goes on where it was stopped, and writes the features of every
//! photo to `RUN/features.safetensors`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Decoder, ImageFolder, OnCorrupt, Source};
use slowburn_augment::presets;
use slowburn_contrastive::{Contrastive, MocoConfig};
use slowburn_models::{Encoder, HeadVersion, ProjectionConfig};
use slowburn_train::defaults::{self, PretrainDefaults};
use slowburn_train::{OptimizerConfig, Pretrain, Trainer, embed};

/// Three convolutions, each of which halves the image; a feature is the mean of a map.
#[derive(Module, Debug)]
struct Mine {
    first: Conv2d,
    second: Conv2d,
    third: Conv2d,
    relu: Relu,
}

impl Mine {
    fn new(device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]).with_padding(padding).init(device)
        };
        Self { first: conv([3, 32]), second: conv([32, 64]), third: conv([64, 128]), relu: Relu::new() }
    }
}

impl Encoder for Mine {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.relu.forward(self.first.forward(images));
        let maps = self.relu.forward(self.second.forward(maps));
        let maps = self.relu.forward(self.third.forward(maps)); // [N, 128, H/8, W/8]
        maps.mean_dims(&[2, 3]).flatten(1, 3)
    }

    fn feature_dim(&self) -> usize {
        128
    }
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(run)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: pretrain_photos PHOTOS RUN");
    };
    let device = Device::flex().autodiff();
    device.seed(0);

    let photos = ImageFolder::flat(folder)?.with_decoder(Decoder::rgb());
    let PretrainDefaults { batch, queue, epochs, .. } = defaults::pretrain(photos.len(), 0);
    let network = ProjectionConfig::new(HeadVersion::V2).init(Mine::new(&device), &device)?;
    let moco = MocoConfig { queue, shuffle: false, ..MocoConfig::v2() }.init(network, &device)?;

    let views = presets::moco_v2(64);
    let task = Pretrain::new(moco, photos.clone(), views.clone()).with_on_corrupt(OnCorrupt::Skip);
    let trained = Trainer::new(&run)
        .epochs(epochs)
        .batch(batch)
        .optimizer(OptimizerConfig::sgd(0.03).with_weight_decay(1e-4))
        .fit(task)?;

    let file = trained.folder.file("features.safetensors");
    embed(trained.method.query(), photos, &views, OnCorrupt::Skip, &file)?;
    println!("{}", file.display());
    Ok(())
}
