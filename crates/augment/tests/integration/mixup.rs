//! Mixing the rows of a batch.

use burn::tensor::{DType, Device, Tensor, TensorData};
use slowburn_augment::{AugmentError, Mixup, MixupDraw};

const SHAPE: [usize; 4] = [5, 2, 3, 4];

fn batch() -> (Vec<f32>, Tensor<4>) {
    let values: Vec<f32> = (0..SHAPE.iter().product()).map(|index| (index * index % 97) as f32 / 97.0).collect();
    let tensor = Tensor::from_data(TensorData::new(values.clone(), SHAPE), &Device::flex());
    (values, tensor)
}

/// A scalar loop from the equation.
#[test]
fn every_row_is_mixed_with_its_partner() {
    let (values, tensor) = batch();
    let row = values.len() / SHAPE[0];
    for mixup in [Mixup::new(0.75).unwrap(), Mixup::new(0.75).unwrap().per_row()] {
        let mix = mixup.draw(1, 2, SHAPE[0]);
        let mixed = mix.apply(tensor.clone()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        for (index, mixed) in mixed.iter().enumerate() {
            let (weight, partner) = (mix.weights()[index / row], mix.partners()[index / row]);
            let expected = weight * values[index] + (1.0 - weight) * values[partner * row + index % row];
            assert!((mixed - expected).abs() < 1e-6, "value {index}: {mixed} and {expected}");
        }
    }
}

#[test]
fn targets_follow_the_images() {
    let mix = Mixup::new(1.0).unwrap().per_row().draw(3, 4, 4);
    let mixed = mix.apply(Tensor::<2>::eye(4, &Device::flex())).unwrap().into_data().try_to_vec::<f32>().unwrap();
    for (row, targets) in mixed.chunks_exact(4).enumerate() {
        assert!((targets.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let partner = mix.partners()[row];
        let kept = if partner == row { 1.0 } else { mix.weights()[row] };
        assert!((targets[row] - kept).abs() < 1e-6);
    }
}

#[test]
fn draws_are_functions_of_seed_step_and_row() {
    let mixup = Mixup::new(0.5).unwrap().per_row();
    let mix = mixup.draw(7, 8, 100);
    assert_eq!(mix, mixup.draw(7, 8, 100));
    assert_eq!(mix.weights()[..30], mixup.draw(7, 8, 30).weights()[..]);
    for other in [mixup.draw(8, 8, 100), mixup.draw(7, 9, 100)] {
        assert_ne!(mix.partners(), other.partners());
        assert!(mix.weights().iter().zip(other.weights()).all(|(a, b)| a != b));
    }
    let one = Mixup::new(0.5).unwrap().draw(7, 8, 100);
    assert!(one.weights().iter().all(|weight| weight == &mix.weights()[0]));
    assert_eq!(one.partners(), mix.partners());
    let mut sorted = mix.partners().to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    // The larger part of each.
    let folded = mixup.folded().draw(7, 8, 100);
    for (folded, weight) in folded.weights().iter().zip(mix.weights()) {
        assert!((folded - weight.max(1.0 - weight)).abs() < 1e-6);
    }
    let stored = serde_json::to_string(&mix).unwrap();
    assert_eq!(serde_json::from_str::<MixupDraw>(&stored).unwrap(), mix);
}

/// Weights of consecutive steps are as independent as those of the rows of one: ICT has one λ a step.
#[test]
fn weights_of_steps_have_the_moments_of_beta() {
    const STEPS: u64 = 20_000;
    let mixup = Mixup::new(0.5).unwrap();
    let weights: Vec<f64> = (0..STEPS).map(|step| f64::from(mixup.draw(1, step, 1).weights()[0])).collect();
    let mean = weights.iter().sum::<f64>() / STEPS as f64;
    let variance = weights.iter().map(|weight| (weight - 0.5).powi(2)).sum::<f64>() / STEPS as f64;
    // Beta(½, ½) has variance 1/8 and a fourth central moment of 3/128.
    assert!((mean - 0.5).abs() < 4.0 * (0.125 / STEPS as f64).sqrt(), "mean {mean}");
    let error = ((3.0 / 128.0 - 1.0 / 64.0) / STEPS as f64).sqrt();
    assert!((variance - 0.125).abs() < 4.0 * error, "variance {variance}");
}

#[test]
fn rows_are_counted_and_the_type_is_kept() {
    let (_, tensor) = batch();
    let mixup = Mixup::new(0.5).unwrap();
    let error = mixup.draw(1, 2, 4).apply(tensor.clone()).unwrap_err();
    assert_eq!(error, AugmentError::MixRows { expected: 4, found: 5 });
    assert_eq!(error.to_string(), "a mix of 4 rows applied to a batch of 5");
    let broken: MixupDraw = serde_json::from_str(r#"{"weights": [0.5, 0.5], "partners": [0, 2]}"#).unwrap();
    assert!(broken.apply(Tensor::<2>::eye(2, &Device::flex())).is_err());
    let half = mixup.draw(1, 2, 5).apply(tensor.cast(DType::F16)).unwrap();
    assert_eq!(half.dtype(), DType::F16);
    let empty = mixup.draw(1, 2, 0).apply(Tensor::<2>::zeros([0, 3], &Device::flex())).unwrap();
    assert_eq!(empty.dims(), [0, 3]);
}
