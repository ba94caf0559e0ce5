//! From channels first, `[images, channels, pixels]`, to channels last, `[images, pixels, channels]`, and back.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::isa::{dispatch, instruction_set};
use super::turn::{SIDE, turn};

/// Channels first to channels last.
///
/// # Panics
///
/// If a slice does not have `images·channels·pixels` numbers.
pub fn to_channels_last(images: usize, channels: usize, pixels: usize, from: &[f32], to: &mut [f32]) {
    transpose(images, channels, pixels, from, to);
}

/// Channels last to channels first.
///
/// # Panics
///
/// If a slice does not have `images·channels·pixels` numbers.
pub fn to_channels_first(images: usize, channels: usize, pixels: usize, from: &[f32], to: &mut [f32]) {
    transpose(images, pixels, channels, from, to);
}

/// Transposes matrices of `rows`×`columns`.
fn transpose(matrices: usize, rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    assert_eq!([from.len(), to.len()], [matrices * rows * columns; 2], "both have as many numbers");
    if to.is_empty() {
        return;
    }
    let isa = instruction_set();
    to.par_chunks_mut(rows * columns).zip(from.par_chunks(rows * columns)).for_each(|(to, from)| {
        to.par_chunks_mut(SIDE * rows).enumerate().with_min_len(4).for_each(|(number, to)| {
            dispatch(isa, Strip { from, rows, columns, first: number * SIDE, to });
        });
    });
}

/// Some rows of the result: columns of the source from `first` on.
struct Strip<'a> {
    from: &'a [f32],
    rows: usize,
    columns: usize,
    first: usize,
    to: &'a mut [f32],
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, rows, columns, first, to } = self;
        let (width, whole) = (to.len() / rows, rows / SIDE * SIDE);
        for start in (0..whole).step_by(SIDE) {
            turn(simd, &from[start * columns + first..], columns, width, &mut to[start..], rows);
        }
        for row in whole..rows {
            let values = &from[row * columns + first..][..width];
            for (column, &value) in values.iter().enumerate() {
                to[column * rows + row] = value;
            }
        }
    }
}
