//! Burn's convolution, computed by the kernels where they can.

use burn::{
    config::Config,
    module::Initializer,
    nn::PaddingConfig2d,
    tensor::{Device, Tensor, ops::ConvOptions},
};

use crate::{
    Maps,
    convolve::{convolve, is_plain},
    padding::pairs,
    path::is_fast,
    transparent::drop_in,
};

/// Configures a [`Conv2d`]: Burn's configuration of the same name, field by field.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `channels` | required | channels in, channels out |
/// | `kernel_size` | required | height and width of the kernel, in pixels |
/// | `stride` | 1, 1 | pixels from one place of the kernel to the next |
/// | `dilation` | 1, 1 | pixels from one tap of the kernel to the next |
/// | `groups` | 1 | groups of channels that do not see each other |
/// | `padding` | `Valid` | zeros around the maps |
/// | `bias` | `true` | whether there is one |
/// | `initializer` | uniform in ±1/√fan-in | first values |
#[derive(Config, Debug)]
pub struct Conv2dConfig {
    /// The number of channels of the input and of the output.
    pub channels: [usize; 2],
    /// The height and width of the kernel, in pixels.
    pub kernel_size: [usize; 2],
    /// The stride, in pixels.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// The distance of the kernel's taps, in pixels.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// The number of groups of channels.
    #[config(default = 1)]
    pub groups: usize,
    /// The zeros around the maps.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// Whether there is a bias.
    #[config(default = true)]
    pub bias: bool,
    /// The first values of weight and bias.
    #[config(default = "Initializer::KaimingUniform { gain: 1.0 / 3.0_f64.sqrt(), fan_out_only: false }")]
    pub initializer: Initializer,
}

/// A convolution: [`burn::nn::conv::Conv2d`], faster on a CPU.
///
/// As a module it *is* Burn's: names, records, checkpoints and what it prints are the same, and its fields are reached
/// through it. The kernels compute it for one group and dilation 1 (on which devices: [`fast_path`](crate::fast_path)); everything else
/// is left to Burn.
///
/// Should be created with [`Conv2dConfig`], or from Burn's.
#[derive(Debug, Clone)]
pub struct Conv2d {
    inner: burn::nn::conv::Conv2d,
}

drop_in!(Conv2d for burn::nn::conv::Conv2d);

impl Conv2dConfig {
    /// Creates the layer.
    ///
    /// # Panics
    ///
    /// If the groups do not divide both numbers of channels.
    pub fn init(&self, device: &Device) -> Conv2d {
        burn::nn::conv::Conv2dConfig::from(self.clone()).init(device).into()
    }
}

impl Conv2d {
    /// Convolves.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H', W']`, its values in this order in memory
    ///
    /// # Panics
    ///
    /// If the second axis is not the number of channels or the kernel does not fit.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        match is_fast(&input) && is_plain(&self.options([height, width])) {
            true => self.forward_maps(Maps::new(input)).into_tensor(),
            false => self.inner.forward(input),
        }
    }

    /// Convolves maps.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H', W']`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_maps(&self, input: Maps) -> Maps {
        let [_, _, height, width] = input.dims();
        let bias = self.inner.bias.as_ref().map(|bias| bias.val());
        convolve(input, self.inner.weight.val(), bias, self.options([height, width]))
    }

    fn options(&self, size: [usize; 2]) -> ConvOptions<2> {
        let conv = &self.inner;
        let padding = pairs(&conv.padding, size, conv.kernel_size, conv.stride);
        ConvOptions::new_with_padding(conv.stride, padding, conv.dilation, conv.groups)
    }
}

impl From<burn::nn::conv::Conv2dConfig> for Conv2dConfig {
    fn from(config: burn::nn::conv::Conv2dConfig) -> Self {
        let burn::nn::conv::Conv2dConfig {
            channels,
            kernel_size,
            stride,
            dilation,
            groups,
            padding,
            bias,
            initializer,
        } = config;
        Self { channels, kernel_size, stride, dilation, groups, padding, bias, initializer }
    }
}

impl From<Conv2dConfig> for burn::nn::conv::Conv2dConfig {
    fn from(config: Conv2dConfig) -> Self {
        let Conv2dConfig { channels, kernel_size, stride, dilation, groups, padding, bias, initializer } = config;
        Self { channels, kernel_size, stride, dilation, groups, padding, bias, initializer }
    }
}
