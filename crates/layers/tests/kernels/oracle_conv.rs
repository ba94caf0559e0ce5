//! Convolutions beside scalar loops in f64, written from the definition.
//!
//! For an image `n`, an output pixel `(i, j)` and an output channel `o`,
//!
//! `y[n, i, j, o] = b[o] + Σ w[o, c, u, v] · x[n, s₀·i + u − top, s₁·j + v − left, c]`,
//!
//! over the channels `c` and the taps `(u, v)` whose pixel lies in the image. The gradients are the transposes of this
//! linear map. All four are thus sums over the same triples of an input pixel, an output pixel and a tap.

use proptest::prelude::*;
use slowburn_layers::kernel::{Arithmetic, ConvShape, conv};

use crate::support::{Numbers, each_way, largest, near, unwritten, wide};

/// Largest difference beside the size of the answer ([`Answer`]): sums in f32.
pub(crate) const EXACT: f64 = 2e-6;
/// Winograd's transforms round on the way in and out.
pub(crate) const FAST: f64 = 5e-6;

/// Multiplications of a named case and of a random one.
const LIMIT: usize = 100_000_000;
const LIMIT_RANDOM: usize = 20_000_000;

pub(crate) fn tolerance(arithmetic: Arithmetic) -> f64 {
    match arithmetic {
        Arithmetic::Exact => EXACT,
        _ => FAST,
    }
}

/// Numbers in f64 and the size that differences are compared with. It is the largest absolute value, or what a sum of as
/// many independent products comes to where that is larger: the root mean squares of both factors times the root of the
/// number of products. The second matters for a handful of sums that happen to cancel.
pub(crate) struct Answer {
    pub(crate) values: Vec<f64>,
    pub(crate) size: f64,
}

impl Answer {
    fn new(values: Vec<f64>, factors: [&[f64]; 2], products: usize) -> Self {
        let rms = |values: &[f64]| {
            let squares: f64 = values.iter().map(|value| value * value).sum();
            (squares / values.len().max(1) as f64).sqrt()
        };
        let independent = rms(factors[0]) * rms(factors[1]) * (products as f64).sqrt();
        let size = largest(&values).max(independent);
        Self { values, size }
    }
}

/// Positions of a kernel along one axis.
fn positions(side: usize, kernel: usize, stride: usize, padding: [usize; 2]) -> usize {
    (0..).step_by(stride).take_while(|start| start + kernel <= padding[0] + side + padding[1]).count()
}

pub(crate) fn output(shape: &ConvShape) -> [usize; 2] {
    [0, 1].map(|axis| positions(shape.input[axis], shape.kernel[axis], shape.stride[axis], shape.padding[axis]))
}

fn multiplications(shape: &ConvShape) -> usize {
    let [height, width] = output(shape);
    shape.images * height * width * shape.kernel.iter().chain(&shape.channels).product::<usize>()
}

/// One pair of pixels that a tap connects.
struct Pair {
    input: usize,
    output: usize,
    tap: usize,
}

/// All pairs of the batch, and the most that one input pixel, one output pixel and one tap take part in.
fn pairs(shape: &ConvShape) -> (Vec<Pair>, [usize; 3]) {
    let ([height, width], [rows, columns], [kh, kw]) = (shape.input, output(shape), shape.kernel);
    let mut pairs = Vec::new();
    for n in 0..shape.images {
        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            for (u, v) in (0..kh).flat_map(|u| (0..kw).map(move |v| (u, v))) {
                // Wraps below zero, and is then no row of the image either.
                let y = (shape.stride[0] * i + u).wrapping_sub(shape.padding[0][0]);
                let x = (shape.stride[1] * j + v).wrapping_sub(shape.padding[1][0]);
                if y < height && x < width {
                    let (input, output) = ((n * height + y) * width + x, (n * rows + i) * columns + j);
                    pairs.push(Pair { input, output, tap: u * kw + v });
                }
            }
        }
    }
    let most = |of: fn(&Pair) -> usize, count: usize| {
        let mut counts = vec![0; count];
        pairs.iter().for_each(|pair| counts[of(pair)] += 1);
        counts.into_iter().max().unwrap_or(0)
    };
    let most = [
        most(|pair| pair.input, shape.images * height * width),
        most(|pair| pair.output, shape.images * rows * columns),
        most(|pair| pair.tap, kh * kw),
    ];
    (pairs, most)
}

/// `row += factor · other`.
fn add(row: &mut [f64], factor: f64, other: &[f64]) {
    for (a, b) in row.iter_mut().zip(other) {
        *a += factor * b;
    }
}

/// A shape with its numbers. Without a bias `bias` is `None`.
pub(crate) struct Case {
    pub(crate) shape: ConvShape,
    pub(crate) input: Vec<f32>,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
    pub(crate) grad: Vec<f32>,
}

