//! The transforms along an axis, of vectors.
//!
//! With stride 1 it is F(4, 3): four outputs of three taps from six inputs at six points. With stride 2 the outputs see the
//! first and the third tap on every other input and the second on those between: F(4, 2) at five points, and four points at
//! which an input is an output's own, all with the same weight. The interpolation points are 0, ±¾, ±3⁄2 and ∞, for F(4, 2)
//! without −3⁄2. The usual ones (0, ±1, ±2, ∞) cost as much and have twice the error.

use std::ops::Range;

use pulp::Simd;

use crate::kernel::isa::fma;

/// Different weights along an axis.
pub(super) const WEIGHTS: usize = 6;

/// Different weights of a tile's points.
pub(super) const ALL: usize = WEIGHTS * WEIGHTS;

/// Points along an axis that share the first weight, with stride 2.
const SHARED: usize = 4;

const A: f64 = 0.75;
const B: f64 = 1.5;
const A2: f64 = A * A;
const B2: f64 = B * B;
/// The scales that the interpolation's denominators give the weights of F(4, 3): at 0, at ±a, at ±b.
const N0: f64 = 1.0 / (A2 * B2);
const NA: f64 = 1.0 / (2.0 * A2 * (A2 - B2));
const NB: f64 = 1.0 / (2.0 * B2 * (B2 - A2));
/// Those of F(4, 2): at 0, at a, at −a, at b.
const M0: f64 = 1.0 / (A2 * B);
const MA: f64 = 1.0 / (2.0 * A2 * (A - B));
const MC: f64 = -1.0 / (2.0 * A2 * (A + B));
const MB: f64 = 1.0 / (B * (B2 - A2));

/// Numbers between what belongs to one point and to the next, of the widest panel. Without them points lie powers of two
/// apart, fall into the same few places of the cache, and push one another out.
pub(super) const APART: usize = 32;

/// Vectors at the points of an axis.
pub(super) type Line<S, const N: usize> = [<S as Simd>::f32s; N];

#[inline(always)]
fn scalar<S: Simd>(simd: S, value: f64) -> S::f32s {
    simd.splat_f32s(value as f32)
}

/// `c·x + y`.
#[inline(always)]
fn plus<S: Simd>(simd: S, factor: f64, x: S::f32s, y: S::f32s) -> S::f32s {
    fma(simd, scalar(simd, factor), x, y)
}

#[inline(always)]
fn times<S: Simd>(simd: S, factor: f64, x: S::f32s) -> S::f32s {
    simd.mul_f32s(scalar(simd, factor), x)
}

/// A transform of a line of `N` vectors to `P`. Types and not functions, since what is called through a pointer or a closure
/// is compiled without the instructions of the caller.
pub(super) trait Axis<const N: usize, const P: usize> {
    /// Transforms a line.
    fn line<S: Simd>(simd: S, values: Line<S, N>) -> Line<S, P>;
}

/// Input to points: Bᵀ·d.
pub(super) struct Input;

/// Points to output: Aᵀ·m.
pub(super) struct Output;

/// A gradient to the output, to points: A·y.
pub(super) struct Gradient;

/// Weights to points: G·g.
pub(super) struct Kernel;

/// Points to a gradient to the weights: Gᵀ·u.
pub(super) struct KernelGradient;

impl Axis<6, 6> for Input {
    #[inline(always)]
    fn line<S: Simd>(simd: S, d: Line<S, 6>) -> Line<S, 6> {
        let (even_a, odd_a) = (plus(simd, -B2, d[2], d[4]), plus(simd, -B2, d[1], d[3]));
        let (even_b, odd_b) = (plus(simd, -A2, d[2], d[4]), plus(simd, -A2, d[1], d[3]));
        [
            plus(simd, A2 * B2, d[0], plus(simd, -A2 - B2, d[2], d[4])),
            plus(simd, A, odd_a, even_a),
            plus(simd, -A, odd_a, even_a),
            plus(simd, B, odd_b, even_b),
            plus(simd, -B, odd_b, even_b),
            plus(simd, A2 * B2, d[1], plus(simd, -A2 - B2, d[3], d[5])),
        ]
    }
}

impl Axis<6, 4> for Output {
    #[inline(always)]
    fn line<S: Simd>(simd: S, m: Line<S, 6>) -> Line<S, 4> {
        let (sum_a, difference_a) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        let (sum_b, difference_b) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
        [
            simd.add_f32s(simd.add_f32s(m[0], sum_a), sum_b),
            plus(simd, A, difference_a, times(simd, B, difference_b)),
            plus(simd, A2, sum_a, times(simd, B2, sum_b)),
            plus(simd, A * A2, difference_a, plus(simd, B * B2, difference_b, m[5])),
        ]
    }
}

