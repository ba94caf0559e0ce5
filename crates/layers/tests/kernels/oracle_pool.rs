//! Pooling and changes of layout beside scalar loops.

use proptest::prelude::*;
use slowburn_layers::kernel::layout::{to_channels_first, to_channels_last};
use slowburn_layers::kernel::pool::{self, PoolShape};

use crate::support::{Numbers, each_way, largest, near, near_each, unwritten};

/// Sums of some thousand numbers at most, beside what they come to.
const TOLERANCE: f64 = 2e-6;

/// A batch for a maximum.
struct Case {
    shape: PoolShape,
    input: Vec<f32>,
    grad: Vec<f32>,
}

/// Positions of a window along one axis.
fn positions(side: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (0..).step_by(stride).take_while(|start| start + kernel <= side + 2 * padding).count()
}

fn output(shape: &PoolShape) -> [usize; 2] {
    [0, 1].map(|axis| positions(shape.input[axis], shape.kernel[axis], shape.stride[axis], shape.padding[axis]))
}

impl Case {
    /// Of `values` different values: few make ties.
    fn new(shape: PoolShape, values: u32, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let [rows, columns] = output(&shape);
        let pixels = shape.images * shape.input[0] * shape.input[1];
        let half = values as f32 / 2.0;
        let input = numbers.centred(pixels * shape.channels).into_iter().map(|number| (number * half).floor() / half);
        Self { shape, input: input.collect(), grad: numbers.centred(shape.images * rows * columns * shape.channels) }
    }

    /// For each number of the output, the position of the first maximum of its window; NaN is the largest of all, and of
    /// several the last counts, as in Burn and PyTorch.
    fn positions(&self) -> Vec<usize> {
        let PoolShape { images, input: [height, width], channels, kernel, stride, padding } = self.shape;
        let [rows, columns] = output(&self.shape);
        let mut found = Vec::new();
        for (n, i, j, c) in indices([images, rows, columns, channels]) {
            let mut best: Option<usize> = None;
            for (u, v) in (0..kernel[0]).flat_map(|u| (0..kernel[1]).map(move |v| (u, v))) {
                let (y, x) = (stride[0] * i + u, stride[1] * j + v);
                let inside =
                    (padding[0]..padding[0] + height).contains(&y) && (padding[1]..padding[1] + width).contains(&x);
                if !inside {
                    continue;
                }
                let at = ((n * height + y - padding[0]) * width + x - padding[1]) * channels + c;
                let larger = |best: usize| {
                    let (new, old) = (self.input[at], self.input[best]);
                    new > old || new.is_nan()
                };
                if best.is_none_or(larger) {
                    best = Some(at);
                }
            }
            found.push(best.unwrap());
        }
        found
    }

    fn check(&self) -> Result<(), String> {
        let what = format!("{} images of {:?}, {} channels", self.shape.images, self.shape.input, self.shape.channels);
        let PoolShape { kernel, stride, padding, .. } = self.shape;
        let what = format!("{what}, kernel {kernel:?}, stride {stride:?}, padding {padding:?}");
        if self.shape.output() != output(&self.shape) {
            return Err(format!("{what}: an output of {:?} instead of {:?}", self.shape.output(), output(&self.shape)));
        }
        let positions = self.positions();
        let mut expected = vec![0.0; self.input.len()];
        positions.iter().zip(&self.grad).for_each(|(&at, &grad)| expected[at] += f64::from(grad));
        let compute = || {
            let (mut output, mut out) = (unwritten(self.grad.len()), unwritten(self.input.len()));
            pool::max(&self.shape, &self.input, &mut output);
            pool::max_backward(&self.shape, &self.input, &self.grad, &mut out);
            [output, out]
        };
        each_way(compute, |set, [output, out]| {
            for (at, (&found, &position)) in output.iter().zip(&positions).enumerate() {
                let expected = self.input[position];
                if found != expected && !(found.is_nan() && expected.is_nan()) {
                    return Err(format!("{what}, {set:?}: {found} instead of {expected} at {at}"));
                }
            }
            near(&format!("{what}, {set:?}: gradient"), out, &expected, largest(&expected), TOLERANCE)?;
            Ok(())
        })
    }
}

fn indices([n, i, j, c]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..n * i * j * c).map(move |at| (at / (c * j * i), at / (c * j) % i, at / c % j, at % c))
}

fn shape(images: usize, input: [usize; 2], channels: usize, kernel: usize, stride: usize, padding: usize) -> PoolShape {
    PoolShape { images, input, channels, kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] }
}

#[test]
fn layers_of_networks() {
    for (images, input, channels, kernel, stride, padding) in [
        (2, [32, 32], 64, 3, 2, 1),
        (2, [33, 31], 17, 3, 2, 1),
        (3, [8, 9], 16, 2, 2, 0),
        (2, [7, 7], 3, 2, 2, 1),
        (1, [5, 5], 1, 5, 1, 0),
        (0, [8, 8], 16, 2, 2, 0),
        (1, [1, 1], 19, 3, 2, 1),
        (40, [4, 4], 5, 3, 1, 1),
        (3, [8, 10], 17, 2, 2, 0),
        (2, [9, 6], 5, 3, 3, 0),
    ] {
        for values in [2, 5, 1 << 20] {
            let seed = u64::from(values);
            Case::new(shape(images, input, channels, kernel, stride, padding), values, seed).check().unwrap();
        }
    }
}

#[test]
fn the_first_of_equal_maxima_wins() {
    let mut case = Case::new(shape(2, [6, 8], 17, 3, 2, 1), 4, 1);
    for value in [0.0, -1.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN] {
        case.input.fill(value);
        case.check().unwrap();
    }
}

