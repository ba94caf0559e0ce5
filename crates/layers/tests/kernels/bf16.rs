//! Convolutions in bf16: those of rounded numbers, where the processor has a unit for them, and those in f32 elsewhere.

use slowburn_layers::has_bf16;
use slowburn_layers::kernel::{Arithmetic, ConvShape};

use crate::oracle_conv::{Case, EXACT, FAST, NAMES, padded, square};
use crate::support::{each_instruction_set, each_way, near};

/// The shapes that the unit takes: at least 16 images, and channels that are multiples of 16.
fn shapes() -> Vec<(&'static str, ConvShape)> {
    vec![
        ("3x3", square(16, [8, 8], [16, 16], 3, 1)),
        ("3x3, more images than a tile has rows", square(37, [5, 6], [32, 48], 3, 1)),
        ("3x3, more channels than a tile has columns", square(17, [4, 4], [80, 64], 3, 1)),
        ("3x3, several blocks of rows", square(33, [32, 32], [16, 16], 3, 1)),
        ("3x3 stride 2", square(20, [9, 10], [16, 32], 3, 2)),
        ("1x1", square(16, [5, 6], [48, 16], 1, 1)),
        ("1x1 stride 2", square(19, [7, 6], [16, 32], 1, 2)),
        ("stride above the kernel", padded(16, [11, 13], [16, 16], [2; 2], [3; 2], [[1, 0], [0, 1]])),
        ("uneven", padded(18, [9, 10], [16, 16], [3, 5], [1, 2], [[2, 0], [0, 1]])),
        ("one pixel", square(65, [1, 1], [32, 16], 3, 1)),
        ("3x3 stride 2, several blocks of rows", square(17, [64, 64], [16, 16], 3, 2)),
        ("2x2 stride 3, several blocks of rows", padded(17, [70, 66], [16, 16], [2; 2], [3; 2], [[1; 2]; 2])),
        ("several pieces a task", square(161, [6, 6], [16, 48], 3, 1)),
        ("one column", square(17, [23, 1], [48, 16], 3, 1)),
        ("one row", square(17, [1, 23], [16, 48], 3, 1)),
        ("kernel beyond the image", padded(18, [5, 3], [16, 16], [7; 2], [1; 2], [[2; 2]; 2])),
        ("padding above the kernel", padded(17, [4, 5], [16, 16], [2; 2], [1; 2], [[3; 2]; 2])),
        ("1x1 within padding, stride 2", padded(17, [4, 5], [16, 16], [1; 2], [2; 2], [[3, 0], [1, 2]])),
        ("16 wide, with a bias", square(16, [3, 16], [16, 32], 3, 1)),
        ("16 wide", square(17, [5, 16], [48, 80], 3, 1)),
        ("32 wide", square(16, [4, 32], [16, 16], 3, 1)),
        ("32 wide, with a bias", square(16, [2, 32], [32, 16], 1, 1)),
        ("16 wide, uneven", padded(16, [6, 17], [32, 48], [3, 4], [1; 2], [[2, 0], [0, 2]])),
        ("16 wide by padding above the kernel", padded(16, [3, 12], [16, 16], [2; 2], [1; 2], [[3, 3], [3, 2]])),
        ("16 wide by padding above the kernel, both ways", padded(16, [4, 16], [16, 16], [2; 2], [1; 2], [[3; 2]; 2])),
        ("16 wide, kernel beyond the image", padded(16, [3, 16], [16, 16], [7; 2], [1; 2], [[3; 2]; 2])),
        ("16 wide, blocks with rows in common", padded(16, [515, 16], [16, 16], [2, 1], [1; 2], [[1, 0], [0; 2]])),
        ("16 wide, stride 2", padded(16, [4, 32], [16, 16], [2; 2], [2; 2], [[0; 2]; 2])),
        ("16 wide, several blocks of rows", square(16, [260, 16], [64, 16], 1, 1)),
    ]
}

/// The nearest number of 8 significant bits, of two the even one; by arithmetic, not by bits.
fn rounded(value: f32) -> f32 {
    if value == 0.0 {
        return value;
    }
    let unit = 2f64.powi(f64::from(value).abs().log2().floor() as i32 - 7);
    ((f64::from(value) / unit).round_ties_even() * unit) as f32
}

fn rounded_case(case: &Case) -> Case {
    let all = |values: &[f32]| values.iter().copied().map(rounded).collect::<Vec<_>>();
    Case { input: all(&case.input), weight: all(&case.weight), bias: case.bias.clone(), grad: all(&case.grad), ..*case }
}

#[test]
fn rounding_by_hand() {
    let halfway = 1.0 + 1.0 / 256.0;
    for (value, expected) in [
        (0.0, 0.0),
        (1.0, 1.0),
        (-3.0, -3.0),
        (halfway, 1.0),
        (1.0 + 3.0 / 256.0, 1.0 + 4.0 / 256.0),
        (halfway + 1e-6, 1.0 + 2.0 / 256.0),
        (-halfway - 1e-6, -1.0 - 2.0 / 256.0),
        (1.999, 2.0),
    ] {
        assert_eq!(rounded(value), expected, "{value}");
    }
}

/// Products of rounded numbers are exact in f32, so that what is left is the rounding of sums.
#[test]
fn the_unit_sums_products_of_rounded_numbers() {
    if !has_bf16() {
        eprintln!("no matrix unit here: bf16 itself is not tested, what takes its place is");
    }
    for (seed, (name, shape)) in shapes().into_iter().enumerate() {
        // Wide maps take another way without a bias.
        let bias = name.ends_with("with a bias") || seed % 3 == 0 && !name.contains("wide");
        let case = Case::new(shape, bias, seed as u64);
        let (expected, tolerance) = match has_bf16() {
            true => (rounded_case(&case).expected(), EXACT),
            false => (case.expected(), FAST),
        };
        let check = each_way(
            || case.found(Arithmetic::Bf16),
            |set, found| {
                // The gradient to the bias is a sum of gradients, which are not rounded for it.
                for (index, (found, answer)) in found.iter().zip(&expected).enumerate().take(3) {
                    near(&format!("{name}, {set:?}: {}", NAMES[index]), found, &answer.values, answer.size, tolerance)?;
                }
                Ok(())
            },
        );
        check.unwrap();
    }
}

/// Two roundings in each product: far from f32, near enough to train with, and no nearer where the unit is used.
#[test]
fn the_error_is_that_of_eight_bits() {
    let case = Case::new(square(16, [8, 8], [64, 64], 3, 1), false, 1);
    for (index, (found, answer)) in case.found(Arithmetic::Bf16).iter().zip(case.expected()).enumerate().take(3) {
        let error = near(NAMES[index], found, &answer.values, answer.size, 4e-3).unwrap();
        assert_eq!(error > 1e-4, has_bf16(), "{}: {error}", NAMES[index]);
    }
}

/// What the unit does not take is computed as without it, bit for bit.
#[test]
fn few_images_and_odd_channels_stay_in_f32() {
    for shape in [
        square(15, [8, 8], [16, 16], 3, 1),
        square(16, [8, 8], [3, 16], 3, 1),
        square(16, [8, 8], [16, 17], 3, 1),
        square(16, [6, 6], [24, 16], 1, 1),
    ] {
        let case = Case::new(shape, true, 5);
        let same = each_instruction_set(|set| match case.found(Arithmetic::Bf16) == case.found(Arithmetic::Fast) {
            true => Ok(()),
            false => Err(format!("{shape:?}, {set:?}")),
        });
        same.unwrap();
    }
}
