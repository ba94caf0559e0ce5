//! Pooling of feature maps `[images, height, width, channels]`.

use rayon::prelude::*;

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

    /// The pixels of window `at` along an axis that lie in the image.
    fn window(&self, axis: usize, at: usize) -> std::ops::Range<usize> {
        let start = at * self.stride[axis];
        let place = |pixel: usize| pixel.saturating_sub(self.padding[axis]).min(self.input[axis]);
        place(start)..place(start + self.kernel[axis])
    }

    /// The places of the pixels of a window in their image, row by row.
    fn pixels(&self, y: usize, x: usize) -> impl Iterator<Item = usize> + use<> {
        let (columns, width, channels) = (self.window(1, x), self.input[1], self.channels);
        self.window(0, y).flat_map(move |row| columns.clone().map(move |column| (row * width + column) * channels))
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
    let height = shape.output()[0];
    output.par_chunks_mut(shape.row()).enumerate().with_min_len(4).for_each(|(row, output)| {
        let image = &input[row / height * shape.image()..][..shape.image()];
        for (x, best) in output.chunks_exact_mut(shape.channels).enumerate() {
            best.fill(f32::NEG_INFINITY);
            for at in shape.pixels(row % height, x) {
                for (best, &value) in best.iter_mut().zip(&image[at..]) {
                    *best = if value > *best || value.is_nan() { value } else { *best };
                }
            }
        }
    });
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
    out.fill(0.0);
    if grad.is_empty() {
        return;
    }
    let [height, width] = shape.output();
    out.par_chunks_mut(shape.image()).enumerate().for_each(|(number, out)| {
        let image = &input[number * shape.image()..][..shape.image()];
        let mut best = vec![f32::NEG_INFINITY; shape.channels];
        let mut place = vec![0usize; shape.channels];
        for y in 0..height {
            for x in 0..width {
                let grad = &grad[((number * height + y) * width + x) * shape.channels..][..shape.channels];
                first_maxima(shape, image, [y, x], &mut best, &mut place);
                for (channel, (&at, grad)) in place.iter().zip(grad).enumerate() {
                    // A window that lies outside altogether has no maximum.
                    if at != usize::MAX {
                        out[at + channel] += grad;
                    }
                }
            }
        }
    });
}

/// The place of the first of a window's largest values, or of its last NaN, by channel.
fn first_maxima(shape: &PoolShape, image: &[f32], [y, x]: [usize; 2], best: &mut [f32], place: &mut [usize]) {
    place.fill(usize::MAX);
    for at in shape.pixels(y, x) {
        for (channel, &value) in image[at..][..shape.channels].iter().enumerate() {
            let larger = value > best[channel] || value.is_nan();
            if place[channel] == usize::MAX || larger {
                (best[channel], place[channel]) = (value, at);
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
