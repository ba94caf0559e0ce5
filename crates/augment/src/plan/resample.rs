use crate::{Filter, ImageSize};

/// The weights of resizing along one axis: output place i is Σ weights\[i\]\[t\] · input\[start\[i\] + t\].
///
/// The kernel of the filter is stretched by the factor of shrinking (antialiasing), cut off at the ends of the axis,
/// and normalised: Pillow's `resize`, and PyTorch's with `antialias=True`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taps {
    /// First input place of each output place.
    pub(crate) starts: Vec<usize>,
    /// Weights of each output place: `width` each, the unused ones 0.
    pub(crate) weights: Vec<f32>,
    /// Most weights of any output place.
    pub(crate) width: usize,
}

impl Taps {
    /// Resizing `length` places from `offset` on to `output` places.
    pub(crate) fn new(offset: usize, length: usize, output: usize, filter: Filter) -> Self {
        let scale = length as f64 / output as f64;
        let stretch = scale.max(1.0);
        let support = reach(filter) * stretch;
        let width = (support.ceil() as usize * 2 + 1).min(length);
        let mut starts = Vec::with_capacity(output);
        let mut weights = vec![0.0; output * width];
        for (place, row) in weights.chunks_exact_mut(width).enumerate() {
            let center = (place as f64 + 0.5) * scale;
            let start = ((center - support + 0.5).floor().max(0.0) as usize).min(length - 1);
            let end = ((center + support + 0.5).floor() as usize).clamp(start + 1, length);
            let raw: Vec<f64> = (start..end.min(start + width))
                .map(|place| kernel(filter, (place as f64 - center + 0.5) / stretch))
                .collect();
            let sum: f64 = raw.iter().sum();
            for (weight, raw) in row.iter_mut().zip(&raw) {
                *weight = (raw / sum) as f32;
            }
            starts.push(offset + start);
        }
        Self { starts, weights, width }
    }

    /// Weights of output place `place`.
    pub(crate) fn of(&self, place: usize) -> &[f32] {
        &self.weights[place * self.width..(place + 1) * self.width]
    }
}

/// Half the width of the kernel, in pixels.
fn reach(filter: Filter) -> f64 {
    match filter {
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
    }
}

fn kernel(filter: Filter, x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    match filter {
        Filter::Bilinear => (1.0 - x).max(0.0),
        Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        Filter::Bicubic => 0.0,
    }
}

/// Whether Pillow resizes the height before the width: from version 13 on, where the height loses more than twice as many
/// pixels as the width. Earlier versions always begin with the width.
pub(crate) fn height_first([height, width]: [usize; 2], to: ImageSize) -> bool {
    let lost = |from: usize, to: usize| from as i64 - to as i64;
    let [rows, columns] = [lost(height, to.height), lost(width, to.width)];
    rows > 0 && rows > 2 * columns
}

/// First place of the middle `crop` of `length` places: half the rest, halves rounded to even.
pub(crate) fn center_start(length: usize, crop: usize) -> usize {
    let rest = length - crop;
    let half = rest / 2;
    // rest / 2 + 0.5 goes to the even neighbour.
    if rest % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one_and_stay_inside() {
        for (length, output) in [(1, 1), (1, 9), (9, 1), (7, 7), (7, 13), (100, 9), (375, 224)] {
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                let taps = Taps::new(3, length, output, filter);
                assert_eq!(taps.starts.len(), output);
                for place in 0..output {
                    let sum: f32 = taps.of(place).iter().sum();
                    assert!((sum - 1.0).abs() < 1e-6, "{length} to {output}: {sum}");
                    let used = taps.of(place).iter().rposition(|weight| *weight != 0.0).unwrap();
                    assert!(taps.starts[place] >= 3 && taps.starts[place] + used < 3 + length);
                }
            }
        }
    }

    #[test]
    fn the_same_size_is_the_identity() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let taps = Taps::new(0, 6, 6, filter);
            for place in 0..6 {
                for (tap, weight) in taps.of(place).iter().enumerate() {
                    let expected = if taps.starts[place] + tap == place { 1.0 } else { 0.0 };
                    assert!((weight - expected).abs() < 1e-7);
                }
            }
        }
    }

    #[test]
    fn the_height_is_first_where_it_loses_more_than_twice_as_many_pixels() {
        for (from, to, expected) in [
            ([60, 40], [30, 25], false),
            ([61, 40], [30, 25], true),
            ([40, 40], [30, 40], true),
            ([40, 20], [30, 25], true),
            ([20, 20], [20, 30], false),
            ([20, 10], [30, 40], false),
        ] {
            assert_eq!(height_first(from, ImageSize::new(to[0], to[1], 1)), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn half_the_rest_is_rounded_to_even_as_in_python() {
        // round(0.5), round(1.5), round(2.5), round(3.5) are 0, 2, 2, 4.
        let starts: Vec<_> = [1, 3, 5, 7, 4].map(|rest| center_start(10 + rest, 10)).to_vec();
        assert_eq!(starts, [0, 2, 2, 4, 2]);
    }
}
