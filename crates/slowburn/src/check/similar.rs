//! Images that look the same: a hash of 64 bits finds candidates, a thumbnail decides.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage, imageops};
use image_hasher::{HashAlg, Hasher, HasherConfig};
use rayon::prelude::*;
use slowburn_augment::ImageSize;

/// The most bits of 64 in which the hashes of near duplicates differ. One less than the bytes of a hash: two such hashes have a
/// byte in common, which is how they are found.
pub(super) const MAX_BITS: u32 = 7;
/// The most that thumbnails of near duplicates differ, as a mean over all values, of 255.
pub(super) const MAX_DIFFERENCE: u32 = 10;

/// Side of the small image that hash and thumbnail are made from, in pixels.
const SMALL: usize = 48;
/// Side of a thumbnail, in pixels.
const SIDE: usize = 12;
const VALUES: usize = 3 * SIDE * SIDE;
/// Standard deviation of a thumbnail's values below which an image is one colour for us: its hash would be noise.
const FLAT: f64 = 3.0;

/// What an image looks like, in 440 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print {
    /// Bits of brightness that rises from left to right, 8×8 (`image_hasher`'s gradient).
    hash: [u8; 8],
    /// RGB, 12×12.
    thumbnail: [u8; VALUES],
}

impl Print {
    fn is_near(&self, other: &Self) -> bool {
        let bits = (u64::from_le_bytes(self.hash) ^ u64::from_le_bytes(other.hash)).count_ones();
        bits <= MAX_BITS && {
            let differences = self.thumbnail.iter().zip(&other.thumbnail).map(|(a, b)| u32::from(a.abs_diff(*b)));
            differences.sum::<u32>() <= MAX_DIFFERENCE * VALUES as u32
        }
    }
}

/// Makes prints.
pub(super) struct Printer {
    hasher: Hasher<[u8; 8]>,
}

impl Printer {
    pub(super) fn new() -> Self {
        let config = HasherConfig::with_bytes_type::<[u8; 8]>().hash_alg(HashAlg::Gradient).hash_size(8, 8);
        Self { hasher: config.to_hasher() }
    }

    /// The print of an image of bytes, H×W×C with one or three channels, turned as EXIF data say; nothing for an image of nearly
    /// one colour.
    pub(super) fn print(&self, size: ImageSize, pixels: &[u8], orientation: Orientation) -> Option<Print> {
        let mut small = DynamicImage::ImageRgb8(shrink(size, pixels)?);
        small.apply_orientation(orientation);
        let small = small.into_rgb8();
        let mut thumbnail = [0; VALUES];
        thumbnail.copy_from_slice(imageops::thumbnail(&small, SIDE as u32, SIDE as u32).as_raw());
        if deviation(&thumbnail) < FLAT {
            return None;
        }
        let gray: GrayImage = imageops::grayscale(&small);
        let hash = self.hasher.hash_image(&gray).into_inner();
        Some(Print { hash, thumbnail })
    }
}

/// Standard deviation over the pixels, of the channel in which it is largest.
fn deviation(thumbnail: &[u8]) -> f64 {
    let of = |channel: usize| {
        let values = || thumbnail.iter().skip(channel).step_by(3).map(|&value| f64::from(value));
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
    };
    (0..3).map(of).fold(0.0, f64::max)
}

/// Means over the areas of 48×48 fields, RGB, whatever the form of the image: one look at each pixel of a photo.
fn shrink(size: ImageSize, pixels: &[u8]) -> Option<RgbImage> {
    let ImageSize { height, width, channels } = size;
    if pixels.len() < height * width * channels || pixels.is_empty() || !matches!(channels, 1 | 3) {
        return None;
    }
    // A field has at least one pixel, also of an image that is smaller.
    let from_to = |field: usize, side: usize| {
        let from = field * side / SMALL;
        from..((field + 1) * side / SMALL).max(from + 1)
    };
    let mut small = RgbImage::new(SMALL as u32, SMALL as u32);
    for row in 0..SMALL {
        let rows = from_to(row, height);
        for column in 0..SMALL {
            let columns = from_to(column, width);
            let mut sums = [0_u64; 3];
            for line in rows.clone() {
                let line = &pixels[(line * width + columns.start) * channels..(line * width + columns.end) * channels];
                for pixel in line.chunks_exact(channels) {
                    for (channel, sum) in sums.iter_mut().enumerate() {
                        *sum += u64::from(pixel[channel.min(channels - 1)]);
                    }
                }
            }
            let count = (rows.len() * columns.len()) as u64;
            let mean = sums.map(|sum| ((sum + count / 2) / count) as u8);
            small.put_pixel(column as u32, row as u32, image::Rgb(mean));
        }
    }
    Some(small)
}

