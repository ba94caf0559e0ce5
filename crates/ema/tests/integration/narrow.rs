//! Students in half precision: the average is kept in f32.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, FloatDType, Tensor};
use slowburn_ema::{Decay, EmaConfig, sync_running_state};

use crate::{Network, batch, tensor};

const TYPES: [(FloatDType, DType); 2] = [(FloatDType::F16, DType::F16), (FloatDType::BF16, DType::BF16)];

struct To(FloatDType);

impl ModuleMapper for To {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let gradient = tensor.is_require_grad();
            let cast = tensor.detach().cast(self.0).detach();
            if gradient { cast.require_grad() } else { cast }
        })
    }
}

fn student(dtype: FloatDType, device: &Device) -> Network {
    let mut student = Network::new(1, device);
    // Without dropout: outputs are compared.
    student.dropout.prob = 0.0;
    student.map(&mut To(dtype))
}

fn weight_type(network: &Network) -> DType {
    network.last.weight.val().dtype()
}

#[test]
fn the_average_moves_by_less_than_the_students_type_can_hold() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        for (float, dtype) in TYPES {
            let start = student(float, &device);
            assert_eq!(weight_type(&start), dtype);
            let ones = |value: f64| {
                let mut student = start.clone();
                student.last.bias = student.last.bias.map(|bias| bias.map(|bias| bias.full_like(value).detach()));
                student
            };
            let mut ema = EmaConfig::new(Decay::Constant { decay: 0.999 }).init(&ones(1.0)).unwrap();
            assert_eq!(weight_type(ema.module()), DType::F32);
            for _ in 0..10 {
                ema = ema.update(&ones(2.0)).unwrap();
            }
            // 1 + (1 − 0.999¹⁰): each step of 0.001 is below bf16's 2⁻⁷, and f16's 2⁻¹⁰ just about.
            let expected = 2.0 - 0.999f64.powi(10);
            for value in tensor(ema.module(), "last.bias") {
                assert!((value - expected).abs() < 3e-6, "{value} instead of {expected}");
            }
            assert_eq!(weight_type(&ema.export()), dtype);
        }
    }
}

#[test]
fn with_module_runs_in_the_students_type_and_keeps_the_statistics() {
    let device = Device::flex().autodiff();
    for (float, dtype) in TYPES {
        let start = student(float, &device);
        let ema = EmaConfig::default().init(&start).unwrap();
        let before = tensor(ema.module(), "norm.running_mean");
        let output = ema.with_module(|module| {
            assert_eq!(weight_type(module), dtype);
            module.forward(batch(1, &device).cast(float))
        });
        assert_eq!(output.dtype(), dtype);
        let after = tensor(ema.module(), "norm.running_mean");
        assert_ne!(after, before);
        assert_eq!(ema.module().norm.running_mean.value().dtype(), DType::F32);
        // What the same pass leaves in f32, to the eight bits of bf16, of sums of three products.
        let wide = EmaConfig::default().init(&Network::new(1, &device)).unwrap();
        wide.module().forward(batch(1, &device));
        sync_running_state(wide.module());
        for (ours, expected) in after.iter().zip(tensor(wide.module(), "norm.running_mean")) {
            assert!((ours - expected).abs() < 3.0 * 0.1 / 256.0, "{ours} instead of {expected}");
        }
        // Two passes leave more than one: nothing is forgotten in between.
        ema.with_module(|module| module.forward(batch(1, &device).cast(float)));
        let twice = tensor(ema.module(), "norm.running_mean");
        for (twice, once) in twice.iter().zip(&after) {
            assert!((twice - 1.9 * once).abs() < 0.02 * once.abs() + 1e-3, "{twice} after {once}");
        }
    }
}

#[test]
fn an_evaluated_average_has_no_dropout_in_half_precision() {
    let device = Device::flex().autodiff();
    let mut start = student(FloatDType::BF16, &device);
    start.dropout.prob = 0.5;
    let ema = EmaConfig::default().init(&start).unwrap().valid();
    let input = batch(1, &Device::flex()).cast(FloatDType::BF16);
    let run = || ema.with_module(|module| module.forward(input.clone())).into_data();
    assert_eq!(run(), run());
    assert!(ema.export().train().dropout.training.is_enabled());
}

#[test]
fn a_mixed_student_gets_each_type_back() {
    let device = Device::flex();
    let mut start = Network::new(1, &device);
    start.first = start.first.map(&mut To(FloatDType::BF16));
    let export = EmaConfig::default().init(&start).unwrap().export();
    assert_eq!(export.first.weight.val().dtype(), DType::BF16);
    assert_eq!(export.last.weight.val().dtype(), DType::F32);
}
