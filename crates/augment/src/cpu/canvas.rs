use std::borrow::Cow;

use super::movement::{convert, move_bytes, move_values};
use super::resize::{resize_bytes, resize_values};
use super::rotate::{rotate_bytes, rotate_values};
use super::scratch::Scratch;
use super::values;
use crate::image::Source;
use crate::plan::{SourceMap, Step, center_start, moves_pixels};
use crate::{Drawn, Filter, Image, ImageSize, Key, Operation, PixelArithmetic, RotationFilter};

/// An image on its way to becoming a view: bytes for as long as operations leave it bytes, and movements of whole rows
/// and columns put off until the pixels are touched anyway.
pub(super) struct Canvas<'a> {
    /// Size of the pixels, before the movements.
    size: ImageSize,
    pixels: Pixels<'a>,
    map: SourceMap,
    /// Whether the values are in [0, 1].
    unit_range: bool,
}

enum Pixels<'a> {
    /// H×W×C.
    Bytes(Cow<'a, [u8]>),
    /// C×H×W.
    Values(Cow<'a, [f32]>),
}

impl Pixels<'_> {
    /// Leaves its bytes' memory to the next image.
    fn give_back(self, scratch: &mut Scratch) {
        if let Pixels::Bytes(Cow::Owned(bytes)) = self {
            scratch.resized = bytes;
        }
    }
}

impl<'a> Canvas<'a> {
    pub(super) fn new(image: Image<'a>) -> Self {
        let size = image.size();
        let (pixels, unit_range) = match image.source() {
            Source::Bytes(bytes) => (Pixels::Bytes(Cow::Borrowed(bytes)), true),
            Source::Values(values) => (Pixels::Values(Cow::Borrowed(values)), false),
        };
        Self { size, pixels, map: SourceMap::identity(size), unit_range }
    }

    /// Size after everything applied so far.
    pub(super) fn size(&self) -> ImageSize {
        ImageSize::new(self.map.rows.len(), self.map.columns.len(), self.size.channels)
    }

    pub(super) fn apply(
        &mut self,
        arithmetic: PixelArithmetic,
        (operation, drawn): Step<'_>,
        key: Key,
        scratch: &mut Scratch,
    ) {
        let size = self.size();
        match (operation, drawn) {
            (
                Operation::RandomResizedCrop { height, width, filter, .. },
                Drawn::RandomResizedCrop { top, left, height: rows, width: columns },
            ) => {
                let [top, left, rows, columns] = [*top, *left, *rows, *columns].map(|number| number as usize);
                let output = ImageSize::new(*height as usize, *width as usize, size.channels);
                self.resize([top, left, rows, columns], output, *filter, scratch);
            }
            (Operation::Resize { filter, .. }, _) => {
                self.resize([0, 0, size.height, size.width], operation.output_size(size), *filter, scratch);
            }
            (Operation::CenterCrop { height, width }, _) => {
                let (height, width) = (*height as usize, *width as usize);
                let (top, left) = (center_start(size.height, height), center_start(size.width, width));
                self.map.crop(top, left, height, width);
            }
            (Operation::Rotate { filter: RotationFilter::Nearest, border, .. }, Drawn::Rotate { degrees })
                if self.is_bytes() =>
            {
                self.settle();
                if let Pixels::Bytes(bytes) = &self.pixels {
                    match rotate_bytes(bytes, self.size, *degrees, *border) {
                        Some(rotated) => self.pixels = Pixels::Bytes(Cow::Owned(rotated)),
                        // A fill that is not a whole byte.
                        None => rotate_values(self.values(), size, (*degrees, RotationFilter::Nearest, *border)),
                    }
                }
            }
            (_, drawn) if moves_pixels(drawn) => self.map.then(drawn),
            _ => {
                values::change(arithmetic, (operation, drawn), key, size, self.values(), scratch);
                self.unit_range &= !operation.leaves_unit_range();
            }
        }
    }

    /// Resizes the box (top, left, height, width) of the moved image.
    fn resize(&mut self, [top, left, height, width]: [usize; 4], to: ImageSize, filter: Filter, scratch: &mut Scratch) {
        // Only the pixels of the box are moved before it is resized; an unmoved image is not copied at all.
        let unmoved = self.map.is_identity(self.size.height, self.size.width);
        let mut place = [top, left, height, width];
        if !unmoved {
            self.map.crop(top, left, height, width);
            self.settle();
            place = [0, 0, height, width];
        }
        let resized = match &self.pixels {
            Pixels::Bytes(bytes) if self.size.channels <= 4 => {
                Pixels::Bytes(Cow::Owned(resize_bytes(bytes, self.size, place, to, filter, scratch)))
            }
            _ => {
                let clamp = self.unit_range;
                let size = self.size;
                let values = self.values();
                Pixels::Values(Cow::Owned(resize_values(values, size, place, to, filter, clamp)))
            }
        };
        std::mem::replace(&mut self.pixels, resized).give_back(scratch);
        self.size = to;
        self.map = SourceMap::identity(to);
    }

    fn is_bytes(&self) -> bool {
        matches!(self.pixels, Pixels::Bytes(_))
    }

    /// Moves the pixels.
    fn settle(&mut self) {
        if self.map.is_identity(self.size.height, self.size.width) {
            return;
        }
        let size = self.size();
        self.pixels = match &self.pixels {
            Pixels::Bytes(bytes) => Pixels::Bytes(Cow::Owned(move_bytes(bytes, self.size, &self.map))),
            Pixels::Values(values) => {
                let mut moved = vec![0.0; size.values()];
                move_values(values, self.size, &self.map, &mut moved);
                Pixels::Values(Cow::Owned(moved))
            }
        };
        self.size = size;
        self.map = SourceMap::identity(size);
    }

    /// The moved pixels as values that can be changed.
    fn values(&mut self) -> &mut [f32] {
        self.settle();
        if self.is_bytes() {
            let mut values = vec![0.0; self.size.values()];
            self.write(&mut values);
            self.pixels = Pixels::Values(Cow::Owned(values));
        }
        match &mut self.pixels {
            Pixels::Values(values) => values.to_mut(),
            // Not reached: they were converted above.
            Pixels::Bytes(_) => &mut [],
        }
    }

    /// Writes the moved pixels as values, C×H×W, and leaves its memory to the next image.
    pub(super) fn finish(self, out: &mut [f32], scratch: &mut Scratch) {
        self.write(out);
        self.pixels.give_back(scratch);
    }

    fn write(&self, out: &mut [f32]) {
        match &self.pixels {
            Pixels::Bytes(bytes) => convert(bytes, self.size, &self.map, out),
            Pixels::Values(values) => move_values(values, self.size, &self.map, out),
        }
    }
}
