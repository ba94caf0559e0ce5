//! What a wide residual network is made of.

use burn::{config::Config, tensor::Device};
use slowburn_layers::BatchNormConfig;

use super::{WideBlock, WideResNet};
use crate::{
    ModelError,
    error::{at_least_one, dropout_probability, in_range, negative_slope, new_value_weight, positive},
    layers::convolution,
};

/// What the shortcut sees in the blocks that change the number of channels. Blocks that do not
/// change it have an identity as their shortcut.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum ProjectionInput {
    /// The normalised and rectified input, as the block's first convolution, in every such block.
    /// As in the authors' code and in USB (which has a setting `activate_before_residual`, but
    /// does not read it).
    Activated,
    /// The normalised and rectified input in the first block of the network, the raw input in the
    /// others. As in FixMatch's code and those that follow it.
    ActivatedInFirstBlock,
}

/// Configures a [`WideResNet`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `depth` | required | number of convolutions, shortcuts not counted, and head | 6·n + 4, n ≥ 1 |
/// | `widen_factor` | required | width in multiples of 16 channels | ≥ 1 |
/// | `in_channels` | 3 | channels of the images | ≥ 1 |
/// | `base_width` | 16 | channels of the stem | ≥ 1 |
/// | `dropout` | 0 | probability of zeroing a value, between a block's convolutions | [0, 1) |
/// | `negative_slope` | 0.1 | slope of the rectifiers below 0; the paper has 0 | [0, 1] |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
/// | `epsilon` | 1e-5 | added to the batch's variance | > 0 |
/// | `projection_input` | `Activated` | what projecting shortcuts see | |
#[derive(Config, Debug, PartialEq)]
pub struct WideResNetConfig {
    /// The depth, `6·n + 4` with `n` blocks at each of three resolutions.
    pub depth: usize,
    /// How many times as wide as `base_width` the first blocks are.
    pub widen_factor: usize,
    /// The number of channels of the images.
    #[config(default = 3)]
    pub in_channels: usize,
    /// The number of channels of the stem.
    #[config(default = 16)]
    pub base_width: usize,
    /// The probability with which dropout zeroes a value.
    #[config(default = 0.0)]
    pub dropout: f64,
    /// The slope of the rectifiers below zero.
    #[config(default = 0.1)]
    pub negative_slope: f64,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
    /// What batch normalisation adds to the variance.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// What the shortcut sees in blocks that change the number of channels.
    #[config(default = "ProjectionInput::Activated")]
    pub projection_input: ProjectionInput,
}

impl WideResNetConfig {
    /// WRN-28-2, the network of the semi-supervised benchmarks: 1,467,610 learnable parameters with
    /// a head of 10 classes.
    pub fn wrn_28_2() -> Self {
        Self::new(28, 2)
    }

    /// WRN-28-2 with the batch normalisation of FixMatch, TorchSSL and USB: weight 0.001 of the new
    /// batch, 0.001 added to the variance. (USB's convolutions have biases besides, of which the
    /// following normalisation cancels most; ours have none, as in the paper.)
    ///
    /// With 0.001 running statistics follow over thousands of steps: too slow for a run of
    /// hundreds. Use [`wrn_28_2`](Self::wrn_28_2) for those.
    pub fn wrn_28_2_usb() -> Self {
        Self::wrn_28_2().with_momentum(1e-3).with_epsilon(1e-3)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let depth = self.depth;
        let valid = depth >= 10 && (depth - 4).is_multiple_of(6);
        in_range("depth", depth as f64, valid, "6·n + 4 with n ≥ 1, as 16, 22 or 28")?;
        at_least_one("widen_factor", self.widen_factor)?;
        at_least_one("in_channels", self.in_channels)?;
        at_least_one("base_width", self.base_width)?;
        dropout_probability("dropout", self.dropout)?;
        negative_slope("negative_slope", self.negative_slope)?;
        new_value_weight("momentum", self.momentum)?;
        positive("epsilon", self.epsilon)
    }

    /// Creates the network: convolutions normal with variance 2/fan-out, scales 1, shifts 0.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<WideResNet, ModelError> {
        self.validate()?;
        let mut channels = self.base_width;
        let mut stage = |index| self.stage(index, &mut channels, device);
        let [block1, block2, block3] = [stage(0), stage(1), stage(2)];
        Ok(WideResNet {
            conv1: convolution([self.in_channels, self.base_width], 3, 1, 1, device),
            block1,
            block2,
            block3,
            bn1: self.norm(channels).init(device),
            negative_slope: self.negative_slope,
            in_channels: self.in_channels,
            feature_dim: channels,
        })
    }

    pub(super) fn norm(&self, channels: usize) -> BatchNormConfig {
        BatchNormConfig::new(channels).with_momentum(self.momentum).with_epsilon(self.epsilon)
    }

    /// The blocks at one resolution, `channels` being those of their input and then of their
    /// output.
    fn stage(&self, index: usize, channels: &mut usize, device: &Device) -> Vec<WideBlock> {
        let channels_out = (self.base_width * self.widen_factor) << index;
        (0..(self.depth - 4) / 6)
            .map(|position| {
                let first_of_stage = position == 0;
                let stride = if first_of_stage && index > 0 { 2 } else { 1 };
                let activated = match self.projection_input {
                    ProjectionInput::Activated => true,
                    ProjectionInput::ActivatedInFirstBlock => first_of_stage && index == 0,
                };
                let channels_in = std::mem::replace(channels, channels_out);
                WideBlock::new(self, [channels_in, channels_out], stride, activated, device)
            })
            .collect()
    }
}
