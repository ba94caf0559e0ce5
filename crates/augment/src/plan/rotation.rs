use super::Affine;
use crate::ImageSize;

/// Where the pixels of a rotated image come from.
///
/// The point (x, y), pixel centres at halves, of the output shows the point that a rotation by the angle takes
/// there: `c + R(θ)·((x, y) − c)` around the centre c of the image. The y axis points down, so this R turns the content
/// counter-clockwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rotation {
    /// cos θ and sin θ.
    cos: f64,
    sin: f64,
    /// What is added: c − R·c.
    offset: [f64; 2],
    height: usize,
    width: usize,
}

/// Four pixels around a point, with their weights.
pub(crate) type Corners = [(usize, f32); 4];

impl Rotation {
    pub(crate) fn new(degrees: f32, size: ImageSize) -> Self {
        let (sin, cos) = (-f64::from(degrees).to_radians()).sin_cos();
        // As Pillow has them, so that a quarter turn has a cosine of 0.
        let (sin, cos) = (round_to_15(sin), round_to_15(cos));
        let center = [size.width as f64 / 2.0, size.height as f64 / 2.0];
        let offset =
            [center[0] - (cos * center[0] + sin * center[1]), center[1] - (-sin * center[0] + cos * center[1])];
        Self { cos, sin, offset, height: size.height, width: size.width }
    }

    /// The same map.
    pub(crate) fn affine(&self) -> Affine {
        Affine { x: [self.cos, self.sin, self.offset[0]], y: [-self.sin, self.cos, self.offset[1]] }
    }

    /// The pixel (row, column), possibly outside the image, under each pixel of the output, row by row.
    pub(crate) fn nearest(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        self.affine().nearest([self.height, self.width])
    }

    /// The four pixels around the point under each pixel of the output, and whether the point is in the image.
    pub(crate) fn bilinear(&self) -> impl Iterator<Item = (Corners, bool)> {
        let Self { cos, sin, offset, height, width } = *self;
        (0..height).flat_map(move |y| {
            (0..width).map(move |x| {
                let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
                let x_in = cos * x + sin * y + offset[0];
                let y_in = -sin * x + cos * y + offset[1];
                let inside = (0.0..width as f64).contains(&x_in) && (0.0..height as f64).contains(&y_in);
                (corners(x_in - 0.5, y_in - 0.5, height, width), inside)
            })
        })
    }
}

fn round_to_15(x: f64) -> f64 {
    (x * 1e15).round() / 1e15
}

/// Pixels outside are those of the edge.
fn corners(x: f64, y: f64, height: usize, width: usize) -> Corners {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, lower_share) = (x - left, y - top);
    let column = |place: f64| (place.max(0.0) as usize).min(width - 1);
    let row = |place: f64| (place.max(0.0) as usize).min(height - 1);
    let corner = |dy: f64, dx: f64| {
        let weight = (if dy > 0.0 { lower_share } else { 1.0 - lower_share })
            * (if dx > 0.0 { right_share } else { 1.0 - right_share });
        (row(top + dy) * width + column(left + dx), weight as f32)
    };
    [corner(0.0, 0.0), corner(0.0, 1.0), corner(1.0, 0.0), corner(1.0, 1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_angle_moves_nothing_and_a_half_turn_reverses() {
        let size = ImageSize::new(3, 4, 1);
        let place = |degrees| -> Vec<i64> { Rotation::new(degrees, size).nearest().map(|(y, x)| 4 * y + x).collect() };
        assert_eq!(place(0.0), (0..12).collect::<Vec<_>>());
        assert_eq!(place(180.0), (0..12).rev().collect::<Vec<_>>());
        for (place, (corners, inside)) in Rotation::new(0.0, size).bilinear().enumerate() {
            assert!(inside);
            assert_eq!(corners[0], (place, 1.0));
        }
    }

    /// 0 1    1 3
    /// 2 3 →  0 2
    #[test]
    fn a_positive_quarter_turn_is_counter_clockwise() {
        let size = ImageSize::new(2, 2, 1);
        let place: Vec<i64> = Rotation::new(90.0, size).nearest().map(|(y, x)| 2 * y + x).collect();
        assert_eq!(place, [1, 3, 0, 2]);
    }
}
