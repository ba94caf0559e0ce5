use std::ops::Range;

use crate::ImageSize;

/// The grid of [`Operation::MaskPatches`](crate::Operation::MaskPatches): squares counted row by row from the top left, of
/// which those at the right and bottom edges may be cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatchGrid {
    patch: usize,
    size: ImageSize,
}

impl PatchGrid {
    /// Patches of `patch` × `patch` pixels on an image of `size`.
    ///
    /// # Panics
    /// If `patch` is 0.
    pub fn new(patch: u32, size: ImageSize) -> Self {
        assert!(patch > 0, "a patch has at least one pixel");
        Self { patch: patch as usize, size }
    }

    /// Number of patches.
    pub fn count(&self) -> usize {
        self.size.height.div_ceil(self.patch) * self.columns()
    }

    /// How many of them a `share` in [0, 1] is, rounded: what the operation masks.
    pub fn masked(&self, share: f32) -> usize {
        let count = self.count();
        ((f64::from(share) * count as f64).round() as usize).min(count)
    }

    fn columns(&self) -> usize {
        self.size.width.div_ceil(self.patch)
    }

    /// Rows and columns of patch `index`.
    fn place(&self, index: usize) -> [Range<usize>; 2] {
        let along = |place: usize, length: usize| place * self.patch..((place + 1) * self.patch).min(length);
        [along(index / self.columns(), self.size.height), along(index % self.columns(), self.size.width)]
    }

    /// Which pixels the patches cover, row by row.
    pub(crate) fn covered(&self, patches: &[u32]) -> Vec<bool> {
        let mut covered = vec![false; self.size.height * self.size.width];
        for patch in patches {
            let [rows, columns] = self.place(*patch as usize);
            for row in rows {
                covered[row * self.size.width..][columns.clone()].fill(true);
            }
        }
        covered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_the_image_once() {
        for (height, width, patch) in [(32, 32, 4), (28, 28, 4), (7, 10, 3), (5, 5, 5), (1, 1, 1), (9, 4, 4)] {
            let grid = PatchGrid::new(patch, ImageSize::new(height, width, 3));
            let mut times = vec![0; height * width];
            for index in 0..grid.count() as u32 {
                for (times, covered) in times.iter_mut().zip(grid.covered(&[index])) {
                    *times += u32::from(covered);
                }
            }
            assert!(times.iter().all(|times| *times == 1), "{height}×{width} by {patch}");
        }
    }

    #[test]
    fn a_share_is_rounded() {
        let grid = PatchGrid::new(4, ImageSize::new(32, 32, 3));
        let masked: Vec<usize> = [0.0, 0.3, 0.5, 0.507, 0.508, 1.0].map(|share| grid.masked(share)).to_vec();
        assert_eq!(masked, [0, 19, 32, 32, 33, 64]);
    }
}
