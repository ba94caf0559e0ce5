//! Tiles, in blocks of whole rows of them.

use std::ops::Range;

use pulp::Simd;

use super::transform::{Axis, both};
use crate::kernel::scratch::Scratch;

/// The tiles of a batch of feature maps `[images, height, width]`.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    images: usize,
    /// Pixels of a tile's side.
    side: usize,
    /// Pixels of the first tile that lie above and left of the maps.
    outside: [usize; 2],
    /// Of the maps that are tiled.
    pub(super) size: [usize; 2],
    /// Tiles down and to the right.
    tiles: [usize; 2],
    /// Rows of tiles of a block.
    rows: usize,
}

/// A tile: its image and its place among the image's tiles, down and to the right.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) image: usize,
    pub(super) down: usize,
    pub(super) right: usize,
}

impl Tiling {
    /// Blocks of about `most` tiles that fill groups of `group` best.
    pub(super) fn new(
        images: usize,
        size: [usize; 2],
        side: usize,
        outside: [usize; 2],
        most: usize,
        group: usize,
    ) -> Self {
        let tiles = [0, 1].map(|axis| (size[axis] + outside[axis]).div_ceil(side));
        let all = images * tiles[0];
        let wasted = |rows: usize| {
            let used = rows * tiles[1];
            (used.next_multiple_of(group) - used) as f64 / used as f64
        };
        let largest = (most / tiles[1]).clamp(1, all);
        // Of equally full blocks the largest.
        let rows = (1..=largest).rev().min_by(|&a, &b| wasted(a).total_cmp(&wasted(b))).unwrap_or(1);
        Self { images, side, outside, size, tiles, rows }
    }

    /// Tiles of the whole batch.
    pub(super) fn count(&self) -> usize {
        self.images * self.tiles[0] * self.tiles[1]
    }

    /// Tiles of the largest block.
    pub(super) fn per_block(&self) -> usize {
        self.rows * self.tiles[1]
    }

    pub(super) fn blocks(&self) -> usize {
        (self.images * self.tiles[0]).div_ceil(self.rows)
    }

    fn rows_of(&self, block: usize) -> Range<usize> {
        block * self.rows..((block + 1) * self.rows).min(self.images * self.tiles[0])
    }

    /// Tiles of a block.
    pub(super) fn count_of(&self, block: usize) -> usize {
        self.rows_of(block).len() * self.tiles[1]
    }

    /// Tile `number` of a block.
    #[inline(always)]
    pub(super) fn tile(&self, block: usize, number: usize) -> Tile {
        let row = block * self.rows + number / self.tiles[1];
        Tile { image: row / self.tiles[0], down: row % self.tiles[0], right: number % self.tiles[1] }
    }

    /// Pixel `place` of a tile along both axes; none where it lies outside the maps. Counted from the block's first pixel.
    #[inline(always)]
    pub(super) fn pixel(&self, block: usize, tile: Tile, place: [usize; 2]) -> Option<usize> {
        let y = (tile.down * self.side + place[0]).checked_sub(self.outside[0])?;
        let x = (tile.right * self.side + place[1]).checked_sub(self.outside[1])?;
        let [height, width] = self.size;
        let inside = y < height && x < width;
        inside.then(|| (tile.image * height + y) * width + x - self.start(block * self.rows))
    }

    /// The pixels before a row of tiles.
    fn start(&self, row: usize) -> usize {
        let (image, down) = (row / self.tiles[0], row % self.tiles[0]);
        let y = (down * self.side).saturating_sub(self.outside[0]).min(self.size[0]);
        (image * self.size[0] + y) * self.size[1]
    }

    /// Divides maps of `channels` into the pixels of each block, which lie one behind the other.
    pub(super) fn divide<'a>(&self, mut maps: &'a mut [f32], channels: usize) -> Vec<&'a mut [f32]> {
        let mut parts = Vec::with_capacity(self.blocks());
        for block in 0..self.blocks() {
            let rows = self.rows_of(block);
            let (part, rest) = maps.split_at_mut((self.start(rows.end) - self.start(rows.start)) * channels);
            parts.push(part);
            maps = rest;
        }
        parts
    }
}

/// Feature maps with whole chunks of channels that tiles are taken from.
#[derive(Clone, Copy)]
pub(super) struct Maps<'a> {
    pub(super) values: &'a [f32],
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    /// Zeros above and to the left; negative where pixels are left out.
    pub(super) padding: [isize; 2],
    /// Pixels from tile to tile.
    pub(super) step: usize,
    /// A pixel of zeros.
    pub(super) zeros: &'a [f32],
}

impl<'a> Maps<'a> {
    /// The `N`×`N` pixels that a tile is made from, with zeros outside the maps.
    #[inline(always)]
    fn pixels<S: Simd, const N: usize>(&self, tile: Tile) -> [[&'a [S::f32s]; N]; N] {
        let [height, width] = self.size;
        let zeros = S::as_simd_f32s(&self.zeros[..self.channels]).0;
        let mut pixels = [[zeros; N]; N];
        for row in 0..N {
            let y = (tile.down * self.step + row) as isize - self.padding[0];
            if y < 0 || y >= height as isize {
                continue;
            }
            for column in 0..N {
                let x = (tile.right * self.step + column) as isize - self.padding[1];
                if x >= 0 && x < width as isize {
                    let at = (tile.image * height + y as usize) * width + x as usize;
                    pixels[row][column] = S::as_simd_f32s(&self.values[at * self.channels..][..self.channels]).0;
                }
            }
        }
        pixels
    }

    /// Takes vectors `vectors` of a tile's channels to the points. Point p of vector v goes to `place(v) + p·stride`.
    #[inline(always)]
    pub(super) fn to_points<S: Simd, T: Axis<N, P>, const N: usize, const P: usize>(
        self,
        simd: S,
        tile: Tile,
        vectors: Range<usize>,
        place: Place,
        out: &mut [S::f32s],
    ) {
        let pixels = self.pixels::<S, N>(tile);
        for (number, vector) in vectors.enumerate() {
            let mut values = [[simd.splat_f32s(0.0); N]; N];
            for row in 0..N {
                for column in 0..N {
                    values[row][column] = pixels[row][column][vector];
                }
            }
            let points = both::<S, T, N, P>(simd, values);
            let start = place.start + number / place.run * place.step + number % place.run;
            for row in 0..P {
                for column in 0..P {
                    out[start + (row * P + column) * place.stride] = points[row][column];
                }
            }
        }
    }
}

/// Where vectors at the points go: `run` of them one behind the other, then `step` further on, from `start`; `stride`
/// from point to point.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) run: usize,
    pub(super) step: usize,
    pub(super) stride: usize,
}

/// Pixels of `channels` numbers as pixels of `whole`, filled up with zeros; none where they are whole already.
pub(super) fn widen(maps: &[f32], channels: usize, whole: usize) -> Option<Scratch> {
    (channels != whole).then(|| {
        let mut wide = Scratch::zeros(maps.len() / channels * whole);
        for (from, to) in maps.chunks_exact(channels).zip(wide.chunks_exact_mut(whole)) {
            to[..channels].copy_from_slice(from);
        }
        wide
    })
}
