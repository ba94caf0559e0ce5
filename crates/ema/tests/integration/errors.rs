//! Students of another shape, and settings out of range.

use burn::module::{Module, Param};
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use slowburn_ema::{Decay, EmaConfig, EmaError, Refused};

use crate::tensors;

#[derive(Module, Debug)]
struct Layers {
    layers: Vec<burn::nn::Linear>,
    extra: Option<Param<Tensor<1>>>,
}

fn layers(widths: &[usize], extra: bool) -> Layers {
    let device = Device::flex();
    Layers {
        layers: widths.iter().map(|&width| LinearConfig::new(2, width).init(&device)).collect(),
        extra: extra.then(|| Param::from_tensor(Tensor::zeros([1], &device))),
    }
}

fn refused(start: &Layers, student: &Layers) -> EmaError {
    let ema = EmaConfig::default().init(start).unwrap();
    assert_eq!(ema.fits(start), Ok(()));
    let error = ema.fits(student).unwrap_err();
    let (ema, refused) = ema.update(student).unwrap_err().into_parts();
    assert_eq!(refused, error);
    // It comes back as it was, and goes on.
    assert_eq!((tensors(ema.module()), ema.updates()), (tensors(start), 0));
    assert_eq!(ema.update(start).unwrap().updates(), 1);
    error
}

#[test]
fn another_shape_is_named_with_both_shapes() {
    let error = refused(&layers(&[3, 4], false), &layers(&[3, 5], false));
    let EmaError::Shape { path, student, average } = &error else { panic!("{error}") };
    // Of the weight and the bias, the first in the order of paths.
    assert_eq!((path.as_str(), student.as_slice(), average.as_slice()), ("layers.1.bias", &[5][..], &[4][..]));
    assert!(error.to_string().starts_with("`layers.1.bias` has shape"), "{error}");
}

#[test]
fn a_parameter_too_few_or_too_many_is_named() {
    let (short, long) = (layers(&[3], false), layers(&[3, 4], false));
    assert_eq!(refused(&short, &long), EmaError::Unknown { path: "layers.1.bias".into() });
    assert_eq!(refused(&long, &short), EmaError::Missing { path: "layers.1.bias".into() });
    let with = layers(&[3], true);
    assert_eq!(refused(&short, &with), EmaError::Unknown { path: "extra".into() });
    assert_eq!(refused(&with, &short), EmaError::Missing { path: "extra".into() });
}

#[test]
fn what_was_refused_is_an_error_as_well() {
    let refused = Refused::new(3, EmaError::Zero { field: "every" });
    assert_eq!(refused.to_string(), "every is 0: it must be at least 1");
    assert_eq!(format!("{refused:?}"), "Refused { error: Zero { field: \"every\" }, .. }");
    let function = || -> Result<(), EmaError> {
        Err(Refused::new(3, EmaError::Zero { field: "every" }))?;
        Ok(())
    };
    assert_eq!(function(), Err(EmaError::Zero { field: "every" }));
    assert_eq!(refused.map(|value| value + 1, |_| "no").into_parts(), (4, "no"));
}

#[test]
fn a_wrong_student_is_refused_between_updates_too() {
    let start = layers(&[3], false);
    let ema = EmaConfig::default().with_every(10).init(&start).unwrap();
    assert!(ema.update(&layers(&[4], false)).is_err(), "not only at the tenth call");
}

#[test]
fn settings_out_of_range_are_refused_before_anything_is_made() {
    let start = layers(&[3], false);
    for decay in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        let error = EmaConfig::new(Decay::Constant { decay }).init(&start).unwrap_err();
        assert!(matches!(error, EmaError::Decay { field: "decay", .. }), "{error}");
    }
    let error = EmaConfig::default().with_every(0).init(&start).unwrap_err();
    assert_eq!(error, EmaError::Zero { field: "every" });
    let error = EmaConfig::new(Decay::Cosine { base: 0.9, end: 1.0, steps: 0 }).init(&start).unwrap_err();
    assert_eq!(error.to_string(), "steps is 0: it must be at least 1");
}
