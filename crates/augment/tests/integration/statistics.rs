//! Distributions of the draws, with fixed seeds: these tests pass always or never.

use slowburn_augment::{
    Adjustment, Augmented, BlurKernel, Border, Drawn, Filter, Image, ImageSize, MaskFill, Operation, RotationFilter,
};

use crate::{key, pipeline};

const DRAWS: u64 = 20_000;

/// What the only operation of a pipeline draws for colour images of 32×32, many times.
fn drawn(operation: Operation) -> impl Iterator<Item = Drawn> {
    drawn_for(ImageSize::new(32, 32, 3), operation)
}

fn drawn_for(size: ImageSize, operation: Operation) -> impl Iterator<Item = Drawn> {
    let pipeline = pipeline(vec![operation]);
    (0..DRAWS).map(move |sample| pipeline.draw(key(sample), size).unwrap().drawn.remove(0))
}

/// The Kolmogorov-Smirnov test of values against the uniform distribution on [low, high], at a significance of 0.001.
fn assert_uniform(what: &str, values: impl IntoIterator<Item = f64>, [low, high]: [f64; 2]) {
    let mut values: Vec<f64> = values.into_iter().map(|value| (value - low) / (high - low)).collect();
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    assert!(count > 1000.0, "{what}: only {count} values");
    let distances = values.iter().enumerate().map(|(rank, value)| {
        let rank = rank as f64;
        (value - rank / count).abs().max(((rank + 1.0) / count - value).abs())
    });
    let distance = distances.fold(0.0, f64::max);
    // 1.95/√n is exceeded by one sample in a thousand.
    assert!(distance < 1.95 / count.sqrt(), "{what}: distance {distance} of {count} values");
}

fn assert_rate(what: &str, hits: usize, of: usize, p: f64) {
    let rate = hits as f64 / of as f64;
    // Four standard deviations of a binomial rate; exact at 0 and 1.
    let tolerance = 4.0 * (p * (1.0 - p) / of as f64).sqrt();
    assert!((rate - p).abs() <= tolerance, "{what}: {rate} for {p}");
}

#[test]
fn flips_come_at_their_rate() {
    for probability in [0.0, 0.1, 0.5, 1.0] {
        let flips = drawn(Operation::HorizontalFlip { probability })
            .filter(|drawn| *drawn == Drawn::HorizontalFlip { flip: true })
            .count();
        assert_rate("flip", flips, DRAWS as usize, f64::from(probability));
    }
}

#[test]
fn everything_with_a_probability_has_it() {
    let normalize = Operation::Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] };
    for probability in [0.0, 0.2, 0.8, 1.0] {
        for operation in [
            Operation::Grayscale { probability },
            Operation::Solarize { probability, threshold: 0.5 },
            Operation::RandomApply { probability, operations: vec![normalize.clone()] },
            Operation::AutoContrast { probability },
            Operation::Equalize { probability },
            Operation::Posterize { probability, bits: [4, 8] },
            Operation::Sharpness { probability, factor: [0.1, 1.9] },
        ] {
            let name = operation.name();
            let applied = drawn(operation).filter(|drawn| match drawn {
                Drawn::Grayscale { gray } => *gray,
                Drawn::Solarize { solarize } => *solarize,
                Drawn::RandomApply { drawn } => drawn.is_some(),
                Drawn::AutoContrast { stretch } => *stretch,
                Drawn::Equalize { equalize } => *equalize,
                Drawn::Posterize { bits } => bits.is_some(),
                Drawn::Sharpness { factor } => factor.is_some(),
                other => panic!("{other:?}"),
            });
            assert_rate(name, applied.count(), DRAWS as usize, f64::from(probability));
        }
    }
}

