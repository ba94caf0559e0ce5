//! Distributions of the draws, with fixed seeds: these tests pass always or never.

use slowburn_augment::{Adjustment, BlurKernel, Border, Drawn, Filter, Image, ImageSize, Operation, RotationFilter};

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
        ] {
            let name = operation.name();
            let applied = drawn(operation).filter(|drawn| match drawn {
                Drawn::Grayscale { gray } => *gray,
                Drawn::Solarize { solarize } => *solarize,
                Drawn::RandomApply { drawn } => drawn.is_some(),
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
    let count = noise.len() as f64;
    let mean = noise.iter().sum::<f64>() / count;
    let std = (noise.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    // Four standard errors: σ/√n and σ/√(2n).
    assert!(mean.abs() < 4.0 * 0.15 / count.sqrt(), "mean {mean}");
    assert!((std - 0.15).abs() < 4.0 * 0.15 / (2.0 * count).sqrt(), "std {std}");
    // Neighbours are independent.
    let product = noise.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / count;
    assert!(product.abs() < 4.0 * 0.15 * 0.15 / count.sqrt(), "{product}");
}
