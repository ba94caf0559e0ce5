//! The kernels of the layers, one call at a time, on memory that is there already.

mod run;

use slowburn_layers::kernel::norm::NormShape;
use slowburn_layers::kernel::pool::PoolShape;
use slowburn_layers::kernel::{ConvShape, Rectifier};

use super::floor::Floor;

/// What a convolution computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The output.
    Forward,
    /// The gradient to the input.
    ToInput,
    /// The gradient to the weight.
    ToWeight,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::ToInput, Self::ToWeight];
}

/// A normalisation with what is computed in the same pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// Of the maps.
    pub shape: NormShape,
    /// Whether a shortcut is added.
    pub adds: bool,
    /// What comes last.
    pub activation: Rectifier,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// A convolution.
    Convolution(ConvShape, Direction),
    /// Statistics of a batch, and the pass that uses them.
    Normalisation(Fused),
    /// The gradients of [`Kernel::Normalisation`].
    NormalisationBack(Fused),
    /// The maximum over windows.
    MaxPool(PoolShape),
    /// The gradient of [`Kernel::MaxPool`].
    MaxPoolBack(PoolShape),
    /// The mean over all pixels.
    MeanPool(NormShape),
    /// The gradient of [`Kernel::MeanPool`].
    MeanPoolBack(NormShape),
    /// Maps from channels first to channels last; these have no splits.
    ToChannelsLast(NormShape),
    /// The sum of two gradients to the same maps, by Burn: so many numbers.
    Addition(usize),
}

impl Kernel {
    /// What it is.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Convolution(_, Direction::Forward) => "convolution, forward",
            Self::Convolution(_, Direction::ToInput) => "convolution, to input",
            Self::Convolution(_, Direction::ToWeight) => "convolution, to weight",
            Self::Normalisation(_) => "normalisation, forward",
            Self::NormalisationBack(_) => "normalisation, backward",
            Self::MaxPool(_) | Self::MeanPool(_) => "pooling, forward",
            Self::MaxPoolBack(_) | Self::MeanPoolBack(_) => "pooling, backward",
            Self::ToChannelsLast(_) => "channels last",
            Self::Addition(_) => "addition of gradients",
        }
    }

    /// Of what, and what is fused with it.
    pub fn layer(&self) -> String {
        match self {
            Self::Convolution(shape, _) => {
                let ([from, to], [height, width], [kh, kw]) = (shape.channels, shape.input, shape.kernel);
                let stride =
                    if shape.stride == [1, 1] { String::new() } else { format!(", stride {}", shape.stride[0]) };
                format!("{from} → {to} @ {height}×{width}, {kh}×{kw}{stride}")
            }
            Self::Normalisation(fused) | Self::NormalisationBack(fused) => {
                let adds = if fused.adds { " + shortcut" } else { "" };
                let rectifies = if fused.activation == Rectifier::None { "" } else { " + rectifier" };
                format!("{}{adds}{rectifies}", maps(&fused.shape))
            }
            Self::MaxPool(shape) | Self::MaxPoolBack(shape) => {
                let ([height, width], [kh, kw]) = (shape.input, shape.kernel);
                format!("{} @ {height}×{width}, maximum over {kh}×{kw}", shape.channels)
            }
            Self::MeanPool(shape) | Self::MeanPoolBack(shape) => format!("{}, mean", maps(shape)),
            Self::ToChannelsLast(shape) => maps(shape),
            Self::Addition(numbers) => format!("{numbers} numbers"),
        }
    }

    /// The multiplications and additions of a convolution's definition, or the bytes that the passes of other kernels
    /// read and write.
    pub fn floor(&self) -> Floor {
        let numbers = match self {
            Self::Convolution(shape, _) => return Floor::Operations(2.0 * shape.products() as f64),
            // The input twice, once for the statistics; the output.
            Self::Normalisation(fused) => (3 + usize::from(fused.adds)) * fused.shape.len(),
            // Gradient and input twice each, and the result; a rectifier reads the output and writes the gradient, too.
            Self::NormalisationBack(fused) if fused.activation == Rectifier::None => 5 * fused.shape.len(),
            Self::NormalisationBack(fused) => 7 * fused.shape.len(),
            Self::MaxPool(shape) => pool_input(shape) + pool_output(shape),
            Self::MaxPoolBack(shape) => 2 * pool_input(shape) + pool_output(shape),
            Self::MeanPool(shape) | Self::MeanPoolBack(shape) => shape.len(),
            Self::ToChannelsLast(shape) => 2 * shape.len(),
            Self::Addition(numbers) => 3 * numbers,
        };
        Floor::Bytes((numbers * size_of::<f32>()) as f64)
    }
}

fn maps(shape: &NormShape) -> String {
    format!("{} @ {} pixels", shape.channels, shape.pixels)
}

fn pool_input(shape: &PoolShape) -> usize {
    shape.images * shape.input[0] * shape.input[1] * shape.channels
}

fn pool_output(shape: &PoolShape) -> usize {
    let [height, width] = shape.output();
    shape.images * height * width * shape.channels
}
