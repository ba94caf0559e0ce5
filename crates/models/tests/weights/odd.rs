//! Tensors that are odd but legal.

use std::collections::BTreeMap;

use serde::Deserialize;
use slowburn_models::weights::{WeightsError, WeightsFile};

use crate::support::path;

#[derive(Deserialize)]
struct Odd {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<serde_json::Value>,
}

#[test]
fn strided_shared_empty_and_integer_tensors_are_what_pytorch_says() {
    let text = std::fs::read_to_string(path("odd.json")).unwrap();
    let odd: BTreeMap<String, Odd> = serde_json::from_str(&text).unwrap();
    let file = WeightsFile::open(path("odd.pth")).unwrap();
    assert_eq!(file.tensors().keys().collect::<Vec<_>>(), odd.keys().collect::<Vec<_>>());
    for (name, Odd { dtype, shape, values }) in odd {
        let info = &file.tensors()[&name];
        assert_eq!((&info.shape, &info.dtype), (&shape, &dtype.to_lowercase()), "{name}");
        match info.dtype.as_str() {
            "f32" | "f64" | "f16" | "bf16" => {
                let found: Vec<f64> = file.read(&name).unwrap().iter::<f64>().collect();
                let values: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
                assert_eq!(found, values, "{name}");
            }
            _ => {
                let error = file.read(&name).unwrap_err();
                assert!(matches!(error, WeightsError::Type { .. }), "{name}: {error}");
            }
        }
    }
}
