//! Convolution with normalised weights.

use burn::{
    config::Config,
    module::{Module, Param},
    nn::Initializer,
    tensor::{Device, Tensor, assert_shape, module::conv2d, ops::ConvOptions},
};

use crate::{
    LayerError, Maps,
    convolve::convolve,
    error::at_least_one,
    path::{is_fast, is_recorded},
};

/// Configures a [`WeightNormConv2d`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `channels` | required | channels in, channels out | ≥ 1 |
/// | `kernel_size` | required | side of the square kernel, in pixels | ≥ 1 |
/// | `padding` | 0 | zeros on each side, in pixels | |
#[derive(Config, Debug, PartialEq)]
pub struct WeightNormConv2dConfig {
    /// The number of channels of the input and of the output.
    pub channels: [usize; 2],
    /// The side of the square kernel, in pixels.
    pub kernel_size: usize,
    /// The zeros that are added on each side, in pixels.
    #[config(default = 0)]
    pub padding: usize,
}

/// A convolution whose kernels are given by their length and their direction:
///
/// `w = g · v / ‖v‖`, per output channel,
///
/// with `v` drawn from N(0, 0.05²) and `g` starting at 1. It has no bias, which is left to
/// [`MeanOnlyBatchNorm`](super::MeanOnlyBatchNorm). Salimans & Kingma, *Weight normalization*,
/// arXiv 1602.07868, equation 2.
///
/// Should be created with [`WeightNormConv2dConfig`].
#[derive(Module, Debug)]
pub struct WeightNormConv2d {
    /// The kernels' directions, of any length: `[channels_out, channels_in, k, k]`.
    pub v: Param<Tensor<4>>,
    /// The kernels' lengths: `[channels_out]`.
    pub g: Param<Tensor<1>>,
    /// The zeros that are added on each side, in pixels.
    pub padding: usize,
}

impl WeightNormConv2dConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`LayerError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one("channels[0]", self.channels[0])?;
        at_least_one("channels[1]", self.channels[1])?;
        at_least_one("kernel_size", self.kernel_size)
    }

    /// Creates the layer.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<WeightNormConv2d, LayerError> {
        self.validate()?;
        let [channels_in, channels_out] = self.channels;
        let shape = [channels_out, channels_in, self.kernel_size, self.kernel_size];
        let directions = Initializer::Normal { mean: 0.0, std: 0.05 };
        Ok(WeightNormConv2d {
            v: directions.init(shape, device),
            g: Initializer::Ones.init([channels_out], device),
            padding: self.padding,
        })
    }
}

impl WeightNormConv2d {
    /// The kernels `g · v / ‖v‖`: `[channels_out, channels_in, k, k]`.
    pub fn weight(&self) -> Tensor<4> {
        let v = self.v.val();
        let [channels_out, ..] = v.dims();
        let squares = v.clone().powi_scalar(2);
        let sum = match is_recorded(&v.device()) {
            true => squares.sum_dim(1).sum_dim(2).sum_dim(3),
            false => squares.sum_dims(&[1, 2, 3]),
        };
        let length = sum.sqrt(); // [out, 1, 1, 1]
        v * (self.g.val().reshape([channels_out, 1, 1, 1]) / length)
    }

    /// Convolves with stride 1.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H + 2·padding − k + 1, W + 2·padding − k + 1]`
    ///
    /// # Panics
    ///
    /// If the second axis is not `channels_in`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, channels_in, _, _] = self.v.lazy_shape().dims();
        assert_shape!(input, [_, channels_in, _, _]);
        match is_fast(&input) {
            true => self.forward_maps(Maps::new(input)).into_tensor(),
            false => conv2d(input, self.weight(), None, self.options()),
        }
    }

    /// Convolves maps with stride 1.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H + 2·padding − k + 1, W + 2·padding − k + 1]`
    ///
    /// # Panics
    ///
    /// If the maps have other channels than `channels_in` or the kernel does not fit into the padded maps.
    pub fn forward_maps(&self, input: Maps) -> Maps {
        convolve(input, self.weight(), None, self.options())
    }

    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new([1, 1], [self.padding, self.padding], [1, 1], 1)
    }
}
