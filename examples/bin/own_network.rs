//! A network of one's own: what it needs to be trained here, first without labels and then with a hundred.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example own_network       # 5 epochs of each
//! cargo run --release -p slowburn-examples --example own_network -- 20
//! ```
//!
//! Runs are written to `runs/own_network`. The same command resumes one that was stopped.
//!
//! To export such a network as ONNX, call `slowburn_models::onnx::export` with its forward pass. burn-onnx 0.22 would refuse two
//! operations of this one, and say which: `Gelu`, for which `Relu` or `slowburn_layers::Activation` can stand, and `mean_dims`, for
//! which `slowburn_layers::global_average_pool` can. `docs/onnx.md` lists what a network may use.

use anyhow::{Context, Result};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Gelu, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use slowburn_augment::presets;
use slowburn_contrastive::MocoConfig;
use slowburn_examples::FASHION_MNIST;
use slowburn_models::{Encoder, HeadVersion, ProjectionConfig};
use slowburn_semi::{Logits, MeanTeacherConfig, Predict};
use slowburn_train::data::Dataset;
use slowburn_train::{FewLabels, Labeled, OptimizerConfig, Pretrain, Trainer};

const WIDTH: usize = 64;

/// Patches of 4×4 pixels, then blocks that mix them, in the manner of ConvMixer (arXiv 2201.09792).
///
/// It is a Burn module: `derive(Module)` finds the weights in its fields. Everything that changes in training must be in a
/// parameter, in one of Burn's layers or in a `slowburn_ema::StateMatrix`, because a checkpoint is the module's record. Dropout and
/// noise must draw from the device's generator, as Burn's layers do: it is seeded before each step.
#[derive(Module, Debug)]
struct Mine {
    patches: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    activation: Gelu,
}

/// Mixes places within a channel, and then channels at a place.
#[derive(Module, Debug)]
struct Block {
    places: Conv2d,
    first: BatchNorm,
    channels: Conv2d,
    second: BatchNorm,
    activation: Gelu,
}

impl Mine {
    fn new(device: &Device) -> Self {
        let norm = || BatchNormConfig::new(WIDTH).init(device);
        let block = |_| Block {
            places: Conv2dConfig::new([WIDTH, WIDTH], [3, 3])
                .with_groups(WIDTH)
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            first: norm(),
            channels: Conv2dConfig::new([WIDTH, WIDTH], [1, 1]).init(device),
            second: norm(),
            activation: Gelu::new(),
        };
        let patches = Conv2dConfig::new([1, WIDTH], [4, 4]).with_stride([4, 4]).init(device);
        Self { patches, norm: norm(), blocks: (0..2).map(block).collect(), activation: Gelu::new() }
    }
}

/// The features of a batch of images. Pre-training needs no more than this, and neither does a `Classifier`.
impl Encoder for Mine {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let patches = self.activation.forward(self.patches.forward(images)); // [N, 64, H/4, W/4]
        let maps = self.blocks.iter().fold(self.norm.forward(patches), |maps, block| {
            let mixed = block.first.forward(block.activation.forward(block.places.forward(maps.clone())));
            let maps = maps + mixed;
            block.second.forward(block.activation.forward(block.channels.forward(maps)))
        });
        maps.mean_dims(&[2, 3]).flatten(1, 3) // [N, 64]
    }

    fn feature_dim(&self) -> usize {
        WIDTH
    }
}

/// The encoder with a classification head of one's own. (`ClassifierConfig` makes one without dropout.)
#[derive(Module, Debug)]
struct WithClasses {
    encoder: Mine,
    dropout: Dropout,
    head: Linear,
}

/// The logits of a batch of images. Mean Teacher and its relatives need no more than this. A network with a second head for the
/// consistency cost fills both fields of `Logits`.
impl Predict for WithClasses {
    type Input = Tensor<4>; // or whatever else the network reads

    fn predict(&self, images: Tensor<4>) -> Logits {
        self.head.forward(self.dropout.forward(self.encoder.features(images))).into()
    }
}

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let epochs = std::env::args().nth(1).map_or(Ok(5.0), |epochs| epochs.parse::<f64>());
    let epochs = epochs.context("usage: own_network [EPOCHS]")?;
    let data = Dataset::load(FASHION_MNIST)?;
    let classes = data.classes.len();
    let device = Device::flex().autodiff();
    device.seed(0); // the weights at the start

    // Without labels. A projection head makes a `Projector` of the encoder, which is an `Encode`. Keys are not shuffled:
    // that helps only with split batch normalisation, `slowburn_models::SplitBatchNorm`.
    let network = ProjectionConfig::new(HeadVersion::V2).init(Mine::new(&device), &device)?;
    let moco = MocoConfig { shuffle: false, ..MocoConfig::cifar() }.init(network, &device)?;
    let task = Pretrain::new(moco, data.train.images.clone(), presets::moco_fashion(28));
    let sgd = OptimizerConfig::sgd(0.06).with_weight_decay(5e-4);
    let pretrained = Trainer::new("runs/own_network/moco").epochs(epochs).batch(128).optimizer(sgd);
    let pretrained = pretrained.fit(task.with_labels(data.train.labels.clone()))?;
    let knn = pretrained.history.metrics.last().and_then(|last| last.knn_accuracy).context("images have labels")?;
    println!("without labels: nearest neighbours are right for {:.2} % of training images", 100.0 * knn);

    // With a hundred labels, from there.
    device.seed(0); // the head's weights, however far the generator is after pre-training
    let encoder = pretrained.method.query.encoder;
    let head = LinearConfig::new(WIDTH, classes).init(&device);
    let student = WithClasses { encoder, dropout: DropoutConfig::new(0.2).init(), head };
    let images = Labeled::from_train(&data)?.keep_balanced(100, 0)?;
    let test = Labeled::from_test(&data)?;
    let task = FewLabels::new(MeanTeacherConfig::default().init(student, &device)?, images, presets::fashion());
    let taught = Trainer::new("runs/own_network/mean-teacher").epochs(epochs).fit(task.with_test(test))?;
    let accuracy = taught.history.metrics.last().and_then(|last| last.teacher_accuracy).context("there is a test")?;
    println!("with 100 labels: the teacher is right for {:.2} % of test images", 100.0 * accuracy);
    Ok(())
}