/// Groups of two or more prints that are connected by near duplicates, as indices in ascending order.
///
/// Hashes that differ in at most seven bits have one of eight bytes in common: only prints with an equal byte are compared, some
/// n²/64 pairs of hashes instead of n²/2, and of those that belong together already none.
pub(super) fn groups(prints: &[&Print]) -> Vec<Vec<usize>> {
    let mut all = Sets::new(prints.len());
    for byte in 0..8 {
        let mut buckets: Vec<Vec<usize>> = vec![Vec::new(); 256];
        for (index, print) in prints.iter().enumerate() {
            buckets[usize::from(print.hash[byte])].push(index);
        }
        let edges: Vec<(usize, usize)> =
            buckets.into_par_iter().flat_map_iter(|bucket| connected(&bucket, prints)).collect();
        edges.into_iter().for_each(|(a, b)| all.join(a, b));
    }
    all.groups()
}

/// Pairs of near duplicates in a bucket, as few as connect what is connected.
fn connected(bucket: &[usize], prints: &[&Print]) -> Vec<(usize, usize)> {
    let mut sets = Sets::new(bucket.len());
    let mut edges = Vec::new();
    for (place, &later) in bucket.iter().enumerate() {
        for (before, &earlier) in bucket[..place].iter().enumerate() {
            if prints[later].is_near(prints[earlier]) && sets.find(before) != sets.find(place) {
                sets.join(before, place);
                edges.push((earlier, later));
            }
        }
    }
    edges
}

/// Disjoint sets.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn find(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    /// The smaller root stays: which sets come out does not depend on the order.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }

    fn groups(mut self) -> Vec<Vec<usize>> {
        let mut members: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for index in 0..self.0.len() {
            members.entry(self.find(index)).or_default().push(index);
        }
        members.into_values().filter(|group| group.len() > 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A smooth picture that depends on a seed.
    fn picture(height: usize, width: usize, seed: f64) -> (ImageSize, Vec<u8>) {
        let value = |y: usize, x: usize, channel: usize| {
            let (y, x) = (y as f64 / height as f64, x as f64 / width as f64);
            let wave = (seed + 7.0 * x * (1.0 + channel as f64 * 0.1)).sin() * (seed * 3.0 + 5.0 * y).cos();
            (127.5 + 120.0 * wave) as u8
        };
        let pixels = (0..height * width * 3).map(|at| value(at / 3 / width, at / 3 % width, at % 3)).collect();
        (ImageSize::new(height, width, 3), pixels)
    }

    fn print(picture: &(ImageSize, Vec<u8>)) -> Print {
        Printer::new().print(picture.0, &picture.1, Orientation::NoTransforms).expect("it has a picture")
    }

    #[test]
    fn another_size_is_near_and_another_picture_is_not() {
        let prints = [picture(300, 200, 1.0), picture(75, 50, 1.0), picture(300, 200, 2.0)].map(|each| print(&each));
        assert_eq!(groups(&prints.iter().collect::<Vec<_>>()), [vec![0, 1]]);
    }

    #[test]
    fn a_turned_copy_is_near_where_exif_data_turn_it_back() {
        let (size, pixels) = picture(120, 80, 1.0);
        let image = RgbImage::from_raw(80, 120, pixels.clone()).expect("its size");
        let turned = imageops::rotate90(&image).into_raw();
        let turned_size = ImageSize::new(80, 120, 3);
        let printer = Printer::new();
        let upright = printer.print(size, &pixels, Orientation::NoTransforms).expect("a picture");
        let lying = printer.print(turned_size, &turned, Orientation::NoTransforms).expect("a picture");
        let mended = printer.print(turned_size, &turned, Orientation::Rotate270).expect("a picture");
        assert!(mended.is_near(&upright) && !lying.is_near(&upright));
    }

    #[test]
    fn one_colour_has_no_print_and_tiny_images_are_no_trouble() {
        let printer = Printer::new();
        let of = |size, pixels: &[u8]| printer.print(size, pixels, Orientation::NoTransforms);
        assert_eq!(of(ImageSize::new(1, 1, 3), &[1, 2, 3]), None);
        assert_eq!(of(ImageSize::new(500, 3, 1), &[9; 1500]), None);
        assert!(of(ImageSize::new(1, 2, 1), &[0, 255]).is_some());
    }

    proptest! {
        #[test]
        fn buckets_find_what_comparing_all_finds(hashes in prop::collection::vec((0_u64..4, prop::array::uniform8(0_u8..3)), 0..60)) {
            let prints: Vec<Print> = hashes
                .iter()
                .map(|(high, low)| Print {
                    hash: (u64::from_le_bytes(*low) ^ (high * 0x0101_0000_1000_0101)).to_le_bytes(),
                    thumbnail: [(high * 6) as u8; VALUES],
                })
                .collect();
            let prints: Vec<&Print> = prints.iter().collect();
            let mut naive = Sets::new(prints.len());
            for a in 0..prints.len() {
                for b in 0..a {
                    if prints[a].is_near(prints[b]) {
                        naive.join(a, b);
                    }
                }
            }
            prop_assert_eq!(groups(&prints), naive.groups());
        }
    }
}
