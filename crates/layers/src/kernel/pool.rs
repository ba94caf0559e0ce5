//! Pooling of feature maps `[images, height, width, channels]`.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::isa::{dispatch, instruction_set, load, store};

/// The shape of a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolShape {
    /// The images of the batch.
    pub images: usize,
    /// The height and the width of the input, in pixels.
    pub input: [usize; 2],
    /// The channels.
    pub channels: usize,
    /// The height and the width of the windows, in pixels.
    pub kernel: [usize; 2],
    /// The steps between windows down and to the right, in pixels; at least 1.
    pub stride: [usize; 2],
    /// The pixels that windows reach over the edge, above and below, left and right.
    pub padding: [usize; 2],
}

impl PoolShape {
    /// The height and the width of the output; 0 where no window fits.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let room = (self.input[axis] + 2 * self.padding[axis]).checked_sub(self.kernel[axis]);
            room.map_or(0, |room| room / self.stride[axis] + 1)
        })
    }

    fn check(&self, input: usize, output: usize) {
        let [height, width] = self.output();
        let lengths =
            [self.input[0] * self.input[1], height * width].map(|pixels| self.images * pixels * self.channels);
        assert_eq!([input, output], lengths, "input and output of {self:?}");
    }

    /// Numbers of a row of pixels of the output.
    fn row(&self) -> usize {
        self.output()[1] * self.channels
    }

    fn image(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Whether each pixel of the input is in exactly one window.
    fn tiles(&self) -> bool {
        let side_by_side = self.kernel == self.stride && self.padding == [0; 2];
        side_by_side && self.input.iter().zip(self.stride).all(|(input, step)| input % step == 0)
    }

    /// The pixels of window `at` along an axis that lie in the image.
    fn window(&self, axis: usize, at: usize) -> std::ops::Range<usize> {
        let start = at * self.stride[axis];
        let place = |pixel: usize| pixel.saturating_sub(self.padding[axis]).min(self.input[axis]);
        place(start)..place(start + self.kernel[axis])
    }

    /// The places of the pixels of window `y`, `x` in their image, row by row, in the place of what `places` held.
    #[inline(always)]
    fn pixels(&self, y: usize, x: usize, places: &mut Vec<usize>) {
        places.clear();
        let columns = self.window(1, x);
        for row in self.window(0, y) {
            let first = row * self.input[1];
            places.extend(columns.clone().map(|column| (first + column) * self.channels));
        }
    }
}

/// The maximum of each window; NaN is larger than any number.
///
/// # Panics
///
/// If a slice has another length than the shape says.
pub fn max(shape: &PoolShape, input: &[f32], output: &mut [f32]) {
    shape.check(input.len(), output.len());
    if output.is_empty() {
        return;
    }
    let (height, isa) = (shape.output()[0], instruction_set());
    output.par_chunks_mut(shape.row()).enumerate().with_min_len(4).for_each(|(row, output)| {
        let image = &input[row / height * shape.image()..][..shape.image()];
        dispatch(isa, Row { shape, image, y: row % height, output });
    });
}

/// The maxima of a row of windows.
struct Row<'a> {
    shape: &'a PoolShape,
    image: &'a [f32],
    y: usize,
    output: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, image, y, output } = self;
        let mut places = Vec::with_capacity(shape.kernel[0] * shape.kernel[1]);
        for (x, output) in output.chunks_exact_mut(shape.channels).enumerate() {
            shape.pixels(y, x, &mut places);
            for number in 0..shape.channels.div_ceil(S::F32_LANES) {
                let mut best = simd.splat_f32s(f32::NEG_INFINITY);
                for &at in &places {
                    let value = load(simd, &image[at..][..shape.channels], number);
                    best = larger(simd, [best, value], [best, value]);
                }
                store(simd, output, number, best);
            }
        }
    }
}

/// The second of `given` where the second of `values` is larger than the first, or NaN; the first elsewhere.
#[inline(always)]
fn larger<S: Simd>(simd: S, [best, value]: [S::f32s; 2], given: [S::f32s; 2]) -> S::f32s {
    let number = simd.select_f32s(simd.less_than_f32s(best, value), given[1], given[0]);
    simd.select_f32s(simd.equal_f32s(value, value), number, given[1])
}

