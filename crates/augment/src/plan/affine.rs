use crate::{Augmented, ImageSize};

use super::Rotation;

/// Where the pixels of an image come from that an affine map moves: the point (x, y) shows
/// (`x[0]`·x + `x[1]`·y + `x[2]`, `y[0]`·x + `y[1]`·y + `y[2]`), pixel centres at halves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    pub(crate) x: [f64; 3],
    pub(crate) y: [f64; 3],
}

impl Affine {
    pub(crate) const IDENTITY: Self = Self { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };

    /// Slopes of the rows and of the columns, around the top left corner.
    pub(crate) fn shear(x: f32, y: f32) -> Self {
        Self { x: [1.0, f64::from(x), 0.0], y: [f64::from(y), 1.0, 0.0] }
    }

    /// The content moves right and down by whole pixels.
    fn shift(dx: i32, dy: i32) -> Self {
        Self { x: [1.0, 0.0, -f64::from(dx)], y: [0.0, 1.0, -f64::from(dy)] }
    }

    /// The map of an operation of `RandAugment` that moves pixels.
    pub(crate) fn of(augmented: &Augmented, size: ImageSize) -> Option<Self> {
        Some(match augmented {
            Augmented::Rotate(degrees) => Rotation::new(*degrees, size).affine(),
            Augmented::ShearX(slope) => Self::shear(*slope, 0.0),
            Augmented::ShearY(slope) => Self::shear(0.0, *slope),
            Augmented::TranslateX(pixels) => Self::shift(*pixels, 0),
            Augmented::TranslateY(pixels) => Self::shift(0, *pixels),
            _ => return None,
        })
    }

    /// The pixel (row, column), possibly outside the image, under each pixel of an image of this size, row by row; in
    /// Pillow's 16-bit fixed-point numbers, which decide ties.
    pub(crate) fn nearest(&self, [height, width]: [usize; 2]) -> impl Iterator<Item = (i64, i64)> + use<> {
        let fixed = |x: f64| (x * 65536.0 + 0.5).floor() as i64;
        let start = |[along, across, offset]: [f64; 3]| fixed(offset + along * 0.5 + across * 0.5);
        let ([x0, y0], [x, y]) = ([start(self.x), start(self.y)], [self.x.map(fixed), self.y.map(fixed)]);
        let (height, width) = (height as i64, width as i64);
        (0..height).flat_map(move |row| {
            (0..width).map(move |column| {
                let from_column = (x0 + column * x[0] + row * x[1]) >> 16;
                let from_row = (y0 + column * y[0] + row * y[1]) >> 16;
                (from_row, from_column)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(affine: Affine) -> Vec<i64> {
        affine.nearest([2, 3]).map(|(_, column)| column).collect()
    }

    #[test]
    fn a_shift_moves_right_and_a_shear_keeps_the_first_row() {
        assert_eq!(columns(Affine::IDENTITY), [0, 1, 2, 0, 1, 2]);
        assert_eq!(columns(Affine::shift(1, 0)), [-1, 0, 1, -1, 0, 1]);
        // x + 0.4·(y + ½) + ½, cut off: 0.7, 1.7, … and 1.1, 2.1, …
        assert_eq!(columns(Affine::shear(0.4, 0.0)), [0, 1, 2, 1, 2, 3]);
    }
}
