//! Properties that hold for any image.

use proptest::prelude::*;
use slowburn_augment::{Drawn, Image, ImageSize, Operation};

use crate::{apply, key, pipeline};

/// An image of any size from 1×1×1 to 9×9×3 with any bytes.
fn any_image() -> impl Strategy<Value = (ImageSize, Vec<u8>)> {
    (1usize..10, 1usize..10, 1usize..4).prop_flat_map(|(height, width, channels)| {
        let size = ImageSize::new(height, width, channels);
        (Just(size), proptest::collection::vec(any::<u8>(), size.values()))
    })
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
}