#[test]
fn nan_is_the_largest() {
    for seed in 0..4 {
        let mut case = Case::new(shape(2, [9, 10], 19, 3, 2, 1), 6, seed);
        let length = case.input.len();
        for (at, value) in [(seed as usize, f32::NAN), (length / 2, f32::NAN), (length - 1, f32::NAN)] {
            case.input[at] = value;
        }
        // Infinities beside NaN, and every number of one window.
        (length / 2 + 19..length / 2 + 60).for_each(|at| case.input[at] = f32::INFINITY);
        (0..5 * 19).for_each(|at| case.input[length / 3 + at] = f32::NEG_INFINITY);
        (0..5 * 19).step_by(2).for_each(|at| case.input[length / 4 + at] = f32::NAN);
        case.check().unwrap();
    }
}

/// Means over the pixels and their gradient.
fn check_mean(images: usize, pixels: usize, channels: usize, offset: f32, seed: u64) -> Result<(), String> {
    let mut numbers = Numbers(seed);
    let input: Vec<f32> = numbers.centred(images * pixels * channels).iter().map(|number| offset + number).collect();
    let grad = numbers.centred(images * channels);
    let (mut expected, mut sizes) = (vec![0.0; images * channels], vec![0.0_f64; images * channels]);
    for (at, value) in input.iter().enumerate() {
        let to = at / (pixels * channels) * channels + at % channels;
        expected[to] += f64::from(*value) / pixels as f64;
        sizes[to] += (f64::from(*value) / pixels as f64).powi(2);
    }
    let spread: Vec<f64> = (0..input.len())
        .map(|at| f64::from(grad[at / (pixels * channels) * channels + at % channels]) / pixels as f64)
        .collect();
    let compute = || {
        let (mut output, mut out) = (unwritten(images * channels), unwritten(input.len()));
        pool::mean(images, pixels, channels, &input, &mut output);
        pool::mean_backward(images, pixels, channels, &grad, &mut out);
        [output, out]
    };
    each_way(compute, |set, [output, out]| {
        let what = format!("{images} images, {pixels} pixels, {channels} channels, {set:?}");
        let size = |at: usize| sizes[at].sqrt().max(expected[at].abs());
        near_each(&format!("{what}: mean"), output, &expected, size, TOLERANCE)?;
        // A factor that is rounded, and the product.
        near_each(&format!("{what}: gradient"), out, &spread, |at| spread[at].abs(), 2e-7)?;
        Ok(())
    })
}

#[test]
fn means_equal_a_loop() {
    for (images, pixels, channels) in [(0, 4, 3), (1, 1, 1), (2, 49, 512), (3, 64, 17), (5, 16, 130), (1, 4225, 3)] {
        for offset in [0.0, 1.0, -1e4] {
            check_mean(images, pixels, channels, offset, 3).unwrap();
        }
    }
}

/// Both directions, bit by bit: NaN is a number like any other here.
fn check_layout(images: usize, channels: usize, pixels: usize) -> Result<(), String> {
    let first: Vec<f32> =
        (0..(images * channels * pixels) as u32).map(|bits| f32::from_bits(bits + 0x7F80_0000)).collect();
    let last: Vec<f32> = (0..first.len())
        .map(|at| {
            let (n, p, c) = (at / (pixels * channels), at / channels % pixels, at % channels);
            first[(n * channels + c) * pixels + p]
        })
        .collect();
    let compute = || {
        let (mut to_last, mut to_first) = (vec![0.0; first.len()], vec![0.0; first.len()]);
        to_channels_last(images, channels, pixels, &first, &mut to_last);
        to_channels_first(images, channels, pixels, &last, &mut to_first);
        [to_last, to_first]
    };
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let (last_bits, first_bits) = (bits(&last), bits(&first));
    each_way(compute, |set, [to_last, to_first]| {
        let what = format!("{images} images, {channels} channels, {pixels} pixels, {set:?}");
        if bits(to_last) != last_bits {
            return Err(format!("{what}: to channels last"));
        }
        if bits(to_first) != first_bits {
            return Err(format!("{what}: to channels first"));
        }
        Ok(())
    })
}

#[test]
fn layouts_are_exchanged_bit_by_bit() {
    for images in [0, 1, 3] {
        for channels in [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64] {
            for pixels in [1, 3, 4, 8, 15, 16, 17, 63, 65, 1024] {
                check_layout(images, channels, pixels).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_maximum_equals_a_loop(
        images in 0usize..=4, sides in [1usize..=20, 1usize..=20], channels in 1usize..=70,
        kernels in [1usize..=5, 1usize..=5], stride in [1usize..=3, 1usize..=3], padding in [0usize..=2, 0usize..=2],
        values in prop_oneof![2u32..9, Just(1 << 20)], seed: u64,
    ) {
        // No window lies in the padding alone, and one fits.
        let padding = [0, 1].map(|axis| padding[axis].min(kernels[axis] / 2));
        let kernel = [0, 1].map(|axis| kernels[axis].min(sides[axis] + 2 * padding[axis]));
        let padding = [0, 1].map(|axis| padding[axis].min(kernel[axis] / 2));
        let shape = PoolShape { images, input: sides, channels, kernel, stride, padding };
        Case::new(shape, values, seed).check().map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_mean_equals_a_loop(
        images in 0usize..=4, pixels in 1usize..=400, channels in 1usize..=200, offset in -3.0f32..3.0, seed: u64,
    ) {
        check_mean(images, pixels, channels, offset, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_layout_is_exchanged(images in 0usize..=4, channels in 1usize..=200, pixels in 1usize..=300) {
        check_layout(images, channels, pixels).map_err(TestCaseError::fail)?;
    }
}