/// Names of the results, in the order of [`Case::expected`] and [`Case::found`].
pub(crate) const NAMES: [&str; 4] =
    ["output", "gradient to the input", "gradient to the weight", "gradient to the bias"];

impl Case {
    /// Every second case has an input that is not centred, as after a rectifier.
    pub(crate) fn new(shape: ConvShape, bias: bool, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let ([ci, co], [rows, columns]) = (shape.channels, output(&shape));
        let pixels = shape.images * shape.input[0] * shape.input[1];
        Self {
            shape,
            input: if seed.is_multiple_of(2) { numbers.centred(pixels * ci) } else { numbers.rectified(pixels * ci) },
            weight: numbers.centred(co * ci * shape.kernel[0] * shape.kernel[1]),
            bias: bias.then(|| numbers.centred(co)),
            grad: numbers.centred(shape.images * rows * columns * co),
        }
    }

    /// The output and the gradients to input, weight and bias.
    pub(crate) fn expected(&self) -> [Answer; 4] {
        let ([ci, co], kernel) = (self.shape.channels, self.shape.kernel[0] * self.shape.kernel[1]);
        let (x, w, g) = (wide(&self.input), wide(&self.weight), wide(&self.grad));
        let bias = self.bias.as_ref().map_or(vec![0.0; co], |bias| wide(bias));
        // The weight with the tap first, and its channels in both orders: the inner loops run over whole rows.
        let by_tap = |t: usize, o: usize, c: usize| w[(o * ci + c) * kernel + t];
        let rows = |t: usize| (0..co).flat_map(move |o| (0..ci).map(move |c| by_tap(t, o, c)));
        let columns = |t: usize| (0..ci).flat_map(move |c| (0..co).map(move |o| by_tap(t, o, c)));
        let rows: Vec<Vec<f64>> = (0..kernel).map(|t| rows(t).collect()).collect(); // [tap][co, ci]
        let columns: Vec<Vec<f64>> = (0..kernel).map(|t| columns(t).collect()).collect(); // [tap][ci, co]

        let (pairs, most) = pairs(&self.shape);
        let mut y: Vec<f64> = g.chunks(co).flat_map(|_| bias.iter().copied()).collect();
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![vec![0.0; co * ci]; kernel]);
        for Pair { input: p, output: q, tap: t } in pairs {
            let (x, dx) = (&x[p * ci..][..ci], &mut dx[p * ci..][..ci]);
            let (g, y) = (&g[q * co..][..co], &mut y[q * co..][..co]);
            for c in 0..ci {
                add(y, x[c], &columns[t][c * co..][..co]);
            }
            for o in 0..co {
                add(dx, g[o], &rows[t][o * ci..][..ci]);
                add(&mut dw[t][o * ci..][..ci], g[o], x);
            }
        }
        let dw: Vec<f64> = (0..co * ci).flat_map(|oc| dw.iter().map(move |tap| tap[oc])).collect();
        let mut db = vec![0.0; co];
        g.chunks(co).for_each(|g| add(&mut db, 1.0, g));
        [
            Answer::new(y, [&x, &w], most[1] * ci),
            Answer::new(dx, [&g, &w], most[0] * co),
            Answer::new(dw, [&g, &x], most[2]),
            Answer::new(db, [&g, &[1.0]], g.len() / co),
        ]
    }

    /// What the kernels compute, in the same order.
    pub(crate) fn found(&self, arithmetic: Arithmetic) -> [Vec<f32>; 4] {
        let Self { shape, input, weight, bias, grad } = self;
        let (mut y, mut dx) = (unwritten(grad.len()), unwritten(input.len()));
        let (mut dw, mut db) = (unwritten(weight.len()), unwritten(shape.channels[1]));
        conv::forward(shape, input, weight, bias.as_deref(), &mut y, arithmetic);
        conv::to_input(shape, weight, grad, &mut dx, arithmetic);
        conv::to_weight(shape, input, grad, &mut dw, arithmetic);
        conv::to_bias(grad, &mut db);
        [y, dx, dw, db]
    }

    /// All four results for the arithmetics in f32, all instruction sets and thread pools; the largest errors found.
    fn check(&self) -> Result<[[f64; 4]; 2], String> {
        if self.shape.output() != output(&self.shape) {
            return Err(format!("an output of {:?} instead of {:?}", self.shape.output(), output(&self.shape)));
        }
        let expected = self.expected();
        let mut errors = [[0.0; 4]; 2];
        for (arithmetic, errors) in [Arithmetic::Exact, Arithmetic::Fast].into_iter().zip(&mut errors) {
            let limit = tolerance(arithmetic);
            each_way(
                || self.found(arithmetic),
                |set, found| {
                    for (index, (found, answer)) in found.iter().zip(&expected).enumerate() {
                        let what = format!("{:?}, {arithmetic:?}, {set:?}: {}", self.shape, NAMES[index]);
                        let error = near(&what, found, &answer.values, answer.size, limit)?;
                        errors[index] = error.max(errors[index]);
                    }
                    Ok(())
                },
            )?;
        }
        Ok(errors)
    }
}

