//! `θ̄ ← d·θ̄ + (1−d)·θ` by each backend's kernel.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, FloatDType, Tensor};
use slowburn_ema::{Buffers, Decay, Ema, EmaConfig};
use slowburn_models::{ResNet, ResNetConfig};

use crate::support::{assert_all_close, assert_close, filled, numbers, others, read, values};

/// Two roundings of the CPU's three: a multiplication and an addition may be one on a GPU.
const ULPS: f64 = 3e-7;

fn average(buffers: Buffers, device: &Device) -> Ema<ResNet> {
    let network = |seed| filled(ResNetConfig::resnet18().init(device).unwrap(), seed);
    let config = EmaConfig::new(Decay::Constant { decay: 0.99 }).with_buffers(buffers);
    let mut ema = config.init(&network(1)).unwrap();
    for seed in 2..4 {
        ema = ema.update(&network(seed)).unwrap();
    }
    ema
}

#[test]
fn of_a_whole_network() {
    for buffers in [Buffers::Own, Buffers::Average] {
        let expected = values(average(buffers, &Device::flex()).module());
        for (name, device) in others() {
            assert_all_close(name, &values(average(buffers, &device).module()), &expected, ULPS);
            assert_all_close(name, &values(average(buffers, &device.autodiff()).module()), &expected, ULPS);
        }
    }
}

fn linear(weight: Tensor<2>) -> Linear {
    let mut linear = LinearConfig::new(1, 1).with_bias(false).init(&weight.device());
    linear.weight = Param::from_tensor(weight);
    linear
}

#[test]
fn of_any_layout_and_size() {
    let config = EmaConfig::new(Decay::Constant { decay: 0.75 });
    let transposed = |seed, device: &Device| numbers(seed, [7, 5], device).transpose();
    let part = |seed, device: &Device| numbers(seed, [9, 11], device).slice([2..7, 1..8]);
    let plain = |seed, device: &Device| numbers(seed, [5, 7], device);
    type Make = fn(u32, &Device) -> Tensor<2>;
    let layouts: [Make; 3] = [transposed, part, plain];
    let moved = |average: Make, student: Make, device: &Device| {
        let ema = config.init(&linear(average(1, device))).unwrap().update(&linear(student(2, device))).unwrap();
        read(&ema.module().weight.val())
    };
    for (name, device) in others() {
        for average in layouts {
            for student in layouts {
                let expected = moved(average, student, &Device::flex());
                assert_close(name, &moved(average, student, &device), &expected, ULPS);
            }
        }
        // A parameter without values is left alone, and one value is enough.
        for shape in [[0, 3], [1, 1]] {
            let one = |seed| linear(numbers(seed, shape, &device));
            let ema = config.init(&one(1)).unwrap().update(&one(2)).unwrap();
            assert_eq!(ema.module().weight.dims(), shape, "{name}");
        }
    }
}

#[test]
fn a_clone_that_is_alive_elsewhere_does_not_change() {
    for (name, device) in others() {
        let (start, student) = (linear(numbers(1, [30, 40], &device)), linear(numbers(2, [30, 40], &device)));
        let before = read(&student.weight.val());
        let ema = EmaConfig::new(Decay::Constant { decay: 0.5 }).init(&start).unwrap();
        let (held, shared) = (ema.module().weight.val(), ema.clone());
        let ema = ema.update(&student).unwrap();
        assert_eq!(read(&held), read(&start.weight.val()), "{name}");
        assert_eq!(read(&shared.module().weight.val()), read(&start.weight.val()), "{name}");
        assert_eq!(read(&student.weight.val()), before, "{name}");
        assert_ne!(read(&ema.module().weight.val()), read(&held), "{name}");
    }
}

#[test]
fn of_a_student_in_half_precision() {
    struct To(FloatDType);
    impl ModuleMapper for To {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // By way of the host: Burn's fusion takes a type and back for no change where nothing lies between.
            param.map(|tensor| Tensor::from_data(tensor.clone().cast(self.0).into_data(), &tensor.device()))
        }
    }
    let average = |dtype, device: &Device| {
        let student = |seed| linear(numbers(seed, [30, 41], device)).map(&mut To(dtype));
        let ema = EmaConfig::new(Decay::Constant { decay: 0.999 }).init(&student(1)).unwrap();
        read(&ema.update(&student(2)).unwrap().module().weight.val())
    };
    for dtype in [FloatDType::F16, FloatDType::BF16] {
        let expected = average(dtype, &Device::flex());
        for (name, device) in others() {
            // ndarray has no narrow types, and not every GPU has both.
            if name != "ndarray" && device.supports_dtype(dtype) {
                assert_close(&format!("{name}, {dtype:?}"), &average(dtype, &device), &expected, ULPS);
            }
        }
    }
}