/// The gradient to the input of [`max`]: a window's goes to the first of its largest values, or to its last NaN, as in Burn
/// and PyTorch.
///
/// # Panics
///
/// If a slice has another length than the shape says.
pub fn max_backward(shape: &PoolShape, input: &[f32], grad: &[f32], out: &mut [f32]) {
    shape.check(input.len(), grad.len());
    assert_eq!(out.len(), input.len(), "the gradient to the input of {shape:?}");
    if grad.is_empty() {
        return out.fill(0.0);
    }
    let isa = instruction_set();
    let per_image = grad.len() / shape.images;
    let images = out.par_chunks_mut(shape.image()).zip(input.par_chunks(shape.image())).zip(grad.par_chunks(per_image));
    images.for_each(|((out, image), grad)| dispatch(isa, Shares { shape, image, grad, out }));
}

/// The gradients of an image's windows, for the pixels that were their maxima.
struct Shares<'a> {
    shape: &'a PoolShape,
    image: &'a [f32],
    grad: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, image, grad, out } = self;
        let (width, channels, tiles) = (shape.output()[1], shape.channels, shape.tiles());
        if !tiles {
            out.fill(0.0);
        }
        let mut places = Vec::with_capacity(shape.kernel[0] * shape.kernel[1]);
        for (window, grad) in grad.chunks_exact(channels).enumerate() {
            shape.pixels(window / width, window % width, &mut places);
            for number in 0..channels.div_ceil(S::F32_LANES) {
                let zero = simd.splat_f32s(0.0);
                // The maximum so far, and which pixel of the window has it.
                let (mut best, mut winner) = (simd.splat_f32s(f32::NEG_INFINITY), zero);
                for (pixel, &at) in places.iter().enumerate() {
                    let value = load(simd, &image[at..][..channels], number);
                    winner = larger(simd, [best, value], [winner, simd.splat_f32s(pixel as f32)]);
                    best = larger(simd, [best, value], [best, value]);
                }
                let grad = load(simd, grad, number);
                for (pixel, &at) in places.iter().enumerate() {
                    let out = &mut out[at..][..channels];
                    let own = simd.equal_f32s(winner, simd.splat_f32s(pixel as f32));
                    let mut sum = simd.select_f32s(own, grad, zero);
                    if !tiles {
                        sum = simd.add_f32s(load(simd, out, number), sum);
                    }
                    store(simd, out, number, sum);
                }
            }
        }
    }
}

/// The mean over all pixels, `[images, pixels, channels]` to `[images, channels]`.
///
/// # Panics
///
/// If a slice has another length.
pub fn mean(images: usize, pixels: usize, channels: usize, input: &[f32], output: &mut [f32]) {
    assert_eq!([input.len(), output.len()], [images * pixels * channels, images * channels], "input and output");
    if output.is_empty() {
        return;
    }
    let factor = 1.0 / pixels as f32;
    output.par_chunks_mut(channels).enumerate().with_min_len(4).for_each(|(image, output)| {
        output.fill(0.0);
        for pixel in input[image * pixels * channels..][..pixels * channels].chunks_exact(channels) {
            output.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        output.iter_mut().for_each(|sum| *sum *= factor);
    });
}

/// The gradient to the input of [`mean`].
///
/// # Panics
///
/// If a slice has another length.
pub fn mean_backward(images: usize, pixels: usize, channels: usize, grad: &[f32], out: &mut [f32]) {
    assert_eq!([out.len(), grad.len()], [images * pixels * channels, images * channels], "input and gradient");
    if out.is_empty() {
        return;
    }
    let factor = 1.0 / pixels as f32;
    out.par_chunks_mut(pixels * channels).zip(grad.par_chunks(channels)).with_min_len(4).for_each(|(out, grad)| {
        for pixel in out.chunks_exact_mut(channels) {
            pixel.iter_mut().zip(grad).for_each(|(out, grad)| *out = grad * factor);
        }
    });
}