impl Axis<4, 6> for Gradient {
    #[inline(always)]
    fn line<S: Simd>(simd: S, y: Line<S, 4>) -> Line<S, 6> {
        let (even_a, odd_a) = (plus(simd, A2, y[2], y[0]), plus(simd, A2, y[3], y[1]));
        let (even_b, odd_b) = (plus(simd, B2, y[2], y[0]), plus(simd, B2, y[3], y[1]));
        [
            y[0],
            plus(simd, A, odd_a, even_a),
            plus(simd, -A, odd_a, even_a),
            plus(simd, B, odd_b, even_b),
            plus(simd, -B, odd_b, even_b),
            y[3],
        ]
    }
}

impl Axis<3, 6> for Kernel {
    #[inline(always)]
    fn line<S: Simd>(simd: S, g: Line<S, 3>) -> Line<S, 6> {
        let even_a = plus(simd, A2 * NA, g[2], times(simd, NA, g[0]));
        let even_b = plus(simd, B2 * NB, g[2], times(simd, NB, g[0]));
        [
            times(simd, N0, g[0]),
            plus(simd, A * NA, g[1], even_a),
            plus(simd, -A * NA, g[1], even_a),
            plus(simd, B * NB, g[1], even_b),
            plus(simd, -B * NB, g[1], even_b),
            g[2],
        ]
    }
}

impl Axis<6, 3> for KernelGradient {
    #[inline(always)]
    fn line<S: Simd>(simd: S, u: Line<S, 6>) -> Line<S, 3> {
        let (sum_a, difference_a) = (simd.add_f32s(u[1], u[2]), simd.sub_f32s(u[1], u[2]));
        let (sum_b, difference_b) = (simd.add_f32s(u[3], u[4]), simd.sub_f32s(u[3], u[4]));
        [
            plus(simd, N0, u[0], plus(simd, NA, sum_a, times(simd, NB, sum_b))),
            plus(simd, A * NA, difference_a, times(simd, B * NB, difference_b)),
            plus(simd, A2 * NA, sum_a, plus(simd, B2 * NB, sum_b, u[5])),
        ]
    }
}

/// F(4, 2), input to points.
#[inline(always)]
fn input_of_two<S: Simd>(simd: S, d: Line<S, 5>) -> Line<S, 5> {
    // x·(x² − a²), which is at every point but 0 and ∞ in part.
    let odd = plus(simd, -A2, d[1], d[3]);
    [
        plus(simd, A2 * B, d[0], plus(simd, -A2, d[1], plus(simd, -B, d[2], d[3]))),
        plus(simd, -A * B, d[1], plus(simd, A - B, d[2], d[3])),
        plus(simd, A * B, d[1], plus(simd, -A - B, d[2], d[3])),
        odd,
        plus(simd, A2 * B, d[1], plus(simd, -A2, d[2], plus(simd, -B, d[3], d[4]))),
    ]
}

/// F(4, 2), points to output.
#[inline(always)]
fn output_of_two<S: Simd>(simd: S, m: Line<S, 5>) -> Line<S, 4> {
    let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    [
        simd.add_f32s(simd.add_f32s(m[0], sum), m[3]),
        plus(simd, A, difference, times(simd, B, m[3])),
        plus(simd, A2, sum, times(simd, B2, m[3])),
        plus(simd, A * A2, difference, plus(simd, B * B2, m[3], m[4])),
    ]
}

/// Stride 2, input to points.
pub(super) struct StridedInput;

impl Axis<9, 9> for StridedInput {
    #[inline(always)]
    fn line<S: Simd>(simd: S, d: Line<S, 9>) -> Line<S, 9> {
        let [p, q, r, s, t] = input_of_two(simd, [d[0], d[2], d[4], d[6], d[8]]);
        [d[1], d[3], d[5], d[7], p, q, r, s, t]
    }
}

/// Stride 2, points to output.
pub(super) struct StridedOutput;

impl Axis<9, 4> for StridedOutput {
    #[inline(always)]
    fn line<S: Simd>(simd: S, m: Line<S, 9>) -> Line<S, 4> {
        let mut out = output_of_two(simd, [m[4], m[5], m[6], m[7], m[8]]);
        for pixel in 0..4 {
            out[pixel] = simd.add_f32s(out[pixel], m[pixel]);
        }
        out
    }
}

/// Stride 2, a gradient to the output to the points of the gradient to the input.
pub(super) struct SpreadInput;

impl Axis<5, 9> for SpreadInput {
    #[inline(always)]
    fn line<S: Simd>(simd: S, e: Line<S, 5>) -> Line<S, 9> {
        let [p, q, r, s, t] = input_of_two(simd, e);
        [e[0], e[1], e[2], e[3], p, q, r, s, t]
    }
}

/// Stride 2, points to the gradient to the input: eight pixels, those of one tap and those of two by turns.
pub(super) struct SpreadOutput;