/// Two operations of one pipeline must not share their numbers.
#[test]
fn operations_are_independent() {
    let gray = |probability| Operation::Grayscale { probability };
    let nested = Operation::RandomApply { probability: 1.0, operations: vec![gray(0.5), gray(0.5)] };
    let pipeline = pipeline(vec![gray(0.5), gray(0.5), nested]);
    let is_gray = |drawn: &Drawn| *drawn == Drawn::Grayscale { gray: true };
    let mut counts = [0_u32; 16];
    for sample in 0..DRAWS {
        let view = pipeline.draw(key(sample), ImageSize::new(4, 4, 3)).unwrap();
        let Drawn::RandomApply { drawn: Some(inner) } = &view.drawn[2] else { panic!("{view}") };
        let all = [&view.drawn[0], &view.drawn[1], &inner[0], &inner[1]];
        counts[all.iter().fold(0, |index, drawn| 2 * index + usize::from(is_gray(drawn)))] += 1;
    }
    // χ² of the 16 outcomes: 15 degrees of freedom, 99.9th percentile 37.7.
    let expected = DRAWS as f64 / 16.0;
    let chi_squared: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(chi_squared < 37.7, "χ² {chi_squared}, {counts:?}");
}

/// Of a large image, where rounding the sides to pixels does not show, and with shares that always fit.
#[test]
fn crops_have_a_uniform_area_and_a_log_uniform_ratio() {
    const SIDE: u32 = 4000;
    let size = ImageSize::new(SIDE as usize, SIDE as usize, 3);
    let crop = Operation::RandomResizedCrop {
        height: 8,
        width: 8,
        scale: [0.2, 0.6],
        ratio: [0.75, 4.0 / 3.0],
        filter: Filter::Bilinear,
    };
    let boxes: Vec<[f64; 4]> = drawn_for(size, crop)
        .map(|drawn| match drawn {
            Drawn::RandomResizedCrop { top, left, height, width } => [top, left, height, width].map(f64::from),
            other => panic!("{other:?}"),
        })
        .collect();
    let side = f64::from(SIDE);
    assert_uniform("area", boxes.iter().map(|[_, _, height, width]| height * width / side / side), [0.2, 0.6]);
    let log_ratio = |[_, _, height, width]: &[f64; 4]| (width / height).ln();
    assert_uniform("ratio", boxes.iter().map(log_ratio), [0.75_f64.ln(), (4.0_f64 / 3.0).ln()]);
    // The corner is uniform over what the box leaves. Half a pixel, since it is a whole number.
    let place = |start: f64, length: f64| (start + 0.5) / (side - length + 1.0);
    assert_uniform("top", boxes.iter().map(|[top, _, height, _]| place(*top, *height)), [0.0, 1.0]);
    assert_uniform("left", boxes.iter().map(|[_, left, _, width]| place(*left, *width)), [0.0, 1.0]);
}

/// Where nearly no drawn box fits, the largest centred one with a ratio in the range is taken, as torchvision does.
#[test]
fn a_crop_that_does_not_fit_is_the_middle() {
    let crop = |ratio| Operation::RandomResizedCrop {
        height: 8,
        width: 8,
        scale: [1.0, 1.0],
        ratio,
        filter: Filter::Bilinear,
    };
    for (size, ratio, middle) in [
        (ImageSize::new(100, 20, 3), [0.75, 4.0 / 3.0], [36, 0, 27, 20]),
        (ImageSize::new(20, 100, 3), [0.75, 4.0 / 3.0], [0, 36, 20, 27]),
    ] {
        let [top, left, height, width] = middle;
        for drawn in drawn_for(size, crop(ratio)).take(100) {
            assert_eq!(drawn, Drawn::RandomResizedCrop { top, left, height, width });
        }
    }
}

