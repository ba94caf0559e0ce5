//! Settings out of range, and tensors that do not belong together.

use slowburn_optim::{FusedSgdConfig, OptimError};

use crate::{numbers, step, tensor};

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for value in [-0.1, 1.0, 1.5, f64::NAN, f64::INFINITY] {
        let error = FusedSgdConfig::new().with_momentum(value).validate().unwrap_err();
        assert!(matches!(error, OptimError::Momentum { .. }), "{error}");
    }
    for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = FusedSgdConfig::new().with_momentum(0.9).with_dampening(value).validate().unwrap_err();
        assert!(matches!(error, OptimError::Dampening { .. }), "{error}");
    }
    for value in [-1e-9, f64::NAN, f64::INFINITY, 1e39] {
        let error = FusedSgdConfig::new().with_weight_decay(value).validate().unwrap_err();
        assert!(matches!(error, OptimError::WeightDecay { .. }), "{error}");
    }
    let error = FusedSgdConfig::new().with_momentum(1.0).validate().unwrap_err();
    assert_eq!(error.to_string(), "momentum is 1: it must lie in [0, 1)");
}

#[test]
fn nesterovs_form_needs_momentum_and_no_dampening() {
    let nesterov = FusedSgdConfig::new().with_nesterov(true);
    let error = nesterov.build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "nesterov with momentum 0 and dampening 0: it needs momentum in (0, 1) and dampening 0"
    );
    assert!(nesterov.with_momentum(0.9).with_dampening(0.1).init().is_err());
    assert!(nesterov.with_momentum(0.9).init().is_ok());
}

#[test]
fn the_ends_of_the_ranges_are_allowed() {
    let config = FusedSgdConfig { momentum: 0.999_999, dampening: 1.0, weight_decay: 0.0, nesterov: false };
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(FusedSgdConfig::default(), FusedSgdConfig::new());
    assert_eq!(FusedSgdConfig::new().build().unwrap().config(), &FusedSgdConfig::new());
}

#[test]
#[should_panic(expected = "a gradient has the shape of its weight")]
fn a_gradient_of_another_shape_is_a_bug() {
    let sgd = FusedSgdConfig::new().build().unwrap();
    step(&sgd, 0.1, tensor(&numbers(0, 6), [2, 3]), tensor(&numbers(0, 6), [3, 2]), None);
}

#[test]
#[should_panic(expected = "a velocity has the shape of its weight")]
fn a_velocity_of_another_shape_is_a_bug() {
    let sgd = FusedSgdConfig::new().with_momentum(0.9).build().unwrap();
    let of = |shape| tensor(&numbers(0, 6), shape);
    step(&sgd, 0.1, of([2, 3]), of([2, 3]), Some(of([3, 2])));
}