impl Axis<9, 8> for SpreadOutput {
    #[inline(always)]
    fn line<S: Simd>(simd: S, m: Line<S, 9>) -> Line<S, 8> {
        let a = output_of_two(simd, [m[4], m[5], m[6], m[7], m[8]]);
        [m[0], a[0], m[1], a[1], m[2], a[2], m[3], a[3]]
    }
}

/// Stride 2, a gradient to the output to the points of the gradient to the weights.
pub(super) struct StridedGradient;

impl Axis<4, 9> for StridedGradient {
    #[inline(always)]
    fn line<S: Simd>(simd: S, y: Line<S, 4>) -> Line<S, 9> {
        let (even, odd) = (plus(simd, A2, y[2], y[0]), plus(simd, A2, y[3], y[1]));
        let (even_b, odd_b) = (plus(simd, B2, y[2], y[0]), plus(simd, B2, y[3], y[1]));
        let [p, q, r] = [y[0], plus(simd, A, odd, even), plus(simd, -A, odd, even)];
        [y[0], y[1], y[2], y[3], p, q, r, plus(simd, B, odd_b, even_b), y[3]]
    }
}

/// Stride 2, weights to points.
pub(super) struct StridedKernel;

impl Axis<3, 6> for StridedKernel {
    #[inline(always)]
    fn line<S: Simd>(simd: S, g: Line<S, 3>) -> Line<S, 6> {
        [
            g[1],
            times(simd, M0, g[0]),
            plus(simd, A * MA, g[2], times(simd, MA, g[0])),
            plus(simd, -A * MC, g[2], times(simd, MC, g[0])),
            plus(simd, B * MB, g[2], times(simd, MB, g[0])),
            g[2],
        ]
    }
}

/// Stride 2, points to a gradient to the weights.
pub(super) struct StridedKernelGradient;

impl Axis<6, 3> for StridedKernelGradient {
    #[inline(always)]
    fn line<S: Simd>(simd: S, u: Line<S, 6>) -> Line<S, 3> {
        let first = plus(simd, M0, u[1], plus(simd, MA, u[2], plus(simd, MC, u[3], times(simd, MB, u[4]))));
        let third = plus(simd, A * MA, u[2], plus(simd, -A * MC, u[3], plus(simd, B * MB, u[4], u[5])));
        [first, u[0], third]
    }
}

/// What differs between strides and directions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Stride 1: 6×6 inputs to 4×4 outputs.
    Plain,
    /// Stride 2: 9×9 inputs to 4×4 outputs.
    Strided,
    /// The gradient to the input with stride 2: from 5×5 to 8×8.
    Spread,
}

impl Scheme {
    /// Points of a tile.
    pub(super) fn points(self) -> usize {
        match self {
            Self::Plain => 36,
            Self::Strided | Self::Spread => 81,
        }
    }

    /// Pixels of the source from tile to tile, and of the output.
    pub(super) fn steps(self) -> [usize; 2] {
        match self {
            Self::Plain => [4, 4],
            Self::Strided => [8, 4],
            Self::Spread => [4, 8],
        }
    }

    /// The weights that a point is multiplied with, of [`ALL`].
    #[inline(always)]
    pub(super) fn weights(self, point: usize) -> usize {
        if self == Self::Plain {
            return point;
        }
        let axis = |point: usize| point.saturating_sub(SHARED - 1);
        axis(point / 9) * WEIGHTS + axis(point % 9)
    }

    /// The points that are multiplied with some weights.
    #[inline(always)]
    pub(super) fn points_of(self, weights: usize) -> [Range<usize>; 2] {
        let axis = |weights: usize| match (self, weights) {
            (Self::Plain, _) => weights..weights + 1,
            (_, 0) => 0..SHARED,
            _ => weights + SHARED - 1..weights + SHARED,
        };
        [axis(weights / WEIGHTS), axis(weights % WEIGHTS)]
    }

    /// Points along an axis.
    pub(super) fn side(self) -> usize {
        if self == Self::Plain { 6 } else { 9 }
    }
}

/// A transform of both axes, from `N×N` to `P×P`.
#[inline(always)]
pub(super) fn both<S: Simd, T: Axis<N, P>, const N: usize, const P: usize>(
    simd: S,
    values: [Line<S, N>; N],
) -> [Line<S, P>; P] {
    // half[point along the second axis][row]
    let mut half = [[simd.splat_f32s(0.0); N]; P];
    for row in 0..N {
        let line = T::line(simd, values[row]);
        for point in 0..P {
            half[point][row] = line[point];
        }
    }
    let mut full = [[simd.splat_f32s(0.0); P]; P];
    for second in 0..P {
        let line = T::line(simd, half[second]);
        for first in 0..P {
            full[first][second] = line[first];
        }
    }
    full
}
