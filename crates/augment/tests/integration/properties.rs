//! Properties that hold for any image.

use proptest::prelude::*;
use slowburn_augment::{
    Augment, BlurKernel, Border, Drawn, Filter, Image, ImageSize, Magnitudes, MaskFill, Operation, Pipeline,
    PixelArithmetic,
};

use crate::{apply, catalog, key, pipeline};

/// An image of any size from 1×1×1 to 9×9×3 with any bytes.
fn any_image() -> impl Strategy<Value = (ImageSize, Vec<u8>)> {
    (1usize..10, 1usize..10, 1usize..4).prop_flat_map(|(height, width, channels)| {
        let size = ImageSize::new(height, width, channels);
        (Just(size), proptest::collection::vec(any::<u8>(), size.values()))
    })
}

/// A view of `image` by the one operation.
fn view(operation: &Operation, arithmetic: PixelArithmetic, image: Image<'_>, sample: u64) -> Vec<f32> {
    let pipeline = pipeline(vec![operation.clone()]).with_arithmetic(arithmetic);
    let view = pipeline.draw(key(sample), image.size()).unwrap();
    let mut out = vec![f32::NAN; pipeline.output_size(image.size()).values()];
    pipeline.apply(&view, image, &mut out).unwrap();
    out
}

/// Operations whose result is in [0, 1] again.
fn keeps_the_range(operation: &Operation) -> bool {
    use Operation::*;
    !matches!(
        operation,
        GaussianNoise { .. }
            | Normalize { .. }
            | Standardize { .. }
            | GlobalContrast { .. }
            | MaskPatches { fill: MaskFill::Noise { .. }, .. }
    )
}

fn flip() -> Operation {
    Operation::HorizontalFlip { probability: 1.0 }
}

