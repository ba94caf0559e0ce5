//! NaN and infinities in a convolution.
//!
//! What is promised: a number that the definition makes NaN or infinite is NaN or infinite, though not always the same
//! of the two. Other numbers stay finite, but for the neighbourhood of these:
//!
//! - A kernel that works on tiles may spoil a tile: in an output and a gradient to an input, the pixels of the same
//!   image and channel within 4×4 of a spoilt one; in a gradient to a weight, the taps of the same pair of channels.
//! - A kernel may multiply by the zeros of the padding, and 0·∞ is NaN: a weight that is not finite may spoil as many
//!   pixels around a spoilt one as the kernel is wide, and a gradient or an input all taps of the pair of channels.
//!
//! So with [`Arithmetic::Exact`] an input or a gradient that is not finite spoils nothing more in outputs and gradients
//! to an input.

use slowburn_layers::kernel::{Arithmetic, ConvShape};

use crate::oracle_conv::{Case, NAMES, output, padded, square};
use crate::support::each_way;

/// Tiles of 4×4: pixels of one are at most three apart, wherever the tiles begin.
const REACH: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Spoilt {
    Input,
    Weight,
    Grad,
}

/// The places of an answer that may be spoilt where those of `plain` are.
fn neighbourhood(shape: &ConvShape, index: usize, plain: &[bool], spoilt: Spoilt) -> Vec<bool> {
    let ([ci, co], [height, width], [rows, columns]) = (shape.channels, shape.input, output(shape));
    let reach = if spoilt == Spoilt::Weight { shape.kernel.map(|side| side.max(REACH)) } else { [REACH; 2] };
    match index {
        0 => near_pixels([shape.images, rows, columns, co], plain, reach),
        1 => near_pixels([shape.images, height, width, ci], plain, reach),
        2 => {
            let taps = shape.kernel[0] * shape.kernel[1];
            plain.chunks(taps).flat_map(|pair| vec![pair.contains(&true); taps]).collect()
        }
        _ => plain.to_vec(),
    }
}

fn near_pixels([images, height, width, channels]: [usize; 4], plain: &[bool], [down, across]: [usize; 2]) -> Vec<bool> {
    let mut near = vec![false; plain.len()];
    for (at, _) in plain.iter().enumerate().filter(|(_, spoilt)| **spoilt) {
        let (pixel, c) = (at / channels, at % channels);
        let (n, y, x) = (pixel / width / height, pixel / width % height, pixel % width);
        assert!(n < images);
        for y in y.saturating_sub(down)..(y + down + 1).min(height) {
            for x in x.saturating_sub(across)..(x + across + 1).min(width) {
                near[((n * height + y) * width + x) * channels + c] = true;
            }
        }
    }
    near
}

fn check(case: &Case, spoilt: Spoilt, what: &str) -> Result<(), String> {
    let plain = case.expected().map(|answer| answer.values.iter().map(|value| !value.is_finite()).collect::<Vec<_>>());
    assert!(plain.iter().any(|plain| plain.contains(&true)), "{what}: nothing is spoilt");
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast, Arithmetic::Bf16] {
        let compute = || case.found(arithmetic);
        each_way(compute, |set, found| {
            for (index, (found, plain)) in found.iter().zip(&plain).enumerate() {
                let strict = arithmetic == Arithmetic::Exact && spoilt != Spoilt::Weight && index < 2;
                let allowed = if strict { plain.clone() } else { neighbourhood(&case.shape, index, plain, spoilt) };
                for (at, value) in found.iter().enumerate() {
                    let name = format!("{what}, {arithmetic:?}, {set:?}: {} at {at} is {value}", NAMES[index]);
                    if plain[at] && value.is_finite() {
                        return Err(format!("{name}, not NaN or infinite"));
                    }
                    if !allowed[at] && !value.is_finite() {
                        return Err(format!("{name}, though nothing there is spoilt"));
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// One number of one tensor, for several places and values.
fn assert_shape(name: &str, shape: ConvShape) {
    for (seed, spoilt) in [Spoilt::Input, Spoilt::Weight, Spoilt::Grad].into_iter().enumerate() {
        for (round, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN].into_iter().enumerate() {
            let mut case = Case::new(shape, round % 2 == 1, 2 * seed as u64);
            let numbers = match spoilt {
                Spoilt::Input => &mut case.input,
                Spoilt::Weight => &mut case.weight,
                Spoilt::Grad => &mut case.grad,
            };
            // The first and the last number, and two within.
            let at = (numbers.len() - 1) * [0, 3, 7, 10][round] / 10;
            numbers[at] = value;
            if plain_is_spoilt(&case) {
                check(&case, spoilt, &format!("{name}, {value} at {at} of {spoilt:?}")).unwrap();
            }
        }
    }
}

/// Whether the number reaches any result: with a stride, some pixels have no part in it.
fn plain_is_spoilt(case: &Case) -> bool {
    case.expected().iter().any(|answer| answer.values.iter().any(|value| !value.is_finite()))
}

#[test]
fn non_finite_numbers_stay_in_their_neighbourhood() {
    assert_shape("3x3", square(2, [9, 11], [3, 5], 3, 1));
    assert_shape("3x3, 16 and 17 channels", square(3, [12, 14], [16, 17], 3, 1));
    assert_shape("3x3, 64 channels", square(2, [8, 8], [64, 64], 3, 1));
    assert_shape("3x3 without padding", padded(2, [9, 10], [16, 16], [3; 2], [1; 2], [[0; 2]; 2]));
    assert_shape("3x3, uneven", padded(2, [9, 10], [16, 16], [3; 2], [1; 2], [[2, 0], [0, 1]]));
    assert_shape("3x3 stride 2", square(2, [9, 10], [16, 32], 3, 2));
    assert_shape("1x1", square(2, [5, 6], [17, 33], 1, 1));
    assert_shape("1x1 stride 2", square(2, [5, 6], [16, 32], 1, 2));
    assert_shape("5x5", square(2, [9, 10], [3, 16], 5, 1));
    assert_shape("3x3 stride 2 of 18 images", square(18, [5, 6], [16, 48], 3, 2));
    assert_shape("3x3 of 16 images", square(16, [5, 6], [16, 32], 3, 1));
    assert_shape("7x7 stride 2", square(2, [18, 17], [3, 64], 7, 2));
}

#[test]
fn two_infinities_of_opposite_sign_are_not_a_number() {
    let mut case = Case::new(square(2, [8, 9], [16, 16], 3, 1), false, 0);
    case.input[16 * 30 + 3] = f32::INFINITY;
    case.input[16 * 31 + 5] = f32::NEG_INFINITY;
    check(&case, Spoilt::Input, "∞ beside −∞").unwrap();
}