/// A square kernel with one stride and the same padding on all sides.
pub(crate) fn square(
    images: usize,
    input: [usize; 2],
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
) -> ConvShape {
    padded(images, input, channels, [kernel; 2], [stride; 2], [[kernel / 2; 2]; 2])
}

pub(crate) fn padded(
    images: usize,
    input: [usize; 2],
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
) -> ConvShape {
    ConvShape { images, input, channels, kernel, stride, padding }
}

#[track_caller]
fn assert_shapes(shapes: &[(&str, ConvShape)]) {
    for (seed, &(name, shape)) in shapes.iter().enumerate() {
        assert!(multiplications(&shape) <= LIMIT, "{name}: {} multiplications", multiplications(&shape));
        for bias in [false, true] {
            let errors = Case::new(shape, bias, 2 * seed as u64 + u64::from(bias)).check();
            let errors = errors.unwrap_or_else(|error| panic!("{name}: {error}"));
            let [exact, fast] = errors.map(|errors| errors.map(|error| format!("{error:.1e}")).join(", "));
            println!("{name}, bias {bias}: exact {exact}; fast {fast}");
        }
    }
}

#[test]
fn layers_of_residual_networks() {
    assert_shapes(&[
        ("stem 7x7 stride 2", square(2, [64, 64], [3, 64], 7, 2)),
        ("stem 3x3", square(2, [32, 32], [3, 64], 3, 1)),
        ("3x3 stride 2", square(2, [32, 32], [16, 32], 3, 2)),
        ("3x3 stride 2 at 14", square(1, [14, 14], [64, 128], 3, 2)),
        ("1x1 stride 2", square(2, [32, 32], [64, 128], 1, 2)),
        ("1x1 stride 2 at 7", square(3, [7, 7], [64, 128], 1, 2)),
        ("1x1 to more", square(1, [32, 32], [64, 256], 1, 1)),
        ("1x1 to fewer", square(1, [28, 28], [256, 64], 1, 1)),
        ("3x3 at 56", square(1, [56, 56], [32, 32], 3, 1)),
        ("3x3 at 32", square(2, [32, 32], [32, 32], 3, 1)),
        ("3x3 at 16", square(2, [16, 16], [64, 64], 3, 1)),
        ("3x3 at 14", square(2, [14, 14], [64, 64], 3, 1)),
        ("3x3 at 8", square(4, [8, 8], [64, 128], 3, 1)),
        ("3x3 at 7", square(3, [7, 7], [128, 128], 3, 1)),
        ("3x3 at 4", square(4, [4, 4], [128, 128], 3, 1)),
        ("512 channels", square(1, [4, 4], [512, 512], 3, 1)),
    ]);
}

#[test]
fn shapes_of_no_network() {
    assert_shapes(&[
        ("no image", square(0, [8, 8], [16, 16], 3, 1)),
        ("one pixel", square(2, [1, 1], [16, 17], 3, 1)),
        ("one row", square(2, [1, 23], [5, 16], 3, 1)),
        ("one column", square(2, [23, 1], [16, 5], 3, 1)),
        ("one channel, long sums", square(4, [65, 65], [1, 1], 3, 1)),
        ("many small images", square(100, [4, 4], [16, 16], 3, 1)),
        ("more images than threads", square(67, [3, 5], [3, 17], 3, 1)),
        ("valid", padded(2, [8, 9], [16, 17], [3; 2], [1; 2], [[0; 2]; 2])),
        ("full", padded(2, [8, 9], [16, 17], [3; 2], [1; 2], [[2; 2]; 2])),
        ("wider than full", padded(2, [6, 6], [16, 16], [3; 2], [1; 2], [[3; 2]; 2])),
        ("only the top and left", padded(2, [9, 10], [8, 16], [3; 2], [1; 2], [[2, 0], [2, 0]])),
        ("only the bottom and right", padded(2, [9, 10], [8, 16], [3; 2], [1; 2], [[0, 2], [0, 2]])),
        ("uneven, stride 2", padded(2, [11, 13], [16, 8], [3; 2], [2; 2], [[0, 1], [1, 0]])),
        ("two strides", padded(2, [11, 13], [13, 17], [3; 2], [1, 3], [[1; 2]; 2])),
        ("stride above the kernel", padded(2, [11, 13], [17, 13], [2; 2], [3; 2], [[1, 0], [0, 1]])),
        ("1x1 stride 3", square(1, [10, 11], [31, 33], 1, 3)),
        ("1x1 within padding", padded(2, [4, 5], [16, 16], [1; 2], [1; 2], [[3, 0], [1, 2]])),
        ("1x7", padded(2, [9, 16], [16, 16], [1, 7], [1; 2], [[0; 2], [3; 2]])),
        ("7x1", padded(2, [16, 9], [16, 16], [7, 1], [1; 2], [[3; 2], [0; 2]])),
        ("2x5", padded(2, [12, 9], [7, 11], [2, 5], [1, 2], [[0, 1], [3, 1]])),
        ("5x5", square(2, [15, 14], [13, 17], 5, 1)),
        ("kernel as large as the image", padded(3, [5, 7], [16, 16], [5, 7], [1; 2], [[0; 2]; 2])),
        ("kernel beyond the image", padded(3, [5, 3], [16, 16], [7, 7], [1; 2], [[1; 2]; 2])),
    ]);
}

