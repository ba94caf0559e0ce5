//! A short residual network for small images.

#[cfg(feature = "whitening")]
use burn::tensor::s;
use burn::{
    config::Config,
    module::Module,
    nn::pool::{MaxPool2d, MaxPool2dConfig},
    tensor::{Device, Tensor},
};
use slowburn_layers::{Activation, Conv2d, Maps, global_average_pool, in_pool, max_pool};

#[cfg(feature = "whitening")]
use crate::layers::whitening_filters;
use crate::{
    Encoder, ModelError,
    encoder::{assert_images, maps},
    error::{at_least_one, new_value_weight},
    layers::{Norm, SplitBatchNorm, convolution},
    resnet::{BlockKind, BlockShape, ResidualBlock},
};

/// Configures a [`ResNet9`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `in_channels` | 3 | channels of the images | ≥ 1 |
/// | `width` | 64 | channels of the first convolution; doubled at each of three resolutions | ≥ 1 |
/// | `norm` | `Plain` | over which samples batch statistics are taken | |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct ResNet9Config {
    /// The number of channels of the images.
    #[config(default = 3)]
    pub in_channels: usize,
    /// The number of channels of the first convolution.
    #[config(default = 64)]
    pub width: usize,
    /// Over which samples of a batch the batch statistics are taken.
    #[config(default = "Norm::Plain")]
    pub norm: Norm,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Eight convolutions, four of them in two residual blocks; with a linear head nine layers that learn. It is the shape by which
/// CIFAR-10 was first trained in seconds (D. Page, *How to train your ResNet*, part 4, myrtle.ai, 2018).
///
/// | Layer | With a width of 64, images 3×32×32 | Multiply-adds |
/// |---|---|---|
/// | `conv1` | 3×3: 64×32×32 | 1.8 million |
/// | `layer1` | 3×3, maximum of 2×2: 128×16×16 | 75.5 million |
/// | `block1` | residual, two of 3×3 | 75.5 million |
/// | `layer2` | 3×3, maximum of 2×2: 256×8×8 | 75.5 million |
/// | `layer3` | 3×3, maximum of 2×2: 512×4×4 | 75.5 million |
/// | `block2` | residual, two of 3×3 | 75.5 million |
/// | pooling | mean over 4×4: 512 | |
///
/// Every convolution has batch normalisation and a rectifier. Half the width is a quarter of the 379 million multiply-adds and
/// of the 6.57 million learnable parameters. Any image of at least 8×8 pixels will do.
///
/// Ours differs in three points: the maximum is taken before the normalisation, which then sees a quarter of the values; blocks are
/// those of [`ResNet`](crate::ResNet), with the rectifier behind the sum; and the last pooling is a mean.
///
/// With the feature `whitening`, `init_from_batch` makes the first convolution whiten patches.
///
/// Should be created with [`ResNet9Config`].
#[derive(Module, Debug)]
pub struct ResNet9 {
    /// 3×3.
    pub conv1: Conv2d,
    /// Normalises the first convolution.
    pub bn1: SplitBatchNorm,
    /// To half the resolution.
    pub layer1: PooledUnit,
    /// Two convolutions there.
    pub block1: ResidualBlock,
    /// To a quarter.
    pub layer2: PooledUnit,
    /// To an eighth.
    pub layer3: PooledUnit,
    /// Two convolutions there.
    pub block2: ResidualBlock,
    /// The number of channels of the images.
    pub in_channels: usize,
    /// The length of a feature vector.
    pub feature_dim: usize,
}

/// Convolution, maximum, normalisation, rectifier.
#[derive(Module, Debug)]
pub struct PooledUnit {
    /// 3×3.
    pub conv: Conv2d,
    /// The maximum over 2×2.
    pub pool: MaxPool2d,
    /// Normalises the maxima.
    pub bn: SplitBatchNorm,
}

