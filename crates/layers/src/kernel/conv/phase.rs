//! Convolutions, forward and to the input, as passes of a window over a map.

use crate::kernel::ConvShape;

/// A convolution with a whole number of pixels between windows, whose results lie on a grid of the output. One with a
/// stride, turned round, is several: one for each place of an output pixel between the steps.
pub(super) struct Phase {
    /// The first pixel of the output that it writes, down and to the right, and the steps between them.
    pub(super) first: [usize; 2],
    pub(super) every: [usize; 2],
    /// The pixels that it writes, down and to the right.
    pub(super) grid: [usize; 2],
    /// Where the first window begins, and the steps between windows, in pixels of the source.
    pub(super) origin: [isize; 2],
    pub(super) step: [usize; 2],
    /// The window's height and width; 0 where nothing reaches the pixels.
    pub(super) window: [usize; 2],
    /// The taps of the kernel that the window's pixels are multiplied with.
    pub(super) taps: Vec<usize>,
}

impl Phase {
    /// The input to the output.
    pub(super) fn forward(shape: &ConvShape) -> Self {
        let [[top, _], [left, _]] = shape.padding;
        Self {
            first: [0, 0],
            every: [1, 1],
            grid: shape.output(),
            origin: [-(top as isize), -(left as isize)],
            step: shape.stride,
            window: shape.kernel,
            taps: (0..shape.kernel[0] * shape.kernel[1]).collect(),
        }
    }

    /// The gradient to the output to that to the input.
    pub(super) fn to_input(shape: &ConvShape) -> Vec<Self> {
        let places = |axis: usize| {
            (0..shape.stride[axis].min(shape.input[axis])).map(move |place| Place::new(shape, axis, place))
        };
        let phases = places(0).flat_map(|down| places(1).map(move |right| (down, right)));
        phases
            .map(|(down, right)| {
                let taps = |place: Place| (0..place.taps).map(move |tap| place.tap(tap));
                Self {
                    first: [down.first, right.first],
                    every: shape.stride,
                    grid: [down.count, right.count],
                    origin: [down.origin, right.origin],
                    step: [1, 1],
                    window: [down.taps, right.taps],
                    taps: taps(down).flat_map(|y| taps(right).map(move |x| y * shape.kernel[1] + x)).collect(),
                }
            })
            .collect()
    }
}

/// One axis of a phase of the gradient to the input. Input pixel `first + s·u` receives from output pixel
/// `(first + s·u + padding − k)/s` by tap k, for the taps where that is whole: every s-th one, from the last to the first.
#[derive(Clone, Copy)]
struct Place {
    first: usize,
    count: usize,
    origin: isize,
    taps: usize,
    /// The tap of the window's first pixel, and the distance to the next, backwards.
    last: usize,
    stride: usize,
}

impl Place {
    fn new(shape: &ConvShape, axis: usize, first: usize) -> Self {
        let (stride, kernel) = (shape.stride[axis], shape.kernel[axis]);
        let shifted = first + shape.padding[axis][0];
        let (lowest, whole) = (shifted % stride, shifted / stride);
        let taps = kernel.saturating_sub(lowest).div_ceil(stride);
        Self {
            first,
            count: (shape.input[axis] - first).div_ceil(stride),
            origin: whole as isize - taps as isize + 1,
            taps,
            last: lowest + stride * taps.saturating_sub(1),
            stride,
        }
    }

    fn tap(self, number: usize) -> usize {
        self.last - self.stride * number
    }
}