#[test]
fn jitter_is_uniform_in_its_ranges_and_in_any_order() {
    let jitter = Operation::ColorJitter { brightness: 0.4, contrast: 0.3, saturation: 1.5, hue: 0.1 };
    let mut factors = [const { Vec::new() }; 4];
    let mut orders = std::collections::BTreeMap::new();
    for drawn in drawn(jitter) {
        let Drawn::ColorJitter { adjustments } = drawn else { panic!("{drawn:?}") };
        let order: Vec<usize> = adjustments
            .iter()
            .map(|adjustment| {
                let (kind, value) = match adjustment {
                    Adjustment::Brightness(factor) => (0, factor),
                    Adjustment::Contrast(factor) => (1, factor),
                    Adjustment::Saturation(factor) => (2, factor),
                    Adjustment::Hue(turn) => (3, turn),
                    other => panic!("{other:?} is not among the four"),
                };
                factors[kind].push(f64::from(*value));
                kind
            })
            .collect();
        *orders.entry(order).or_insert(0_u32) += 1;
    }
    let [brightness, contrast, saturation, hue] = factors;
    assert_uniform("brightness", brightness, [0.6, 1.4]);
    assert_uniform("contrast", contrast, [0.7, 1.3]);
    // No factor is negative.
    assert_uniform("saturation", saturation, [0.0, 2.5]);
    assert_uniform("hue", hue, [-0.1, 0.1]);
    // χ² of the 24 orders: 23 degrees of freedom, 99.9th percentile 49.7.
    assert_eq!(orders.len(), 24);
    let expected = DRAWS as f64 / 24.0;
    let chi_squared: f64 = orders.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(chi_squared < 49.7, "χ² {chi_squared}");
}

#[test]
fn angles_and_blurs_are_uniform() {
    let rotate = Operation::Rotate { max_degrees: 10.0, filter: RotationFilter::Nearest, border: Border::Fill(0.0) };
    let angles = drawn(rotate).map(|drawn| match drawn {
        Drawn::Rotate { degrees } => f64::from(degrees),
        other => panic!("{other:?}"),
    });
    assert_uniform("angle", angles, [-10.0, 10.0]);
    let blurs = drawn(Operation::GaussianBlur { std: [0.1, 2.0], kernel: BlurKernel::Boxes });
    let stds = blurs.map(|drawn| match drawn {
        Drawn::GaussianBlur { std } => f64::from(std),
        other => panic!("{other:?}"),
    });
    assert_uniform("std", stds, [0.1, 2.0]);
}

#[test]
fn every_pixel_is_the_centre_of_a_cutout_as_often() {
    const SIDE: usize = 5;
    let mut counts = [[0_u32; SIDE]; SIDE];
    for drawn in drawn_for(ImageSize::new(SIDE, SIDE, 3), Operation::Cutout { side: 3, fill: 0.0 }) {
        let Drawn::Cutout { x, y } = drawn else { panic!("{drawn:?}") };
        counts[y as usize][x as usize] += 1;
    }
    assert_even(&counts);
}

#[test]
fn shifts_are_uniform_per_axis_and_independent() {
    const MAX: i32 = 2;
    const SIDE: usize = 5;
    let mut counts = [[0u32; SIDE]; SIDE];
    for drawn in drawn(Operation::Translate { max_pixels: 2 }) {
        let Drawn::Translate { dx, dy } = drawn else {
            panic!("{drawn:?}");
        };
        counts[(dy + MAX) as usize][(dx + MAX) as usize] += 1;
    }
    assert_even(&counts);
}

/// χ² of 25 pairs: 24 degrees of freedom, 99.9th percentile 51.2.
fn assert_even(counts: &[[u32; 5]; 5]) {
    let expected = DRAWS as f64 / 25.0;
    let chi_squared: f64 = counts.iter().flatten().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(chi_squared < 51.2, "χ² {chi_squared}, {counts:?}");
}

#[test]
fn noise_has_its_mean_and_standard_deviation() {
    let size = ImageSize::new(100, 100, 3);
    let pixels = vec![51; size.values()]; // 0.2
    let image = Image::new(size, &pixels).unwrap();
    let pipeline = pipeline(vec![Operation::GaussianNoise { std: 0.15 }]);
    let view = pipeline.draw(key(0), size).unwrap();
    let mut out = vec![0.0; size.values()];
    pipeline.apply(&view, image, &mut out).unwrap();

    let noise: Vec<f64> = out.iter().map(|x| f64::from(*x) - 0.2).collect();
    assert_noise(&noise, 0.15);
    // Neighbours are independent.
    let count = noise.len() as f64;
    let product = noise.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / count;
    assert!(product.abs() < 4.0 * 0.15 * 0.15 / count.sqrt(), "{product}");
}

