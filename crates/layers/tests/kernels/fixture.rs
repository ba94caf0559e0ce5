//! The kernels, and the oracles that they are held against elsewhere, beside PyTorch's: `fixtures/generate.py`.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use slowburn_layers::kernel::norm::{NormShape, Saved, Statistics, apply, backward, statistics};
use slowburn_layers::kernel::{Arithmetic, ConvShape, Rectifier};

use crate::oracle_conv::{Case, NAMES, tolerance};
use crate::support::{each_way, largest, near, unwritten, wide};

/// The fixture's numbers are f64 rounded to f32, as are the oracle's here.
const ROUNDED: f64 = 1.5e-7;
const NORM: f64 = 2e-6;

/// Numbers with their shape.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// `layers.safetensors`, by name.
pub(crate) struct Fixture(HashMap<String, Numbers>);

impl Fixture {
    pub(crate) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/layers.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let entries = file.tensors().into_iter().map(|(name, view)| {
            assert_eq!(view.dtype(), Dtype::F32, "{name}");
            let values = view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            (name, Numbers { shape: view.shape().to_vec(), values: values.collect() })
        });
        Self(entries.collect())
    }

    /// The cases `kind.NAME.*`, each by what follows its name.
    pub(crate) fn cases(&self, kind: &str, count: usize) -> Vec<(String, HashMap<String, Numbers>)> {
        let mut cases: HashMap<String, HashMap<String, Numbers>> = HashMap::new();
        for (path, numbers) in &self.0 {
            let parts: Vec<&str> = path.split('.').collect();
            if parts[0] == kind {
                cases.entry(parts[1].to_owned()).or_default().insert(parts[2].to_owned(), numbers.clone());
            }
        }
        assert_eq!(cases.len(), count, "{kind}");
        let mut cases: Vec<_> = cases.into_iter().collect();
        cases.sort_by(|a, b| a.0.cmp(&b.0));
        cases
    }
}

pub(crate) const CONVOLUTIONS: usize = 13;
pub(crate) const NORMS: usize = 7;

impl Numbers {
    /// `[N, C, H, W]` as `[N, H, W, C]`.
    pub(crate) fn channels_last(&self) -> Vec<f32> {
        let [n, c, h, w] = self.dims();
        let mut values = vec![0.0; self.values.len()];
        for (at, value) in self.values.iter().enumerate() {
            let (image, channel, pixel) = (at / (c * h * w), at / (h * w) % c, at % (h * w));
            values[(image * h * w + pixel) * c + channel] = *value;
        }
        assert!(values.len() == n * c * h * w);
        values
    }

    pub(crate) fn dims(&self) -> [usize; 4] {
        self.shape.clone().try_into().unwrap()
    }

    /// Small whole numbers.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.values.iter().map(|value| *value as usize).collect()
    }
}

pub(crate) fn conv_shape(case: &HashMap<String, Numbers>) -> ConvShape {
    let ([images, ci, height, width], [co, _, kh, kw]) = (case["input"].dims(), case["weight"].dims());
    let geometry = case["geometry"].counts();
    ConvShape {
        images,
        input: [height, width],
        channels: [ci, co],
        kernel: [kh, kw],
        stride: [geometry[0], geometry[1]],
        padding: [[geometry[2], geometry[3]], [geometry[4], geometry[5]]],
    }
}

#[test]
fn convolutions_and_their_oracle_equal_pytorchs() {
    for (name, entries) in Fixture::read().cases("conv", CONVOLUTIONS) {
        let case = Case {
            shape: conv_shape(&entries),
            input: entries["input"].channels_last(),
            weight: entries["weight"].values.clone(),
            bias: entries.get("bias").map(|bias| bias.values.clone()),
            grad: entries["grad"].channels_last(),
        };
        let [_, co, rows, columns] = entries["output"].dims();
        assert_eq!((case.shape.output(), case.shape.channels[1]), ([rows, columns], co), "{name}");
        let maps = ["output", "to_input"].map(|key| wide(&entries[key].channels_last()));
        let vectors = ["to_weight", "to_bias"].map(|key| wide(&entries[key].values));
        let pytorch = [&maps[0], &maps[1], &vectors[0], &vectors[1]];
        let oracle = case.expected();
        for (index, answer) in oracle.iter().enumerate() {
            let values: Vec<f32> = answer.values.iter().map(|&value| value as f32).collect();
            near(&format!("{name}, oracle: {}", NAMES[index]), &values, pytorch[index], answer.size, ROUNDED).unwrap();
        }
        for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
            let check = each_way(
                || case.found(arithmetic),
                |set, found| {
                    for (index, found) in found.iter().enumerate() {
                        let what = format!("{name}, {arithmetic:?}, {set:?}: {}", NAMES[index]);
                        near(&what, found, pytorch[index], oracle[index].size, tolerance(arithmetic))?;
                    }
                    Ok(())
                },
            );
            check.unwrap();
        }
    }
}

