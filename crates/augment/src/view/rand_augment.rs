//! The draws of `RandAugment` and of masks.

use rand::Rng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::draw::uniform;
use super::{Augmented, Drawn};
use crate::plan::PatchGrid;
use crate::{Augment, ImageSize, Magnitudes};

/// Ends of the factors of FixMatch: 0.1 + 1.8 l for l from 0 to 1.
const FACTORS: [f32; 2] = [0.1, 1.9];

pub(super) fn draw_rand_augment(
    generator: &mut ChaCha8Rng,
    ops: u32,
    pool: &[Augment],
    magnitudes: Magnitudes,
    size: ImageSize,
) -> Drawn {
    let applied = (0..ops)
        .map(|_| {
            let augment = pool[generator.random_range(0..pool.len())];
            match magnitudes {
                Magnitudes::Fixmatch => fixmatch(generator, augment, size),
                Magnitudes::Torchvision { magnitude, bins } => {
                    let sign = |generator: &mut ChaCha8Rng| if generator.random_bool(0.5) { -1.0 } else { 1.0 };
                    torchvision(augment, [magnitude, bins], size, || sign(generator))
                }
            }
        })
        .collect();
    Drawn::RandAugment { applied }
}

fn fixmatch(generator: &mut ChaCha8Rng, augment: Augment, size: ImageSize) -> Augmented {
    let mut within = |low, high| uniform(generator, [low, high]);
    // Pixels that a shift by a share of the side moves by, nearest.
    let pixels = |share: f32, side: usize| (f64::from(share) * side as f64).round() as i32;
    let [least, most] = FACTORS;
    match augment {
        Augment::Identity => Augmented::Identity,
        Augment::AutoContrast => Augmented::AutoContrast,
        Augment::Equalize => Augmented::Equalize,
        Augment::Rotate => Augmented::Rotate(within(-30.0, 30.0)),
        Augment::Solarize => Augmented::Solarize(within(0.0, 1.0)),
        Augment::Color => Augmented::Color(within(least, most)),
        Augment::Contrast => Augmented::Contrast(within(least, most)),
        Augment::Brightness => Augmented::Brightness(within(least, most)),
        Augment::Sharpness => Augmented::Sharpness(within(least, most)),
        Augment::ShearX => Augmented::ShearX(within(-0.3, 0.3)),
        Augment::ShearY => Augmented::ShearY(within(-0.3, 0.3)),
        Augment::TranslateX => Augmented::TranslateX(pixels(within(-0.3, 0.3), size.width)),
        Augment::TranslateY => Augmented::TranslateY(pixels(within(-0.3, 0.3), size.height)),
        Augment::Posterize => Augmented::Posterize(generator.random_range(4..=8)),
    }
}

/// The value at place `index` of `torch.linspace(low, high, count)`, which counts from the nearer end, in f32.
fn linspace([low, high]: [f32; 2], [index, count]: [u32; 2]) -> f32 {
    let step = (high - low) / (count - 1) as f32;
    if index < count / 2 { low + step * index as f32 } else { high - step * (count - 1 - index) as f32 }
}

/// `sign` is asked where torchvision draws one.
fn torchvision(augment: Augment, bin: [u32; 2], size: ImageSize, mut sign: impl FnMut() -> f32) -> Augmented {
    let mut signed = |most: f32| linspace([0.0, most], bin) * sign();
    let reach = |side: usize| (150.0 / 331.0 * side as f64) as f32;
    match augment {
        Augment::Identity => Augmented::Identity,
        Augment::AutoContrast => Augmented::AutoContrast,
        Augment::Equalize => Augmented::Equalize,
        Augment::Rotate => Augmented::Rotate(signed(30.0)),
        Augment::Solarize => Augmented::Solarize(linspace([255.0, 0.0], bin) / 255.0),
        Augment::Color => Augmented::Color(1.0 + signed(0.9)),
        Augment::Contrast => Augmented::Contrast(1.0 + signed(0.9)),
        Augment::Brightness => Augmented::Brightness(1.0 + signed(0.9)),
        Augment::Sharpness => Augmented::Sharpness(1.0 + signed(0.9)),
        Augment::ShearX => Augmented::ShearX(signed(0.3)),
        Augment::ShearY => Augmented::ShearY(signed(0.3)),
        Augment::TranslateX => Augmented::TranslateX(signed(reach(size.width)) as i32),
        Augment::TranslateY => Augmented::TranslateY(signed(reach(size.height)) as i32),
        Augment::Posterize => {
            let [magnitude, bins] = bin;
            let lost = (magnitude as f32 / ((bins - 1) as f32 / 4.0)).round_ties_even();
            Augmented::Posterize(8 - lost as u32)
        }
    }
}

/// So many patches of the grid, in rising order.
pub(super) fn draw_patches(generator: &mut ChaCha8Rng, grid: &PatchGrid, share: f32) -> Vec<u32> {
    let mut patches: Vec<u32> =
        sample(generator, grid.count(), grid.masked(share)).into_iter().map(|patch| patch as u32).collect();
    patches.sort_unstable();
    patches
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Bin {
        height: usize,
        width: usize,
        bins: u32,
        magnitude: u32,
        values: std::collections::BTreeMap<String, f32>,
    }

    #[derive(Deserialize)]
    struct Fixture {
        magnitudes: Vec<Bin>,
    }

    /// Every bin of torchvision 0.29.2 (`tests/fixtures/generate_augment.py`).
    #[test]
    fn magnitudes_are_torchvisions() {
        let fixture: Fixture = serde_json::from_str(include_str!("../../tests/fixtures/augment.json")).unwrap();
        assert_eq!(fixture.magnitudes.len(), 84);
        for Bin { height, width, bins, magnitude, values } in fixture.magnitudes {
            let size = ImageSize::new(height, width, 3);
            for augment in Augment::ALL {
                let name = format!("{augment:?}");
                let expected = values[&name];
                for sign in [1.0, -1.0] {
                    let drawn = torchvision(augment, [magnitude, bins], size, || sign);
                    let (ours, expected) = match drawn {
                        Augmented::Identity | Augmented::AutoContrast | Augmented::Equalize => (0.0, expected),
                        Augmented::Rotate(x) | Augmented::ShearX(x) | Augmented::ShearY(x) => (x, sign * expected),
                        Augmented::Color(x)
                        | Augmented::Contrast(x)
                        | Augmented::Brightness(x)
                        | Augmented::Sharpness(x) => (x, 1.0 + sign * expected),
                        Augmented::Solarize(x) => (255.0 * x, expected),
                        Augmented::TranslateX(x) | Augmented::TranslateY(x) => (x as f32, (sign * expected).trunc()),
                        Augmented::Posterize(x) => (x as f32, expected),
                    };
                    let tolerance = 3e-7 * expected.abs().max(1.0);
                    assert!(
                        (ours - expected).abs() <= tolerance,
                        "{name} {height}×{width}, {magnitude} of {bins}: {ours} and {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn bin_9_of_31_is_the_documented_one() {
        let size = ImageSize::new(32, 32, 3);
        let drawn = |augment| torchvision(augment, [9, 31], size, || -1.0).to_string();
        assert_eq!(drawn(Augment::ShearX), "shear x -0.090");
        assert_eq!(drawn(Augment::TranslateY), "shift y -4 px");
        assert_eq!(drawn(Augment::Rotate), "rotate -9.0°");
        assert_eq!(drawn(Augment::Sharpness), "sharpness ×0.730");
        assert_eq!(drawn(Augment::Posterize), "posterise to 7 bits");
        assert_eq!(drawn(Augment::Solarize), "solarise from 0.700");
    }
}
