//! The same averages made by PyTorch: `fixtures/generate.py`.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use slowburn_ema::{Decay, EmaConfig};

use crate::{assert_close, tensor};

#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 2],
    models: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    decay: Decay,
    every: u64,
    averages: Vec<Vec<f64>>,
}

#[derive(Module, Debug)]
struct Matrix {
    weight: Param<Tensor<2>>,
}

#[test]
fn averages_equal_pytorchs_after_every_step() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/pytorch.json")).unwrap();
    let model = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), fixture.shape);
        Matrix { weight: Param::from_tensor(Tensor::from_data(data, &Device::flex())) }
    };
    assert!(fixture.cases.len() >= 7, "{} cases", fixture.cases.len());
    for case in &fixture.cases {
        let mut ema = EmaConfig::new(case.decay).with_every(case.every).init(&model(&fixture.models[0])).unwrap();
        for (student, expected) in fixture.models[1..].iter().zip(&case.averages) {
            ema = ema.update(&model(student)).unwrap();
            // PyTorch's average is in f32 too: both round three times in each of twelve updates.
            assert_close(&tensor(ema.module(), "weight"), expected, 4e-6);
        }
        assert_eq!(case.averages.len(), fixture.models.len() - 1, "{}", case.name);
    }
}