/// What a case of normalisation says of its layer.
pub(crate) struct Setting {
    pub(crate) splits: usize,
    /// 0 is the plain rectifier, 1 none.
    pub(crate) slope: f64,
    pub(crate) momentum: f64,
    pub(crate) epsilon: f64,
    pub(crate) training: bool,
}

pub(crate) fn setting(case: &HashMap<String, Numbers>) -> Setting {
    let [splits, slope, momentum, epsilon, training] = case["setting"].values[..] else { panic!("five numbers") };
    Setting {
        splits: splits as usize,
        slope: f64::from(slope),
        momentum: f64::from(momentum),
        epsilon: f64::from(epsilon),
        training: training == 1.0,
    }
}

/// 2·10⁻⁶ and, in units of the standard deviation, some roundings of the mean: with a mean of 10⁴ these are all there is.
pub(crate) fn norm_tolerance(case: &HashMap<String, Numbers>) -> f64 {
    let input = wide(&case["input"].values);
    let mean = input.iter().sum::<f64>() / input.len() as f64;
    let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / input.len() as f64;
    NORM + 4.0 * mean.abs() / variance.sqrt() / f64::from(1 << 24)
}

/// Statistics, output and gradients as a layer puts them together.
fn norm(case: &HashMap<String, Numbers>) -> [Vec<f32>; 5] {
    let [images, channels, height, width] = case["input"].dims();
    let Setting { splits, slope, epsilon, training, .. } = setting(case);
    let shape = NormShape { images, pixels: height * width, channels, groups: 1, splits };
    let (gamma, beta, input) = (&case["gamma"].values, &case["beta"].values, case["input"].channels_last());
    let shortcut = case.get("shortcut").map(Numbers::channels_last);
    let activation = match slope {
        0.0 => Rectifier::Relu,
        1.0 => Rectifier::None,
        _ => Rectifier::LeakyRelu(slope as f32),
    };
    let (mut mean, mut variance) = (case["mean"].values.clone(), case["variance"].values.clone());
    if training {
        (mean, variance) = (unwritten(splits * channels), unwritten(splits * channels));
        statistics(&shape, &input, &mut mean, &mut variance);
    }
    let inverse_std: Vec<f32> = variance.iter().map(|variance| 1.0 / (variance + epsilon as f32).sqrt()).collect();
    let scale: Vec<f32> = inverse_std.iter().zip(gamma.iter().cycle()).map(|(std, gamma)| std * gamma).collect();
    let shift: Vec<f32> = beta.repeat(mean.len() / channels);
    let mut output = unwritten(input.len());
    apply(&shape, Some(&input), [&mean, &scale, &shift], shortcut.as_deref(), activation, &mut output);
    let saved = Saved {
        input: &input,
        output: Some(&output),
        mean: &mean,
        inverse_std: &inverse_std,
        gamma,
        activation,
        statistics: if training { Statistics::Batch } else { Statistics::Fixed },
    };
    let (mut grad, mut to_input) = (case["grad"].channels_last(), unwritten(input.len()));
    let (mut to_gamma, mut to_beta) = (unwritten(channels), unwritten(channels));
    backward(&shape, &saved, &mut grad, Some(&mut to_input), &mut to_gamma, &mut to_beta);
    [output, grad, to_input, to_gamma, to_beta]
}

#[test]
fn normalisations_equal_pytorchs() {
    for (name, case) in Fixture::read().cases("norm", NORMS) {
        let limit = norm_tolerance(&case);
        let check = each_way(
            || norm(&case),
            |set, [output, to_shortcut, to_input, to_gamma, to_beta]| {
                let compare = |key: &str, found: &[f32], expected: &[f32]| {
                    let expected = wide(expected);
                    near(&format!("{name}, {set:?}: {key}"), found, &expected, largest(&expected), limit)
                };
                for (key, found) in [("output", output), ("to_input", to_input), ("to_shortcut", to_shortcut)] {
                    if let Some(expected) = case.get(key) {
                        compare(key, found, &expected.channels_last())?;
                    }
                }
                compare("to_gamma", to_gamma, &case["to_gamma"].values)?;
                compare("to_beta", to_beta, &case["to_beta"].values)?;
                Ok(())
            },
        );
        check.unwrap();
    }
}
