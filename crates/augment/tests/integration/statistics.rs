//! Distributions of the draws, with fixed seeds: these tests pass always or never.

use slowburn_augment::{Drawn, Image, ImageSize, Operation};

use crate::{key, pipeline};

const DRAWS: u64 = 20_000;

/// What the only operation of a pipeline draws, many times.
fn drawn(operation: Operation) -> impl Iterator<Item = Drawn> {
    let pipeline = pipeline(vec![operation]);
    (0..DRAWS).map(move |sample| {
        let view = pipeline.draw(key(sample), ImageSize::new(32, 32, 1));
        view.unwrap().drawn.remove(0)
    })
}

#[test]
fn flips_come_at_their_rate() {
    for probability in [0.0, 0.1, 0.5, 1.0] {
        let flips = drawn(Operation::HorizontalFlip { probability })
            .filter(|drawn| *drawn == Drawn::HorizontalFlip { flip: true })
            .count();
        let rate = flips as f64 / DRAWS as f64;
        let p = f64::from(probability);
        // Four standard deviations of a binomial rate; exact at 0 and 1.
        let tolerance = 4.0 * (p * (1.0 - p) / DRAWS as f64).sqrt();
        assert!((rate - p).abs() <= tolerance, "{rate} for {probability}");
    }
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
    // χ² of the 25 pairs: 24 degrees of freedom, 99.9th percentile 51.2.
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
