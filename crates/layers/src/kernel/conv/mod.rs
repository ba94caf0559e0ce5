//! Convolutions in all three directions: of the input, of the gradient to the input, of the gradient to the weight.

#[cfg(target_arch = "x86_64")]
mod bf16;
mod direct;
mod gather;
mod phase;
mod weights;
mod winograd;

use super::threads::together;
use super::{Arithmetic, ConvShape};
#[cfg(target_arch = "x86_64")]
pub(crate) use bf16::available as has_bf16;

/// Who computes a convolution.
enum Way {
    #[cfg(target_arch = "x86_64")]
    Bf16,
    Winograd,
    Direct,
}

impl Way {
    /// Of an arithmetic, where Winograd's pays in a direction or not.
    fn of(shape: &ConvShape, arithmetic: Arithmetic, winograd: bool) -> Self {
        match arithmetic {
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Bf16 if bf16::pays(shape) => Self::Bf16,
            Arithmetic::Fast | Arithmetic::Bf16 if winograd => Self::Winograd,
            _ => Self::Direct,
        }
    }
}

/// `y = w ∗ x + b`.
///
/// # Shapes
///
/// - `input`: `[N, H, W, channels in]`
/// - `weight`: `[channels out, channels in, kh, kw]`
/// - `bias`: `[channels out]`
/// - `output`: `[N, H′, W′, channels out]`, with H′ and W′ of [`ConvShape::output`]; every number is written
///
/// # Panics
///
/// If a slice has another length.
pub fn forward(
    shape: &ConvShape,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    arithmetic: Arithmetic,
) {
    check(shape, input.len(), weight.len(), output.len());
    assert!(bias.is_none_or(|bias| bias.len() == shape.channels[1]), "one bias a channel");
    if output.is_empty() {
        return;
    }
    if input.is_empty() || weight.is_empty() {
        return fill(output, bias);
    }
    together(|| match Way::of(shape, arithmetic, winograd::pays(shape)) {
        #[cfg(target_arch = "x86_64")]
        Way::Bf16 => bf16::forward(shape, input, weight, bias, output),
        Way::Winograd => winograd::forward(shape, input, weight, bias, output),
        Way::Direct => direct::forward(shape, input, weight, bias, output),
    });
}

/// The gradient of a cost to the input of [`forward`], from `grad`, its gradient to the output.
///
/// # Panics
///
/// If a slice has another length.
pub fn to_input(shape: &ConvShape, weight: &[f32], grad: &[f32], out: &mut [f32], arithmetic: Arithmetic) {
    check(shape, out.len(), weight.len(), grad.len());
    if out.is_empty() {
        return;
    }
    if grad.is_empty() || weight.is_empty() {
        return out.fill(0.0);
    }
    together(|| match Way::of(shape, arithmetic, winograd::pays_to_input(shape)) {
        #[cfg(target_arch = "x86_64")]
        Way::Bf16 => bf16::to_input(shape, weight, grad, out),
        Way::Winograd => winograd::to_input(shape, weight, grad, out),
        Way::Direct => direct::to_input(shape, weight, grad, out),
    });
}

/// The gradient of a cost to the weights of [`forward`], from `grad`, its gradient to the output.
///
/// # Panics
///
/// If a slice has another length.
pub fn to_weight(shape: &ConvShape, input: &[f32], grad: &[f32], out: &mut [f32], arithmetic: Arithmetic) {
    check(shape, input.len(), out.len(), grad.len());
    if out.is_empty() {
        return;
    }
    if grad.is_empty() || input.is_empty() {
        return out.fill(0.0);
    }
    together(|| match Way::of(shape, arithmetic, winograd::pays(shape)) {
        #[cfg(target_arch = "x86_64")]
        Way::Bf16 => bf16::to_weight(shape, input, grad, out),
        Way::Winograd => winograd::to_weight(shape, input, grad, out),
        Way::Direct => direct::to_weight(shape, input, grad, out),
    });
}

/// The gradient of a cost to the bias of [`forward`]: the sum of `grad`, `[…, channels]`, over all pixels.
///
/// # Panics
///
/// If `out`, `[channels]`, does not divide `grad`.
pub fn to_bias(grad: &[f32], out: &mut [f32]) {
    let channels = out.len();
    let mut sums = vec![0.0f64; channels];
    if channels > 0 {
        assert!(grad.len().is_multiple_of(channels), "whole pixels");
        // Pieces in f32, which the compiler takes several at a time; their sum in f64.
        for piece in grad.chunks(64 * channels) {
            let mut own = vec![0.0f32; channels];
            for pixel in piece.chunks_exact(channels) {
                own.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            sums.iter_mut().zip(&own).for_each(|(sum, own)| *sum += f64::from(*own));
        }
    }
    out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum as f32);
}

fn check(shape: &ConvShape, input: usize, weight: usize, output: usize) {
    let lengths = [shape.input_len(), shape.weight_len(), shape.output_len()];
    assert_eq!([input, weight, output], lengths, "input, weight and output of {shape:?}");
}

/// A convolution without inputs.
fn fill(output: &mut [f32], bias: Option<&[f32]>) {
    match bias {
        Some(bias) => output.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias)),
        None => output.fill(0.0),
    }
}