#[test]
fn the_oracle_by_hand() {
    // Rows 0 and 2 of [[1, 2, 3], [4, 5, 6]] with one row below, one column on the left; w[o][c][u][v] with one u.
    let shape = padded(1, [2, 3], [1, 2], [1, 2], [2, 1], [[0, 1], [1, 0]]);
    assert_eq!(output(&shape), [2, 3]);
    let case = Case {
        shape,
        input: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        weight: vec![10.0, 1.0, -1.0, 100.0],
        bias: Some(vec![0.5, -0.5]),
        grad: vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
    };
    let [y, dx, dw, db] = case.expected();
    let below = [0.5, -0.5].repeat(3);
    assert_eq!(y.values[..6], [1.5, 99.5, 12.5, 198.5, 23.5, 297.5]);
    assert_eq!(y.values[6..], below);
    assert_eq!(dx.values, [1.0 - 1.0, 100.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(dw.values, [0.0, 1.0, 1.0, 2.0]);
    assert_eq!(db.values, [16.0, 16.0]);
    assert_eq!(y.size, 297.5);
}

fn side() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 1usize..=9, 3 => 1usize..=65]
}

fn channels() -> impl Strategy<Value = usize> {
    let prime = prop_oneof![Just(2), Just(5), Just(7), Just(13), Just(23), Just(37)];
    prop_oneof![2 => Just(1), 2 => Just(3), 4 => prime, 4 => Just(16), 3 => Just(17), 3 => Just(64), 1 => Just(512)]
}

fn shapes(kernel: impl Strategy<Value = [usize; 2]>, stride: [usize; 2]) -> impl Strategy<Value = ConvShape> {
    let images = prop_oneof![1 => Just(0), 4 => Just(1), 8 => 2usize..=4];
    let padding = [[0usize..=3, 0..=3], [0..=3, 0..=3]];
    let strides = [1..=stride[0], 1..=stride[1]];
    (images, [side(), side()], [channels(), channels()], kernel, strides, padding).prop_map(
        |(n, input, channels, kernel, stride, padding)| fitting(padded(n, input, channels, kernel, stride, padding)),
    )
}

/// Makes the largest of the sides and of the batch smaller, then the channels, until the case fits [`LIMIT_RANDOM`].
fn fitting(mut shape: ConvShape) -> ConvShape {
    while multiplications(&shape) > LIMIT_RANDOM {
        let [height, width] = &mut shape.input;
        let largest = [height, width, &mut shape.images].into_iter().max().unwrap();
        if *largest > 3 {
            *largest -= largest.div_ceil(8);
        } else {
            let largest = shape.channels.iter_mut().max().unwrap();
            *largest = *largest / 2 + 1;
        }
    }
    shape
}

fn any_kernel() -> impl Strategy<Value = [usize; 2]> {
    let side = || prop_oneof![3 => Just(1), 2 => Just(2), 4 => Just(3), 2 => Just(5), 1 => Just(7)];
    prop_oneof![1 => side().prop_map(|side| [side; 2]), 1 => [side(), side()]]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_convolution_equals_scalar_loops(shape in shapes(any_kernel(), [3, 3]), bias: bool, seed: u64) {
        Case::new(shape, bias, seed).check().map_err(TestCaseError::fail)?;
    }

    /// The kernels with arithmetic of their own.
    #[test]
    fn three_by_three_equals_scalar_loops(shape in shapes(Just([3, 3]), [1, 1]), bias: bool, seed: u64) {
        Case::new(shape, bias, seed).check().map_err(TestCaseError::fail)?;
    }
}
