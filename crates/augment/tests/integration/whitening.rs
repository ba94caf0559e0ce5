//! ZCA whitening against its equation and against NumPy (`tests/fixtures/generate_whitening.py`).

use serde::Deserialize;
use slowburn_augment::{
    AugmentError, Image, ImageSize, Operation, Pipeline, Whitening, WhiteningConfig, WhiteningError, presets,
};

use crate::{bytes, key, pipeline};

fn plain(bias: f64) -> WhiteningConfig {
    WhiteningConfig::new(pipeline(vec![])).with_bias(bias)
}

fn images(size: ImageSize, pixels: &[u8]) -> Vec<Image<'_>> {
    pixels.chunks_exact(size.values()).map(|pixels| Image::new(size, pixels).unwrap()).collect()
}

#[derive(Deserialize)]
struct Fixture {
    height: usize,
    width: usize,
    channels: usize,
    train: usize,
    pixels: Vec<u8>,
    mean: Vec<f32>,
    white: Vec<f32>,
}

#[test]
fn mean_teachers_whitening_is_numpys() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/whitening.json")).unwrap();
    let size = ImageSize::new(fixture.height, fixture.width, fixture.channels);
    let images = images(size, &fixture.pixels);
    let whitening = WhiteningConfig::mean_teacher_cifar().fit(&images[..fixture.train]).unwrap();
    let close = |ours: &[f32], theirs: &[f32], tolerance: f32| {
        assert_eq!(ours.len(), theirs.len());
        let largest = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest <= tolerance, "{largest}");
    };
    // Values of up to 30 before, and prepared in f32.
    close(whitening.mean(), &fixture.mean, 2e-5);
    // Images that it was fitted on and images that it was not.
    close(&whitening.apply(&images).unwrap(), &fixture.white, 5e-5);
}

#[test]
fn two_values_have_the_closed_form() {
    let size = ImageSize::new(2, 1, 1);
    let pixels = bytes(ImageSize::new(40, 2, 1), 3);
    let bias = 0.03;
    let whitening = plain(bias).fit(&images(size, &pixels)).unwrap();
    let pairs: Vec<[f64; 2]> = pixels.chunks(2).map(|pair| [0, 1].map(|i| f64::from(pair[i]) / 255.0)).collect();
    let mean = |of: &dyn Fn(&[f64; 2]) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let [x, y] = [mean(&|pair| pair[0]), mean(&|pair| pair[1])];
    let a = mean(&|pair| (pair[0] - x).powi(2)) + bias;
    let b = mean(&|pair| (pair[0] - x) * (pair[1] - y));
    let c = mean(&|pair| (pair[1] - y).powi(2)) + bias;
    // The root of a symmetric 2×2 matrix M is (M + √det·I) / t with t = √(trace + 2√det); its determinant is √det.
    let det = (a * c - b * b).sqrt();
    let t = (a + c + 2.0 * det).sqrt();
    let inverse = [(c + det) / t / det, -b / t / det, -b / t / det, (a + det) / t / det];
    for (ours, expected) in whitening.matrix().iter().zip(inverse) {
        assert!((f64::from(*ours) - expected).abs() < 1e-6 * expected.abs().max(1.0), "{ours} and {expected}");
    }
}

#[test]
fn the_training_images_come_out_white() {
    let size = ImageSize::new(3, 3, 2);
    let count = 1500; // more than one block
    let pixels = bytes(ImageSize::new(count, 9, 2), 1);
    let images = images(size, &pixels);
    // With next to no bias the covariance is the identity.
    let white = plain(1e-9).fit(&images).unwrap().apply(&images).unwrap();
    let dims = size.values();
    for i in 0..dims {
        let mean = white.chunks(dims).map(|x| f64::from(x[i])).sum::<f64>() / count as f64;
        assert!(mean.abs() < 1e-4, "mean {i}: {mean}");
        for j in 0..=i {
            let product = white.chunks(dims).map(|x| f64::from(x[i]) * f64::from(x[j])).sum::<f64>() / count as f64;
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((product - expected).abs() < 1e-4, "covariance {i}, {j}: {product}");
        }
    }
}

