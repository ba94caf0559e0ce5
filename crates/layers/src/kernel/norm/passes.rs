//! The passes over memory. A row is as many pixels as fill whole vectors; what belongs to channels is repeated as often.

use pulp::{Simd, WithSimd};

use super::Rectifier;
use crate::kernel::isa::{fma, load, store};

/// Vectors whose sums stay in registers.
const HELD: usize = 4;

/// Rows that are summed by themselves before they are added to the others: a longer sum would round off more.
const ROWS: usize = 128;

/// Of a piece, for each place of a row: a number x₀ near its mean, and the sums of x − x₀ and of its square. About any other
/// number, such as the first, the squares would lose the digits of a variance that is small beside them.
pub(super) struct Moments<'a> {
    pub(super) values: &'a [f32],
    /// Three rows.
    pub(super) sums: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.sums.len() / 3;
        let (origin, sums) = self.sums.split_at_mut(width);
        let (sums, squares) = sums.split_at_mut(width);
        let rows = self.values.chunks_exact(width);
        let count = rows.len();
        let rest = rows.remainder();
        let share = simd.splat_f32s(1.0 / count.max(1) as f32);
        let zero = simd.splat_f32s(0.0);
        for start in (0..width / S::F32_LANES).step_by(HELD) {
            let held = HELD.min(width / S::F32_LANES - start);
            let (mut first, mut total) = ([zero; HELD], [zero; HELD]);
            for number in 0..held {
                first[number] = load(simd, &self.values[..width.min(self.values.len())], start + number);
            }
            for row in rows.clone() {
                let (row, _) = S::as_simd_f32s(row);
                for (number, &x) in row[start..start + held].iter().enumerate() {
                    total[number] = simd.add_f32s(total[number], simd.sub_f32s(x, first[number]));
                }
            }
            let (mut near, mut sum, mut square) = ([zero; HELD], [zero; HELD], [zero; HELD]);
            for number in 0..held {
                near[number] = fma(simd, total[number], share, first[number]);
            }
            for row in rows.clone() {
                let (row, _) = S::as_simd_f32s(row);
                for (number, &x) in row[start..start + held].iter().enumerate() {
                    let x = simd.sub_f32s(x, near[number]);
                    sum[number] = simd.add_f32s(sum[number], x);
                    square[number] = fma(simd, x, x, square[number]);
                }
            }
            for number in 0..held {
                store(simd, origin, start + number, near[number]);
                store(simd, sums, start + number, sum[number]);
                store(simd, squares, start + number, square[number]);
            }
        }
        // The last row is not whole: its numbers one by one.
        for (at, value) in rest.iter().enumerate() {
            let x = value - origin[at];
            sums[at] += x;
            squares[at] += x * x;
        }
    }
}

/// `y = act((x − mean)·scale + shift (+ shortcut))` of a piece.
pub(super) struct Apply<'a> {
    /// In place of the output where there is none.
    pub(super) input: Option<&'a [f32]>,
    /// Mean, scale and shift, a row of each.
    pub(super) factors: [&'a [f32]; 3],
    pub(super) shortcut: Option<&'a [f32]>,
    pub(super) activation: Rectifier,
    pub(super) output: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.shortcut, self.activation) {
            (None, Rectifier::None) => self.run::<S, false, NONE>(simd, 0.0),
            (None, Rectifier::Relu) => self.run::<S, false, RELU>(simd, 0.0),
            (None, Rectifier::LeakyRelu(slope)) => self.run::<S, false, LEAKY>(simd, slope),
            (Some(_), Rectifier::None) => self.run::<S, true, NONE>(simd, 0.0),
            (Some(_), Rectifier::Relu) => self.run::<S, true, RELU>(simd, 0.0),
            (Some(_), Rectifier::LeakyRelu(slope)) => self.run::<S, true, LEAKY>(simd, slope),
        }
    }
}

/// Activations as numbers that a function is compiled for.
const NONE: u8 = 0;
const RELU: u8 = 1;
const LEAKY: u8 = 2;

impl Apply<'_> {
    #[inline(always)]
    fn run<S: Simd, const ADDS: bool, const ACTIVATION: u8>(self, simd: S, slope: f32) {
        let [mean, scale, shift] = self.factors;
        let (width, zero, slope) = (mean.len(), simd.splat_f32s(0.0), simd.splat_f32s(slope));
        for (row, output) in self.output.chunks_mut(width).enumerate() {
            let place = row * width..row * width + output.len();
            let input = self.input.map(|input| &input[place.clone()]);
            let shortcut = self.shortcut.map_or(mean, |shortcut| &shortcut[place]);
            for number in 0..output.len().div_ceil(S::F32_LANES) {
                let x = match input {
                    Some(input) => load(simd, input, number),
                    None => load(simd, output, number),
                };
                let x = simd.sub_f32s(x, load(simd, mean, number));
                let mut y = fma(simd, x, load(simd, scale, number), load(simd, shift, number));
                if ADDS {
                    y = simd.add_f32s(y, load(simd, shortcut, number));
                }
                // Comparisons with NaN are false: it stays.
                if ACTIVATION != NONE {
                    let below = if ACTIVATION == RELU { zero } else { simd.mul_f32s(y, slope) };
                    y = simd.select_f32s(simd.less_than_f32s(y, zero), below, y);
                }
                store(simd, output, number, y);
            }
        }
    }
}

