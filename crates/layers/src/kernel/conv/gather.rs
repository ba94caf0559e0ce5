//! Windows of an image, laid out in a row: what a convolution multiplies with its weights.

use std::ops::Range;

/// Images of pixels with channels behind one another.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) values: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

/// A window: its upper left pixel, which may lie outside, and its width.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) image: usize,
    pub(super) top: isize,
    pub(super) left: isize,
    pub(super) wide: usize,
}

impl Images<'_> {
    /// The numbers `range` of a window, row by row, pixel by pixel, channel by channel; zeros outside the image.
    #[inline(always)]
    pub(super) fn gather(&self, window: Window, range: Range<usize>, out: &mut [f32]) {
        let Self { values, height, width, channels } = *self;
        let run = window.wide * channels;
        // Numbers of a run that lie left of the image, and where it ends.
        let inside = |columns: isize| columns.clamp(0, window.wide as isize) as usize * channels;
        let (first, last) = (inside(-window.left), inside(width as isize - window.left));
        let mut at = range.start;
        while at < range.end {
            let (row, begin) = (at / run, at % run);
            let end = run.min(begin + range.end - at);
            let out = &mut out[at - range.start..][..end - begin];
            at += end - begin;
            let y = window.top + row as isize;
            let (from, to) = (first.clamp(begin, end), last.clamp(begin, end));
            if y < 0 || y >= height as isize || from >= to {
                out.fill(0.0);
                continue;
            }
            let pixel = (window.image * height + y as usize) * width;
            let start = (pixel as isize + window.left) * channels as isize + from as isize;
            out[..from - begin].fill(0.0);
            out[from - begin..to - begin].copy_from_slice(&values[start as usize..][..to - from]);
            out[to - begin..].fill(0.0);
        }
    }
}
