//! A convolution by its definition and by fewer multiplications, over channels, side and batch.

use burn::tensor::Device;
use slowburn_benches::work::Run;
use slowburn_benches::work::kernels::{Direction, Kernel};
use slowburn_layers::kernel::{Arithmetic, ConvShape};

use super::series::{Way, Words};

/// What grows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Over {
    /// Channels, in and out.
    Channels,
    /// The side of the maps, in pixels.
    Side,
    /// Images of the batch.
    Batch,
}

/// What does not grow.
const CHANNELS: usize = 128;
const SIDE: usize = 16;
const IMAGES: usize = 16;

impl Over {
    pub(super) fn words(self) -> Words {
        let (name, size, fixed) = match self {
            Self::Channels => ("convolution over channels", "channels", format!("{SIDE}×{SIDE}, batch {IMAGES}")),
            Self::Side => ("convolution over side", "side", format!("{CHANNELS} channels, batch {IMAGES}")),
            Self::Batch => ("convolution over batch", "batch", format!("{CHANNELS} channels, {SIDE}×{SIDE}")),
        };
        Words { name, size, params: format!("3×3, {fixed}; output and both gradients") }
    }

    pub(super) fn sizes(self, quick: bool) -> &'static [usize] {
        match (self, quick) {
            (Self::Channels, false) => &[16, 32, 64, 128, 256, 512],
            (Self::Side, false) => &[4, 7, 8, 14, 16, 28, 32, 56],
            (Self::Batch, false) => &[1, 2, 4, 8, 16, 32, 64],
            (Self::Channels, true) => &[16, 32],
            (Self::Side, true) => &[4, 7],
            (Self::Batch, true) => &[1, 2],
        }
    }

    /// Direct everywhere, and by Winograd's transforms where the kernels take those.
    pub(super) fn ways(self, size: usize, device: &Device) -> [Way; 2] {
        let [channels, side, images] = match self {
            Self::Channels => [size, SIDE, IMAGES],
            Self::Side => [CHANNELS, size, IMAGES],
            Self::Batch => [CHANNELS, SIDE, size],
        };
        let shape = ConvShape {
            images,
            input: [side; 2],
            channels: [channels; 2],
            kernel: [3; 2],
            stride: [1; 2],
            padding: [[1; 2]; 2],
        };
        [("direct", Arithmetic::Exact), ("Winograd", Arithmetic::Fast)]
            .map(|(way, arithmetic)| (Some(way), all_directions(shape, arithmetic, device)))
    }
}

fn all_directions(shape: ConvShape, arithmetic: Arithmetic, device: &Device) -> Run {
    let mut runs = Direction::ALL.map(|direction| Kernel::Convolution(shape, direction).run(arithmetic, device));
    Box::new(move || {
        for run in &mut runs {
            run()?;
        }
        Ok(1)
    })
}