/// The sums of g and of g·(x − mean) over a piece, g being the gradient before the activation, which takes the place of
/// the gradient after it.
pub(super) struct GradientSums<'a> {
    pub(super) input: &'a [f32],
    pub(super) output: Option<&'a [f32]>,
    /// A row.
    pub(super) mean: &'a [f32],
    pub(super) activation: Rectifier,
    pub(super) grad: &'a mut [f32],
    /// Two rows.
    pub(super) sums: &'a mut [f32],
}

impl WithSimd for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.activation {
            Rectifier::None => self.run::<S, NONE>(simd, 0.0),
            Rectifier::Relu => self.run::<S, RELU>(simd, 0.0),
            Rectifier::LeakyRelu(slope) => self.run::<S, LEAKY>(simd, slope),
        }
    }
}

impl GradientSums<'_> {
    #[inline(always)]
    fn run<S: Simd, const ACTIVATION: u8>(self, simd: S, slope: f32) {
        let (width, zero, slope) = (self.mean.len(), simd.splat_f32s(0.0), simd.splat_f32s(slope));
        let output = self.output.unwrap_or(self.input);
        let (first, second) = self.sums.split_at_mut(width);
        for start in (0..width / S::F32_LANES).step_by(HELD) {
            let held = HELD.min(width / S::F32_LANES - start);
            let mut mean = [zero; HELD];
            for number in 0..held {
                mean[number] = load(simd, self.mean, start + number);
                store(simd, first, start + number, zero);
                store(simd, second, start + number, zero);
            }
            let (mut sums, mut products) = ([zero; HELD], [zero; HELD]);
            let rows = self.input.chunks(width).zip(output.chunks(width)).zip(self.grad.chunks_mut(width));
            for (row, ((input, output), grad)) in rows.enumerate() {
                if row > 0 && row % ROWS == 0 {
                    add(simd, first, start, &mut sums[..held]);
                    add(simd, second, start, &mut products[..held]);
                }
                let vectors = input.len().div_ceil(S::F32_LANES).saturating_sub(start).min(held);
                for number in 0..vectors {
                    let mut g = load(simd, grad, start + number);
                    if ACTIVATION != NONE {
                        let y = load(simd, output, start + number);
                        let below = if ACTIVATION == RELU { zero } else { simd.mul_f32s(g, slope) };
                        g = simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), below, g);
                        store(simd, grad, start + number, g);
                    }
                    let x = simd.sub_f32s(load(simd, input, start + number), mean[number]);
                    sums[number] = simd.add_f32s(sums[number], g);
                    products[number] = fma(simd, g, x, products[number]);
                }
            }
            add(simd, first, start, &mut sums[..held]);
            add(simd, second, start, &mut products[..held]);
        }
    }
}

/// Adds sums to those of a row, and resets them.
#[inline(always)]
fn add<S: Simd>(simd: S, row: &mut [f32], start: usize, sums: &mut [S::f32s]) {
    for (number, sum) in sums.iter_mut().enumerate() {
        let total = simd.add_f32s(load(simd, row, start + number), *sum);
        store(simd, row, start + number, total);
        *sum = simd.splat_f32s(0.0);
    }
}

/// `∂x = a·g + b·(x − mean) + c` of a piece.
pub(super) struct Back<'a> {
    pub(super) input: &'a [f32],
    /// Mean, a, b and c, a row of each.
    pub(super) factors: [&'a [f32]; 4],
    pub(super) grad: &'a mut [f32],
    /// Where the result goes; in place of the gradient if nowhere else.
    pub(super) out: Option<&'a mut [f32]>,
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [mean, a, b, c] = self.factors;
        let width = mean.len();
        match self.out {
            Some(out) => {
                let rows = self.input.chunks(width).zip(self.grad.chunks(width)).zip(out.chunks_mut(width));
                for ((input, grad), out) in rows {
                    for number in 0..input.len().div_ceil(S::F32_LANES) {
                        let x = simd.sub_f32s(load(simd, input, number), load(simd, mean, number));
                        let rest = fma(simd, load(simd, b, number), x, load(simd, c, number));
                        let value = fma(simd, load(simd, a, number), load(simd, grad, number), rest);
                        store(simd, out, number, value);
                    }
                }
            }
            None => {
                for (input, grad) in self.input.chunks(width).zip(self.grad.chunks_mut(width)) {
                    for number in 0..input.len().div_ceil(S::F32_LANES) {
                        let x = simd.sub_f32s(load(simd, input, number), load(simd, mean, number));
                        let rest = fma(simd, load(simd, b, number), x, load(simd, c, number));
                        let value = fma(simd, load(simd, a, number), load(simd, grad, number), rest);
                        store(simd, grad, number, value);
                    }
                }
            }
        }
    }
}
