use crate::{Drawn, ImageSize};

/// Where each row and column of the output comes from: flips and whole-pixel shifts move rows and columns as wholes,
/// so any sequence of them is one list per axis, and one pass over the pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceMap {
    /// Input row of each output row.
    pub(crate) rows: Vec<usize>,
    /// Input column of each output column.
    pub(crate) columns: Vec<usize>,
}

impl SourceMap {
    /// Every pixel comes from its own place.
    pub(crate) fn identity(size: ImageSize) -> Self {
        Self { rows: (0..size.height).collect(), columns: (0..size.width).collect() }
    }

    /// Appends a movement to those already in the map. What moves no pixel changes nothing.
    pub(crate) fn then(&mut self, drawn: &Drawn) {
        match drawn {
            Drawn::HorizontalFlip { flip: true } => self.columns.reverse(),
            Drawn::Translate { dx, dy } => {
                self.columns = shifted(&self.columns, *dx);
                self.rows = shifted(&self.rows, *dy);
            }
            _ => {}
        }
    }

    /// Keeps the rows and columns of a box.
    pub(crate) fn crop(&mut self, top: usize, left: usize, height: usize, width: usize) {
        self.rows = self.rows[top..top + height].to_vec();
        self.columns = self.columns[left..left + width].to_vec();
    }

    /// Whether every pixel of an image of `height`×`width` comes from its own place.
    pub(crate) fn is_identity(&self, height: usize, width: usize) -> bool {
        let in_place = |axis: &[usize]| axis.iter().enumerate().all(|(to, from)| to == *from);
        self.rows.len() == height && self.columns.len() == width && in_place(&self.rows) && in_place(&self.columns)
    }

    /// Whether an image of `height`×`width` is mirrored left and right, and nothing else.
    pub(crate) fn is_mirror(&self, height: usize, width: usize) -> bool {
        let mut rows = self.rows.iter().enumerate();
        let mut columns = self.columns.iter().rev().enumerate();
        (self.rows.len(), self.columns.len()) == (height, width)
            && rows.all(|(to, from)| to == *from)
            && columns.all(|(to, from)| to == *from)
    }
}

/// Whether the operation behind `drawn` only moves pixels.
pub(crate) fn moves_pixels(drawn: &Drawn) -> bool {
    matches!(drawn, Drawn::HorizontalFlip { .. } | Drawn::Translate { .. })
}

/// The axis moved by `shift`, its uncovered end filled by reflection.
fn shifted(axis: &[usize], shift: i32) -> Vec<usize> {
    (0..axis.len()).map(|to| axis[reflect(to as i64 - i64::from(shift), axis.len())]).collect()
}

/// The place in `0..length` that `place` mirrors at the first or last place, which is not repeated:
/// −1 is 1 and `length` is `length − 2`. The distance to the axis must be shorter than the axis.
fn reflect(place: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    let inside = if place < 0 {
        -place
    } else if place > last {
        2 * last - place
    } else {
        place
    };
    inside as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.pad([0, 1, 2, 3], 3, mode="reflect") is [3 2 1 0 1 2 3 2 1 0]: written out, shift by shift.
    #[test]
    fn shifts_are_windows_of_numpys_reflect_padding() {
        let axis = [0, 1, 2, 3];
        assert_eq!(shifted(&axis, 0), [0, 1, 2, 3]);
        assert_eq!(shifted(&axis, 1), [1, 0, 1, 2]);
        assert_eq!(shifted(&axis, 2), [2, 1, 0, 1]);
        assert_eq!(shifted(&axis, 3), [3, 2, 1, 0]);
        assert_eq!(shifted(&axis, -1), [1, 2, 3, 2]);
        assert_eq!(shifted(&axis, -2), [2, 3, 2, 1]);
        assert_eq!(shifted(&axis, -3), [3, 2, 1, 0]);
        assert_eq!(shifted(&[0], 0), [0]);
    }

    #[test]
    fn movements_compose_in_order() {
        let mut map = SourceMap::identity(ImageSize::new(2, 3, 1));
        assert!(map.is_identity(2, 3));
        map.then(&Drawn::Translate { dx: 1, dy: 0 });
        map.then(&Drawn::HorizontalFlip { flip: true });
        assert_eq!(map.columns, [1, 0, 1]);
        assert!(!map.is_identity(2, 3));
        let mut other = SourceMap::identity(ImageSize::new(2, 3, 1));
        other.then(&Drawn::HorizontalFlip { flip: true });
        other.then(&Drawn::Translate { dx: 1, dy: 0 });
        assert_eq!(other.columns, [1, 2, 1]);
        assert_eq!(other.rows, [0, 1]);
    }
}