/// Mean 0 and this standard deviation, each within four standard errors: σ/√n and σ/√(2n).
fn assert_noise(noise: &[f64], expected: f64) {
    let count = noise.len() as f64;
    let mean = noise.iter().sum::<f64>() / count;
    let std = (noise.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!(mean.abs() < 4.0 * expected / count.sqrt(), "mean {mean}");
    assert!((std - expected).abs() < 4.0 * expected / (2.0 * count).sqrt(), "std {std}");
}

/// What `RandAugment` applied, operation by operation.
fn augmented(operation: Operation) -> impl Iterator<Item = Vec<Augmented>> {
    drawn(operation).map(|drawn| match drawn {
        Drawn::RandAugment { applied } => applied,
        other => panic!("{other:?}"),
    })
}

/// The kind of an operation, and its number.
fn kind(augmented: &Augmented) -> (usize, f64) {
    match *augmented {
        Augmented::Identity => (0, 0.0),
        Augmented::AutoContrast => (1, 0.0),
        Augmented::Equalize => (2, 0.0),
        Augmented::Rotate(x) => (3, x.into()),
        Augmented::Solarize(x) => (4, x.into()),
        Augmented::Color(x) => (5, x.into()),
        Augmented::Contrast(x) => (6, x.into()),
        Augmented::Brightness(x) => (7, x.into()),
        Augmented::Sharpness(x) => (8, x.into()),
        Augmented::ShearX(x) => (9, x.into()),
        Augmented::ShearY(x) => (10, x.into()),
        Augmented::TranslateX(x) => (11, x.into()),
        Augmented::TranslateY(x) => (12, x.into()),
        Augmented::Posterize(x) => (13, x.into()),
        other => panic!("{other:?} is not among the fourteen"),
    }
}

#[test]
fn rand_augment_draws_every_pair_of_operations_as_often() {
    for operation in [Operation::fixmatch_rand_augment(2), Operation::torchvision_rand_augment(2, 9)] {
        let mut counts = [[0_u32; 14]; 14];
        for applied in augmented(operation) {
            let [first, second] = applied[..] else { panic!("{applied:?}") };
            counts[kind(&first).0][kind(&second).0] += 1;
        }
        // χ² of 196 pairs: 195 degrees of freedom, 99.9th percentile 261.
        let expected = DRAWS as f64 / 196.0;
        let squares = counts.iter().flatten().map(|count| (f64::from(*count) - expected).powi(2) / expected);
        let chi_squared: f64 = squares.sum();
        assert!(chi_squared < 261.0, "χ² {chi_squared}, {counts:?}");
    }
}

#[test]
fn fixmatchs_magnitudes_are_uniform_in_their_ranges() {
    let mut numbers = [const { Vec::new() }; 14];
    for augmented in augmented(Operation::fixmatch_rand_augment(2)).flatten() {
        let (kind, number) = kind(&augmented);
        numbers[kind].push(number);
    }
    let ranges = [(3, [-30.0, 30.0]), (4, [0.0, 1.0]), (9, [-0.3, 0.3]), (10, [-0.3, 0.3])];
    let factors = [5, 6, 7, 8].map(|kind| (kind, [0.1, 1.9]));
    for (kind, range) in ranges.into_iter().chain(factors) {
        assert_uniform(&format!("kind {kind}"), numbers[kind].iter().copied(), range);
    }
    // ±0.3 of 32 pixels is ±9.6, so ±10 come 0.1/19.2 of the time each, all else 1/19.2.
    for shifts in [&numbers[11], &numbers[12]] {
        assert_rate("a shift of 10", shifts.iter().filter(|shift| **shift == 10.0).count(), shifts.len(), 0.1 / 19.2);
        assert_rate("a shift of -3", shifts.iter().filter(|shift| **shift == -3.0).count(), shifts.len(), 1.0 / 19.2);
    }
    for bits in 4..=8 {
        let count = numbers[13].iter().filter(|number| **number == f64::from(bits)).count();
        assert_rate("bits", count, numbers[13].len(), 0.2);
    }
}

#[test]
fn torchvisions_magnitudes_have_one_size_and_two_signs() {
    let mut numbers = [const { Vec::new() }; 14];
    for augmented in augmented(Operation::torchvision_rand_augment(2, 9)).flatten() {
        let (kind, number) = kind(&augmented);
        numbers[kind].push(number);
    }
    let signed = [3, 5, 6, 7, 8, 9, 10, 11, 12];
    let sizes = [9.0, 0.27, 0.27, 0.27, 0.27, 0.09, 0.09, 4.0, 4.0];
    for (kind, size) in signed.into_iter().zip(sizes) {
        let center = if (5..=8).contains(&kind) { 1.0 } else { 0.0 };
        let offsets: Vec<f64> = numbers[kind].iter().map(|number| number - center).collect();
        assert!(offsets.iter().all(|offset| (offset.abs() - size).abs() < 1e-6), "kind {kind}");
        assert_rate("a sign", offsets.iter().filter(|offset| **offset < 0.0).count(), offsets.len(), 0.5);
    }
    assert!(numbers[13].iter().all(|bits| *bits == 7.0) && numbers[4].iter().all(|x| (x - 0.7).abs() < 1e-6));
}

/// Every set of patches as often: each patch, and without replacement.
#[test]
fn masks_are_uniform() {
    let size = ImageSize::new(8, 8, 1);
    let mask = Operation::MaskPatches { share: 0.25, patch: 2, fill: MaskFill::Value(0.0) };
    let (mut single, mut sets) = ([0; 16], std::collections::BTreeMap::new());
    for drawn in drawn_for(size, mask) {
        let Drawn::MaskPatches { patches, noise: None } = drawn else { panic!("{drawn:?}") };
        assert_eq!(patches.len(), 4);
        patches.iter().for_each(|patch| single[*patch as usize] += 1);
        *sets.entry(patches).or_insert(0_u32) += 1;
    }
    for count in single {
        assert_rate("a patch", count, DRAWS as usize, 0.25);
    }
    // χ² of the 1,820 sets of 4 of 16: 1,819 degrees of freedom, 99.9th percentile 2,011. Sets that never came count too.
    let expected = DRAWS as f64 / 1820.0;
    let seen: f64 = sets.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let chi_squared = seen + (1820 - sets.len()) as f64 * expected;
    assert!(chi_squared < 2011.0, "χ² {chi_squared}");
}

/// Noise in the holes of a mask: mean 0, the std that was asked for, and nothing outside of them.
#[test]
fn the_noise_of_masks_has_its_mean_and_standard_deviation() {
    let size = ImageSize::new(128, 128, 3);
    let pixels = vec![204; size.values()]; // 0.8
    let image = Image::new(size, &pixels).unwrap();
    let mask = Operation::MaskPatches { share: 0.5, patch: 8, fill: MaskFill::Noise { std: 0.3 } };
    let pipeline = pipeline(vec![mask]);
    let mut out = vec![0.0; size.values()];
    pipeline.apply(&pipeline.draw(key(0), size).unwrap(), image, &mut out).unwrap();

    let noise: Vec<f64> = out.iter().filter(|&&value| (value - 0.8).abs() > 1e-6).map(|&value| value.into()).collect();
    assert_eq!(noise.len(), size.values() / 2);
    assert_noise(&noise, 0.3);
}

#[test]
fn shears_and_sharpness_are_uniform() {
    let shear = Operation::Shear { max_x: 0.3, max_y: 0.1, border: Border::Edge };
    let slopes: Vec<[f64; 2]> = drawn(shear)
        .map(|drawn| match drawn {
            Drawn::Shear { x, y } => [x.into(), y.into()],
            other => panic!("{other:?}"),
        })
        .collect();
    assert_uniform("rows", slopes.iter().map(|[x, _]| *x), [-0.3, 0.3]);
    assert_uniform("columns", slopes.iter().map(|[_, y]| *y), [-0.1, 0.1]);
    let factors =
        drawn(Operation::Sharpness { probability: 0.5, factor: [0.1, 1.9] }).filter_map(|drawn| match drawn {
            Drawn::Sharpness { factor } => factor.map(f64::from),
            other => panic!("{other:?}"),
        });
    assert_uniform("sharpness", factors, [0.1, 1.9]);
}