impl ResNet9Config {
    /// The shortest side of images that the network takes, in pixels: three times the resolution is halved.
    pub const SMALLEST_SIDE: usize = 8;

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("in_channels", self.in_channels)?;
        at_least_one("width", self.width)?;
        self.norm.validate()?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the network, initialised as [`ResNet`](crate::ResNet).
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<ResNet9, ModelError> {
        self.validate()?;
        let [w1, w2, w3, w4] = [1, 2, 4, 8].map(|times| times * self.width);
        let norm = |channels| self.norm.init(channels, self.momentum, device);
        let pooled = |channels: [usize; 2]| -> Result<PooledUnit, ModelError> {
            Ok(PooledUnit {
                conv: convolution(channels, 3, 1, 1, device),
                pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
                bn: norm(channels[1])?,
            })
        };
        let block = |channels| {
            let shape = BlockShape { kind: BlockKind::Basic, channels_in: channels, inner: channels, stride: 1 };
            ResidualBlock::new(shape, self.norm, self.momentum, device)
        };
        Ok(ResNet9 {
            conv1: convolution([self.in_channels, w1], 3, 1, 1, device),
            bn1: norm(w1)?,
            layer1: pooled([w1, w2])?,
            block1: block(w2)?,
            layer2: pooled([w2, w3])?,
            layer3: pooled([w3, w4])?,
            block2: block(w4)?,
            in_channels: self.in_channels,
            feature_dim: w4,
        })
    }
}

impl PooledUnit {
    /// Convolves, takes maxima, normalises and rectifies.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, ⌊H/2⌋, ⌊W/2⌋]`
    pub fn forward_maps(&self, input: Maps) -> Maps {
        self.bn.forward_maps(max_pool(self.conv.forward_maps(input), &self.pool), Activation::Relu)
    }
}

impl Encoder for ResNet9 {
    /// # Panics
    ///
    /// If the images have another number of channels than configured or fewer than 8 pixels a side or, in training, if the
    /// splits of [`Norm::Split`] do not divide the batch.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encode(images, None)
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        self.encode(images, Some(group))
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn splits(&self) -> usize {
        self.bn1.splits
    }
}

impl ResNet9 {
    /// Makes the first convolution [whiten](whitening_filters) the 3×3 patches of a batch: half of its filters are the first
    /// components, the other half their opposites, so that the rectifier behind them loses neither. Filters beyond the
    /// 2·9·C that there are keep their weights, as does the only one of a width of 1. They are learned like all others.
    ///
    /// Call it before training and before the teacher is cloned.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`, a typical batch
    ///
    /// # Errors
    ///
    /// [`ModelError::NotFinite`] if a pixel is not finite; [`ModelError::OutOfRange`] if there are no images.
    ///
    /// # Panics
    ///
    /// As [`features`](Encoder::features).
    #[cfg(feature = "whitening")]
    pub fn init_from_batch(mut self, images: Tensor<4>) -> Result<Self, ModelError> {
        assert_images(&images, self.in_channels, ResNet9Config::SMALLEST_SIDE);
        let [width, ..] = self.conv1.weight.dims();
        let filters = whitening_filters(images, 3)?;
        let half = filters.dims()[0].min(width / 2);
        if half == 0 {
            return Ok(self);
        }
        let weight = self.conv1.weight.clone();
        let filters: Tensor<4> = Tensor::from_data(filters.narrow(0, 0, half).into_data(), &weight.lazy_device());
        let (id, own) = (weight.id, weight.val().detach());
        let whitened = own.slice_assign(s![..half], filters.clone()).slice_assign(s![half..2 * half], filters.neg());
        self.conv1.weight = weight.transform_for_load(whitened.detach(), id);
        Ok(self)
    }

    fn encode(&self, images: Tensor<4>, group: Option<usize>) -> Tensor<2> {
        assert_images(&images, self.in_channels, ResNet9Config::SMALLEST_SIDE);

        in_pool(&images.device(), || {
            let x = self.bn1.forward_maps(self.conv1.forward_maps(maps(images, group)), Activation::Relu);
            let x = self.block1.forward_maps(self.layer1.forward_maps(x));
            let x = self.layer3.forward_maps(self.layer2.forward_maps(x));
            global_average_pool(self.block2.forward_maps(x)) // [N, 8·width]
        })
    }
}
