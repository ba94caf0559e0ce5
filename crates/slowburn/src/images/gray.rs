use std::sync::Arc;

use slowburn_augment::loader::{LoadError, ReadBuffers, Sample, Source};
use slowburn_augment::{Image, ImageSize};

/// Images with one channel: the luma of those that have colours, `(19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶`, which is Pillow's
/// `L` (ITU-R BT.601).
pub(super) struct Gray(pub(super) Arc<dyn Source>);

impl Source for Gray {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        let (size, label, gray) = {
            let Sample { image, label } = self.0.read(index, buffers)?;
            let (size, bytes) = (image.size(), image.bytes());
            (size, label, bytes.filter(|_| size.channels == 3).map(luma))
        };
        match gray {
            Some(gray) => {
                buffers.pixels = gray;
                let size = ImageSize { channels: 1, ..size };
                // One byte a pixel it is: this cannot fail.
                let none = |_| LoadError::NoSuchSample { index, len: self.len() };
                Ok(Sample { image: Image::new(size, &buffers.pixels).map_err(none)?, label })
            }
            None => self.0.read(index, buffers),
        }
    }

    fn name(&self, index: usize) -> String {
        self.0.name(index)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.0.label(index)
    }

    fn id(&self, index: usize) -> String {
        self.0.id(index)
    }
}

fn luma(pixels: &[u8]) -> Vec<u8> {
    let gray = |pixel: &[u8]| {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        ((19_595 * r + 38_470 * g + 7_471 * b + (1 << 15)) >> 16) as u8
    };
    pixels.chunks_exact(3).map(gray).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use slowburn_augment::loader::Images;

    /// Values of Pillow 13: `Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))`.
    #[test]
    fn luma_is_pillows() {
        let pixels = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 255, 255, 255];
        let images = Images::new(ImageSize::new(1, 5, 3), pixels).expect("one image");
        let gray = Gray(Arc::new(images));
        let mut buffers = ReadBuffers::default();
        let image = gray.read(0, &mut buffers).expect("in memory").image;
        assert_eq!(image.size(), ImageSize::new(1, 5, 1));
        assert_eq!(image.bytes(), Some(&[76, 150, 29, 18, 255][..]));
    }
}
