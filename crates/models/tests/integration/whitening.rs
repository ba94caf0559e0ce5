//! First convolutions that whiten patches.

use burn::module::{Module, list_param_ids};
use burn::tensor::{Distribution, Tensor, TensorData};
use slowburn_models::layers::whitening_filters;
use slowburn_models::{Encoder, ModelError, ResNet9Config, state_dict};

use crate::support::{plain, training, values};

/// Images whose neighbouring pixels and channels are alike, with a mean that is not 0.
fn smooth(shape: [usize; 4]) -> Tensor<4> {
    let [n, c, h, w] = shape;
    let noise = Tensor::<4>::random([n, c, h + 2, w + 2], Distribution::Normal(0.0, 1.0), &plain());
    let shared = noise.clone().mean_dim(1);
    let mixed = noise * 0.4 + shared;
    let shifted = |y, x| mixed.clone().narrow(2, y, h).narrow(3, x, w);
    shifted(0, 0) + shifted(1, 1) * 0.7 + shifted(2, 0) * 0.5 + 0.3
}

/// What filters answer to every patch: `answers[filter]`, by the definition.
fn answers(images: &Tensor<4>, filters: &[f32], side: usize) -> Vec<Vec<f64>> {
    let [n, c, h, w] = images.dims();
    let pixels = values(images.clone());
    let at = |image, channel, y, x| f64::from(pixels[((image * c + channel) * h + y) * w + x]);
    let patch = |image: usize, y: usize, x: usize| -> Vec<f64> {
        let place = |k: usize| (k / (side * side), k / side % side, k % side);
        (0..c * side * side).map(place).map(|(channel, row, column)| at(image, channel, y + row, x + column)).collect()
    };
    let places = (0..n).flat_map(|image| (0..=h - side).flat_map(move |y| (0..=w - side).map(move |x| (image, y, x))));
    let patches: Vec<Vec<f64>> = places.map(|(image, y, x)| patch(image, y, x)).collect();
    let answer = |filter: &[f32]| {
        let product = |patch: &Vec<f64>| patch.iter().zip(filter).map(|(a, b)| a * f64::from(*b)).sum();
        patches.iter().map(product).collect()
    };
    filters.chunks(c * side * side).map(answer).collect()
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / count, b.iter().sum::<f64>() / count);
    a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / count
}

#[test]
fn answers_are_uncorrelated_and_of_variance_one() {
    for (side, channels) in [(1, 3), (2, 1), (3, 3)] {
        let images = smooth([40, channels, 9, 11]);
        let filters = whitening_filters(images.clone(), side).unwrap();
        assert_eq!(filters.dims(), [channels * side * side, channels, side, side]);
        let filters = values(filters);
        let answers = answers(&images, &filters, side);
        let lengths: Vec<f64> =
            filters.chunks(channels * side * side).map(|f| f.iter().map(|x| f64::from(x * x)).sum()).collect();
        for (i, a) in answers.iter().enumerate() {
            for (j, b) in answers.iter().enumerate().take(i) {
                assert!(covariance(a, b).abs() < 1e-4, "{i} and {j}: {}", covariance(a, b));
            }
            // With λ the variance along a filter, its square length is 1/(λ + ε), and that of its answers λ/(λ + ε).
            let expected = 1.0 - 5e-4 * lengths[i];
            assert!((covariance(a, a) - expected).abs() < 1e-4, "{i}: {} instead of {expected}", covariance(a, a));
        }
        // Components from the largest variance on have ever longer filters.
        assert!(lengths.is_sorted(), "{lengths:?}");
    }
}

#[test]
fn a_component_points_where_its_largest_entry_is_positive() {
    let filters = values(whitening_filters(smooth([8, 2, 8, 8]), 3).unwrap());
    for filter in filters.chunks(18) {
        let largest = filter.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a }).unwrap();
        assert!(largest > 0.0, "{filter:?}");
    }
}

#[test]
fn images_without_variance_give_finite_filters() {
    let filters = whitening_filters(Tensor::ones([2, 3, 8, 8], &plain()), 3).unwrap();
    assert!(values(filters).iter().all(|value| value.is_finite()));
}

#[test]
fn what_has_no_covariance_is_refused() {
    let images = Tensor::<4>::ones([1, 1, 8, 8], &plain());
    let [no_images, no_channels] = [[0, 1, 8, 8], [2, 0, 8, 8]].map(|shape| Tensor::zeros(shape, &plain()));
    for (images, side) in [(images.clone(), 0), (images.clone(), 9), (no_images, 3), (no_channels, 3)] {
        let shape = images.dims();
        let refused = whitening_filters(images, side);
        assert!(matches!(refused, Err(ModelError::OutOfRange { .. })), "{shape:?}, {side}: {refused:?}");
    }
    let refused = whitening_filters(images * f32::NAN, 3);
    assert!(matches!(refused, Err(ModelError::NotFinite { .. })), "{refused:?}");
}

#[test]
fn a_network_begins_with_components_and_their_opposites() {
    let images = smooth([16, 3, 10, 10]);
    let filters = values(whitening_filters(images.clone(), 3).unwrap());
    for width in [1, 8, 60] {
        let model = ResNet9Config::new().with_width(width).init(&plain()).unwrap();
        let other = model.clone();
        let (before, ids) = (values(model.conv1.weight.val()), list_param_ids(&model));
        let untouched = state_dict(&other);
        let model = model.init_from_batch(images.clone()).unwrap();
        assert_eq!(list_param_ids(&model), ids);
        assert_eq!(state_dict(&other), untouched, "a clone has changed");

        // 27 components at most, each of 27 numbers.
        let half = 27 * 27.min(width / 2);
        let after = values(model.conv1.weight.val());
        let opposites: Vec<f32> = filters[..half].iter().map(|value| -value).collect();
        assert_eq!(after[..half], filters[..half]);
        assert_eq!(after[half..2 * half], opposites);
        assert_eq!(after[2 * half..], before[2 * half..]);
    }
}

#[test]
fn whitening_filters_are_learned() {
    let images = Tensor::from_inner(smooth([8, 3, 8, 8]));
    let model = ResNet9Config::new().with_width(4).init(&training()).unwrap();
    let model = model.init_from_batch(images.clone()).unwrap();
    let gradients = model.features(images).powi_scalar(2).sum().backward();
    let gradient = model.conv1.weight.grad(&gradients).unwrap();
    assert!(values(gradient).iter().all(|value| *value != 0.0));
    let frozen = ResNet9Config::new().with_width(4).init(&training()).unwrap().no_grad();
    let frozen = frozen.init_from_batch(Tensor::zeros([2, 3, 8, 8], &training())).unwrap();
    assert!(!frozen.conv1.weight.is_require_grad());
}

/// Pixels of two channels of which the second repeats the first, with variance 1, so that the sum over √2 has variance 2
/// and the difference none.
#[test]
fn two_channels_by_hand() {
    let data = TensorData::new(vec![1.0f32, 1.0, -1.0, -1.0], [2, 2, 1, 1]);
    let filters = values(whitening_filters(Tensor::from_data(data, &plain()), 1).unwrap());
    let (sum, difference) = ((0.5f64 / 2.0005).sqrt() as f32, (0.5f64 / 5e-4).sqrt() as f32);
    for (found, expected) in filters.iter().zip([sum, sum, difference, -difference]) {
        assert!((found.abs() - expected.abs()).abs() < 1e-3 * expected.abs(), "{filters:?}");
    }
    assert!(filters[0] > 0.0 && filters[1] > 0.0 && filters[2] * filters[3] < 0.0, "{filters:?}");
}
