use std::ops::Range;

use crate::ImageSize;

/// The rows and columns of the image that a square of `side` around the centre covers.
pub(crate) fn square(side: usize, (x, y): (usize, usize), size: ImageSize) -> [Range<usize>; 2] {
    let along = |center: usize, length: usize| {
        let start = center.saturating_sub(side / 2);
        let end = (center + side - side / 2).min(length);
        start.min(end)..end
    };
    [along(y, size.height), along(x, size.width)]
}