proptest! {
    #[test]
    fn no_operation_is_the_bytes_over_255((size, pixels) in any_image()) {
        let out = apply(vec![], vec![], Image::new(size, &pixels).unwrap());
        for channel in 0..size.channels {
            for place in 0..size.height * size.width {
                let expected = f32::from(pixels[place * size.channels + channel]) / 255.0;
                prop_assert_eq!(out[channel * size.height * size.width + place], expected);
            }
        }
    }

    #[test]
    fn two_flips_are_none((size, pixels) in any_image()) {
        let image = Image::new(size, &pixels).unwrap();
        let flipped = Drawn::HorizontalFlip { flip: true };
        prop_assert_eq!(
            apply(vec![flip(), flip()], vec![flipped.clone(), flipped], image),
            apply(vec![], vec![], image)
        );
    }

    /// Against a scalar loop over np.pad(mode="reflect") semantics, written without index lists.
    #[test]
    fn a_shift_reflects((size, pixels) in any_image(), dx in -8i32..=8, dy in -8i32..=8) {
        let side = size.height.min(size.width) as i32;
        let (dx, dy) = (dx % side, dy % side);
        let image = Image::new(size, &pixels).unwrap();
        let out = apply(
            vec![Operation::Translate { max_pixels: side as u32 - 1 }],
            vec![Drawn::Translate { dx, dy }],
            image,
        );
        // The triangle wave of period 2(n − 1) that reflection is.
        let fold = |place: i32, length: usize| {
            let last = length as i32 - 1;
            if last == 0 { 0 } else { last - (place.rem_euclid(2 * last) - last).abs() }
        };
        let mut index = 0;
        for channel in 0..size.channels {
            for y in 0..size.height as i32 {
                for x in 0..size.width as i32 {
                    let (row, column) = (fold(y - dy, size.height), fold(x - dx, size.width));
                    let source = (row as usize * size.width + column as usize) * size.channels + channel;
                    prop_assert_eq!(out[index], f32::from(pixels[source]) / 255.0);
                    index += 1;
                }
            }
        }
    }

    /// Movements behind other operations take another path through the code than leading ones.
    #[test]
    fn movements_commute_with_normalisation((size, pixels) in any_image(), sample in any::<u64>()) {
        let side = size.height.min(size.width) as u32;
        let moves = [Operation::Translate { max_pixels: side - 1 }, flip()];
        let values = Operation::Normalize { mean: vec![0.3; size.channels], std: vec![0.2; size.channels] };
        let image = Image::new(size, &pixels).unwrap();
        let drawn = pipeline(moves.to_vec()).draw(key(sample), size).unwrap().drawn;

        let leading = apply(
            [&moves[..], std::slice::from_ref(&values)].concat(),
            [&drawn[..], &[Drawn::Deterministic]].concat(),
            image,
        );
        let trailing = apply(
            [std::slice::from_ref(&values), &moves[..]].concat(),
            [&[Drawn::Deterministic], &drawn[..]].concat(),
            image,
        );
        prop_assert_eq!(leading, trailing);
    }

    #[test]
    fn a_constant_image_stays_constant_when_moved(
        height in 1usize..10, width in 1usize..10, byte in any::<u8>(), sample in any::<u64>()
    ) {
        let size = ImageSize::new(height, width, 3);
        let pixels = vec![byte; size.values()];
        let pipeline = pipeline(vec![
            Operation::Translate { max_pixels: height.min(width) as u32 - 1 },
            Operation::HorizontalFlip { probability: 0.5 },
            Operation::Standardize { epsilon: 1e-12 },
        ]);
        let view = pipeline.draw(key(sample), size).unwrap();
        let mut out = vec![f32::NAN; size.values()];
        pipeline.apply(&view, Image::new(size, &pixels).unwrap(), &mut out).unwrap();
        prop_assert!(out.iter().all(|x| *x == 0.0), "{out:?}");
    }

    /// Of bytes and of values, whose resizing is code of its own.
    #[test]
    fn a_constant_image_is_constant_under_every_geometric_operation(
        height in 1usize..14, width in 1usize..14, channels in 1usize..4, byte in any::<u8>(), sample in any::<u64>()
    ) {
        let size = ImageSize::new(height, width, channels);
        let value = f32::from(byte) / 255.0;
        let (bytes, values) = (vec![byte; size.values()], vec![value; size.values()]);
        let mut operations = catalog::geometric(size, Border::Edge);
        operations.push(Operation::GaussianBlur { std: [0.0, 4.0], kernel: BlurKernel::Boxes });
        if height.min(width) > 1 {
            operations.push(Operation::GaussianBlur { std: [0.1, 4.0], kernel: BlurKernel::Truncated { radius: 1 } });
        }
        for operation in operations {
            for image in [Image::new(size, &bytes).unwrap(), Image::from_values(size, &values).unwrap()] {
                for arithmetic in [PixelArithmetic::Real, PixelArithmetic::Bytes] {
                    // Bytes are rounded only if they are bytes.
                    if arithmetic == PixelArithmetic::Bytes && image.bytes().is_none() {
                        continue;
                    }
                    for out in view(&operation, arithmetic, image, sample) {
                        prop_assert!((out - value).abs() <= 5e-7, "{operation}: {out} of {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_operation_gives_finite_values_and_says_which_stay_in_0_to_1(
        height in 1usize..14, width in 1usize..14, gray in any::<bool>(), seed in any::<u32>(), sample in any::<u64>(),
        extreme in any::<bool>()
    ) {
        let size = ImageSize::new(height, width, if gray { 1 } else { 3 });
        let mut bytes = crate::bytes(size, seed);
        if extreme {
            bytes.iter_mut().for_each(|byte| *byte = if *byte < 128 { 0 } else { 255 });
        }
        let image = Image::new(size, &bytes).unwrap();
        for operation in catalog::all(size) {
            for arithmetic in [PixelArithmetic::Real, PixelArithmetic::Bytes] {
                for value in view(&operation, arithmetic, image, sample) {
                    prop_assert!(value.is_finite(), "{operation}");
                    // Weights between pixels are rounded, and may add up to a little more than 1.
                    let inside = (-1e-6..=1.0 + 1e-6).contains(&value);
                    prop_assert!(inside || !keeps_the_range(&operation), "{operation}: {value}");
                }
            }
        }
    }

    /// Down to images of one pixel.
    #[test]
    fn crops_lie_inside_the_image(
        height in 1usize..70, width in 1usize..70, least in 0.001f32..1.0, most in 0.001f32..1.0,
        narrow in 0.05f32..20.0, wide in 0.05f32..20.0, sample in any::<u64>()
    ) {
        let scale = [least.min(most), least.max(most)];
        let ratio = [narrow.min(wide), narrow.max(wide)];
        let crop = Operation::RandomResizedCrop { height: 4, width: 4, scale, ratio, filter: Filter::Bilinear };
        let view = pipeline(vec![crop]).draw(key(sample), ImageSize::new(height, width, 3)).unwrap();
        let Drawn::RandomResizedCrop { top, left, height: rows, width: columns } = view.drawn[0] else {
            panic!("{view}")
        };
        prop_assert!(rows >= 1 && columns >= 1);
        prop_assert!((top + rows) as usize <= height && (left + columns) as usize <= width, "{view}");
    }

    #[test]
    fn an_image_of_values_is_taken_as_it_is((size, pixels) in any_image(), sample in any::<u64>()) {
        // In any units, and moved as bytes are.
        let values: Vec<f32> = apply(vec![], vec![], Image::new(size, &pixels).unwrap());
        let scaled: Vec<f32> = values.iter().map(|value| 1000.0 * value - 300.0).collect();
        let image = Image::from_values(size, &scaled).unwrap();
        prop_assert_eq!(apply(vec![], vec![], image), scaled.clone());
        let side = size.height.min(size.width) as u32;
        let moves = Pipeline::new("moves", vec![flip(), Operation::Translate { max_pixels: side - 1 }]).unwrap();
        let drawn = moves.draw(key(sample), size).unwrap().drawn;
        let moved = apply(moves.operations().to_vec(), drawn.clone(), Image::new(size, &pixels).unwrap());
        let expected: Vec<f32> = moved.iter().map(|value| 1000.0 * value - 300.0).collect();
        prop_assert_eq!(apply(moves.operations().to_vec(), drawn, image), expected);
    }

    #[test]
    fn shifts_stay_in_their_range(max_pixels in 0u32..32, sample in any::<u64>()) {
        let pipeline = pipeline(vec![Operation::Translate { max_pixels }]);
        let view = pipeline.draw(key(sample), ImageSize::new(32, 40, 1)).unwrap();
        let Drawn::Translate { dx, dy } = view.drawn[0] else { panic!("{view}") };
        prop_assert!(dx.unsigned_abs() <= max_pixels && dy.unsigned_abs() <= max_pixels);
    }

    #[test]
    fn every_image_gives_finite_values((size, pixels) in any_image(), sample in any::<u64>()) {
        let pipeline = pipeline(vec![
            Operation::Translate { max_pixels: size.height.min(size.width) as u32 - 1 },
            Operation::HorizontalFlip { probability: 0.5 },
            Operation::Standardize { epsilon: 1e-12 },
            Operation::GaussianNoise { std: 0.15 },
            Operation::Normalize { mean: vec![0.5; size.channels], std: vec![0.01; size.channels] },
        ]);
        let view = pipeline.draw(key(sample), size).unwrap();
        let mut out = vec![f32::NAN; size.values()];
        pipeline.apply(&view, Image::new(size, &pixels).unwrap(), &mut out).unwrap();
        prop_assert!(out.iter().all(|x| x.is_finite()), "{out:?}");
    }

    /// Operations at the strength at which they change nothing.
    #[test]
    fn some_strengths_are_the_identity(
        height in 1usize..14, width in 1usize..14, gray in any::<bool>(), seed in any::<u32>(), sample in any::<u64>()
    ) {
        let size = ImageSize::new(height, width, if gray { 1 } else { 3 });
        let pixels = crate::bytes(size, seed);
        let image = Image::new(size, &pixels).unwrap();
        let same = apply(vec![], vec![], image);
        let none = Magnitudes::Torchvision { magnitude: 0, bins: 31 };
        // All but those that have no strength, and Solarize, which inverts white at its weakest.
        let pool = Augment::ALL.into_iter().filter(|augment| {
            !matches!(augment, Augment::AutoContrast | Augment::Equalize | Augment::Solarize)
        });
        for operation in [
            Operation::Posterize { probability: 1.0, bits: [8, 8] },
            Operation::Sharpness { probability: 1.0, factor: [1.0, 1.0] },
            Operation::Shear { max_x: 0.0, max_y: 0.0, border: Border::Fill(0.0) },
            Operation::MaskPatches { share: 0.0, patch: 1, fill: MaskFill::Value(0.5) },
            Operation::RandAugment { ops: 4, pool: pool.collect(), magnitudes: none },
        ] {
            for arithmetic in [PixelArithmetic::Real, PixelArithmetic::Bytes] {
                for (ours, same) in view(&operation, arithmetic, image, sample).iter().zip(&same) {
                    prop_assert!((ours - same).abs() < 1e-6, "{operation}: {ours} for {same}");
                }
            }
        }
    }

    /// Stretched contrast uses the whole range; it and equalising keep the order of values.
    #[test]
    fn contrast_is_stretched_and_order_kept(
        height in 1usize..20, width in 1usize..20, low in 0u8..200, span in 1u8..55, seed in any::<u32>()
    ) {
        let size = ImageSize::new(height, width, 1);
        let pixels: Vec<u8> = crate::bytes(size, seed).iter().map(|byte| low + byte % span).collect();
        let image = Image::new(size, &pixels).unwrap();
        let constant = pixels.iter().all(|byte| *byte == pixels[0]);
        for arithmetic in [PixelArithmetic::Real, PixelArithmetic::Bytes] {
            let stretched = view(&Operation::AutoContrast { probability: 1.0 }, arithmetic, image, 0);
            let least = stretched.iter().copied().fold(f32::INFINITY, f32::min);
            let most = stretched.iter().copied().fold(0.0, f32::max);
            // Pillow cuts off what f64 leaves of 255: for some ranges 254.
            let full = if arithmetic == PixelArithmetic::Real { 1.0 } else { 254.0 / 255.0 };
            prop_assert!(constant || (least == 0.0 && most >= full), "{least} to {most}");
            let equalized = view(&Operation::Equalize { probability: 1.0 }, arithmetic, image, 0);
            for changed in [&stretched, &equalized] {
                let mut pairs: Vec<(u8, f32)> = pixels.iter().copied().zip(changed.iter().copied()).collect();
                pairs.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
                prop_assert!(pairs.windows(2).all(|pair| pair[0].1 <= pair[1].1));
                // Equal values stay equal.
                prop_assert!(pairs.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 == pair[1].1));
            }
        }
    }

    /// Exactly the drawn share of patches is filled, and nothing else changes.
    #[test]
    fn a_mask_covers_its_share(
        height in 1usize..30, width in 1usize..30, patch in 1u32..9, share in 0.0f32..=1.0, sample in any::<u64>()
    ) {
        let patch = patch.min(height.min(width) as u32);
        let size = ImageSize::new(height, width, 3);
        let pixels = vec![255; size.values()];
        let mask = Operation::MaskPatches { share, patch, fill: MaskFill::Value(0.0) };
        let values = view(&mask, PixelArithmetic::Real, Image::new(size, &pixels).unwrap(), sample);
        prop_assert!(values.iter().all(|value| [0.0, 1.0].contains(value)));
        let patch = patch as usize;
        let (rows, columns) = (height.div_ceil(patch), width.div_ceil(patch));
        let mut masked = 0;
        for index in 0..rows * columns {
            let (top, left) = (index / columns * patch, index % columns * patch);
            for channel in 0..3 {
                for y in top..(top + patch).min(height) {
                    for x in left..(left + patch).min(width) {
                        // All of a patch is as its corner.
                        let value = values[(channel * height + y) * width + x];
                        prop_assert_eq!(value, values[top * width + left]);
                    }
                }
            }
            masked += usize::from(values[top * width + left] == 0.0);
        }
        prop_assert_eq!(masked, (f64::from(share) * (rows * columns) as f64).round() as usize);
    }
}
