//! Operations without a counterpart in torchvision, against loops written from their definition.

use slowburn_augment::{BlurKernel, Border, Drawn, Image, ImageSize, Operation, RotationFilter};

use crate::{apply, bytes};

const SIZE: ImageSize = ImageSize { height: 9, width: 7, channels: 3 };

/// The value of the image at a place, in [0, 1].
fn at(pixels: &[u8], y: usize, x: usize, channel: usize) -> f64 {
    f64::from(pixels[(y * SIZE.width + x) * SIZE.channels + channel]) / 255.0
}

/// Every place of the output with its value.
fn places(out: &[f32]) -> impl Iterator<Item = ([usize; 3], f64)> {
    out.iter().enumerate().map(|(index, value)| {
        let (plane, place) = (index / (SIZE.height * SIZE.width), index % (SIZE.height * SIZE.width));
        ([place / SIZE.width, place % SIZE.width, plane], f64::from(*value))
    })
}

#[test]
fn a_cutout_fills_its_square_and_nothing_else() {
    let pixels = bytes(SIZE, 1);
    let image = Image::new(SIZE, &pixels).unwrap();
    for side in [1_u32, 2, 3, 4, 30] {
        for (center_x, center_y) in [(0_u32, 0_u32), (3, 4), (6, 8), (6, 0)] {
            let cutout = Operation::Cutout { side, fill: -0.5 };
            let out = apply(vec![cutout], vec![Drawn::Cutout { x: center_x, y: center_y }], image);
            for ([y, x, channel], value) in places(&out) {
                // `side` pixels around the centre; of an even number the centre has one less behind it.
                let inside = |place: usize, center: u32| {
                    let distance = place as i64 - i64::from(center);
                    -i64::from(side / 2) <= distance && distance < i64::from(side - side / 2)
                };
                let covered = inside(x, center_x) && inside(y, center_y);
                let expected = if covered { -0.5 } else { at(&pixels, y, x, channel) };
                assert!((value - expected).abs() < 1e-7, "side {side} at ({center_x}, {center_y}): ({x}, {y})");
            }
        }
    }
}

#[test]
fn global_contrast_has_mean_0_and_its_norm() {
    let pixels = bytes(SIZE, 2);
    let contrast = Operation::GlobalContrast { scale: 55.0, min_norm: 1e-8 };
    let out = apply(vec![contrast.clone()], vec![Drawn::Deterministic], Image::new(SIZE, &pixels).unwrap());
    let count = SIZE.values() as f64;
    let mean = pixels.iter().map(|byte| f64::from(*byte) / 255.0).sum::<f64>() / count;
    let norm = pixels.iter().map(|byte| (f64::from(*byte) / 255.0 - mean).powi(2)).sum::<f64>().sqrt();
    for ([y, x, channel], value) in places(&out) {
        let expected = 55.0 * (at(&pixels, y, x, channel) - mean) / norm;
        assert!((value - expected).abs() < 1e-5, "{value} and {expected}");
    }
    // A constant image has no contrast to normalise: it is only centred.
    let flat = apply(vec![contrast], vec![Drawn::Deterministic], Image::new(SIZE, &[7; 189]).unwrap());
    assert!(flat.iter().all(|value| *value == 0.0));
}

#[test]
fn a_truncated_gaussian_is_the_sum_over_its_neighbourhood() {
    let pixels = bytes(SIZE, 3);
    let (std, radius) = (1.3_f32, 3);
    let blur = Operation::GaussianBlur { std: [0.0, 9.0], kernel: BlurKernel::Truncated { radius } };
    let out = apply(vec![blur], vec![Drawn::GaussianBlur { std }], Image::new(SIZE, &pixels).unwrap());
    let radius = i64::from(radius);
    let weight = |distance: i64| (-0.5 * (distance as f64 / f64::from(std)).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let fold = |place: i64, length: usize| {
        let last = length as i64 - 1;
        (last - (place.rem_euclid(2 * last) - last).abs()) as usize
    };
    for ([y, x, channel], value) in places(&out) {
        let mut expected = 0.0;
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                let place = [fold(y as i64 + dy, SIZE.height), fold(x as i64 + dx, SIZE.width)];
                expected += weight(dy) * weight(dx) / total.powi(2) * at(&pixels, place[0], place[1], channel);
            }
        }
        assert!((value - expected).abs() < 2e-6, "({x}, {y}): {value} and {expected}");
    }
}

/// What the steps of a square turn mean needs no arithmetic.
#[test]
fn a_quarter_turn_of_a_square_moves_whole_pixels() {
    let size = ImageSize::new(5, 5, 3);
    let pixels = bytes(size, 4);
    let upright = apply(vec![], vec![], Image::new(size, &pixels).unwrap());
    for filter in [RotationFilter::Nearest, RotationFilter::Bilinear] {
        let rotate = Operation::Rotate { max_degrees: 180.0, filter, border: Border::Fill(9.0) };
        let turned = |degrees| {
            let drawn = vec![Drawn::Rotate { degrees }];
            apply(vec![rotate.clone()], drawn, Image::new(size, &pixels).unwrap())
        };
        assert_eq!(turned(0.0), upright);
        for (index, value) in turned(90.0).iter().enumerate() {
            // Counter-clockwise: the top row was the right column.
            let (plane, y, x) = (index / 25, index % 25 / 5, index % 5);
            let expected = upright[plane * 25 + x * 5 + (4 - y)];
            assert!((value - expected).abs() < 1e-6, "{filter:?} ({x}, {y}): {value} and {expected}");
        }
        let reversed: Vec<f32> = upright.chunks(25).flat_map(|plane| plane.iter().rev()).copied().collect();
        let half = turned(180.0);
        assert!(half.iter().zip(&reversed).all(|(a, b)| (a - b).abs() < 1e-6), "{filter:?}: {half:?}");
    }
}

#[test]
fn strengths_of_0_change_nothing() {
    let pixels = bytes(SIZE, 5);
    let image = Image::new(SIZE, &pixels).unwrap();
    let plain = apply(vec![], vec![], image);
    let jitter = Operation::ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };
    let blur = |kernel| Operation::GaussianBlur { std: [0.0, 0.0], kernel };
    for operation in [
        jitter,
        blur(BlurKernel::Boxes),
        blur(BlurKernel::Truncated { radius: 1 }),
        Operation::Rotate { max_degrees: 0.0, filter: RotationFilter::Bilinear, border: Border::Fill(9.0) },
        Operation::Translate { max_pixels: 0 },
        Operation::GaussianNoise { std: 0.0 },
        Operation::Grayscale { probability: 0.0 },
        Operation::Solarize { probability: 0.0, threshold: 0.0 },
        Operation::RandomApply { probability: 0.0, operations: vec![Operation::Cutout { side: 9, fill: 9.0 }] },
    ] {
        for sample in 0..20 {
            let pipeline = crate::pipeline(vec![operation.clone()]);
            let view = pipeline.draw(crate::key(sample), SIZE).unwrap();
            let mut out = vec![f32::NAN; SIZE.values()];
            pipeline.apply(&view, image, &mut out).unwrap();
            assert_eq!(out, plain, "{pipeline}");
        }
    }
}