#[test]
fn a_direction_without_variance_stays_finite() {
    let size = ImageSize::new(2, 2, 3);
    let pixels = [[9_u8; 12], [200; 12], [77; 12]].concat();
    let white = plain(0.1).fit(&images(size, &pixels)).unwrap().apply(&images(size, &[255; 12])).unwrap();
    assert!(white.iter().all(|x| x.is_finite()));
    // All values were the same in every image, so they are behind it.
    assert!(white.iter().all(|x| (x - white[0]).abs() < 1e-5), "{white:?}");
}

#[test]
fn views_of_whitened_images_are_drawn_as_of_others() {
    let size = ImageSize::new(32, 32, 3);
    let values: Vec<f32> = (0..size.values()).map(|x| x as f32 - 1500.0).collect();
    let image = Image::from_values(size, &values).unwrap();
    let recipe = presets::mean_teacher_cifar_tf();
    let view = recipe.draw(key(4), size).unwrap();
    let mut out = vec![f32::NAN; size.values()];
    recipe.apply(&view, image, &mut out).unwrap();
    // A shift and a flip only move values, so none is new.
    assert!(out.iter().all(|value| values.contains(value)));
    assert_ne!(out, values);

    // What needs values in [0, 1] does not take others.
    let error = presets::moco_cifar(32).apply(&view, image, &mut out).unwrap_err();
    assert!(matches!(error, AugmentError::NeedsUnitRange { .. }), "{error}");
}

#[test]
fn a_fit_survives_json_and_a_damaged_one_is_refused() {
    let size = ImageSize::new(2, 1, 1);
    let pixels = bytes(ImageSize::new(5, 2, 1), 3);
    let whitening = plain(0.1).fit(&images(size, &pixels)).unwrap();
    let text = serde_json::to_string(&whitening).unwrap();
    assert_eq!(serde_json::from_str::<Whitening>(&text).unwrap(), whitening);

    let mut value = serde_json::to_value(&whitening).unwrap();
    value["matrix"].as_array_mut().unwrap().pop();
    let error = serde_json::from_value::<Whitening>(value).unwrap_err();
    assert!(error.to_string().contains("a mean of 2 and a matrix of 3 numbers"), "{error}");
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let size = ImageSize::new(2, 1, 1);
    let pixels = [1, 2, 3, 4];
    for bias in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = plain(bias).fit(&images(size, &pixels)).unwrap_err();
        assert!(matches!(error, WhiteningError::Bias { .. }), "{error}");
    }
    let error = plain(0.1).fit(&images(size, &pixels[..2])).unwrap_err();
    assert_eq!(error, WhiteningError::TooFewImages { found: 1 });

    let flip = Operation::HorizontalFlip { probability: 0.0 };
    let random = WhiteningConfig::new(Pipeline::new("random", vec![flip]).unwrap());
    let error = random.fit(&images(size, &pixels)).unwrap_err();
    assert_eq!(error, WhiteningError::Random { position: 0, operation: "HorizontalFlip" });

    let nan = [f32::NAN, 1.0];
    let values = [Image::from_values(size, &nan).unwrap(), Image::from_values(size, &nan).unwrap()];
    assert_eq!(plain(0.1).fit(&values), Err(WhiteningError::NotFinite));

    let whitening = plain(0.1).fit(&images(size, &pixels)).unwrap();
    let other = Image::new(ImageSize::new(1, 2, 1), &pixels[..2]).unwrap();
    let error = whitening.apply(&[other]).unwrap_err();
    assert!(matches!(error, AugmentError::BatchSizes { index: 0, .. }), "{error}");
    assert_eq!(whitening.apply(&[]), Ok(vec![]));
}
