use burn::module::{Module, Param};
use burn::nn::{Linear, Relu};
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use slowburn_semi::{Logits, Predict};

/// Two hidden layers with ReLU: from a point of the plane to the logits of two classes.
#[derive(Module, Debug)]
pub struct Perceptron {
    first: Linear,
    second: Linear,
    last: Linear,
    relu: Relu,
}

impl Perceptron {
    /// With so many units in each hidden layer, its first weights drawn from `random`: Burn has one generator for the
    /// whole process, which other threads draw from too.
    pub fn new(hidden: usize, random: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            first: linear(2, hidden, random, device),
            second: linear(hidden, hidden, random, device),
            last: linear(hidden, 2, random, device),
            relu: Relu::new(),
        }
    }
}

/// A layer as Burn's and PyTorch's start: weights and bias uniform in ±1/√inputs.
fn linear(inputs: usize, outputs: usize, random: &mut ChaCha8Rng, device: &Device) -> Linear {
    let bound = (inputs as f32).sqrt().recip();
    let mut draw = |count| (0..count).map(|_| random.random_range(-bound..=bound)).collect::<Vec<_>>();
    let weight = TensorData::new(draw(inputs * outputs), [inputs, outputs]);
    let bias = TensorData::new(draw(outputs), [outputs]);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}

impl Predict for Perceptron {
    type Input = Tensor<2>;

    fn predict(&self, points: Tensor<2>) -> Logits {
        let hidden = self.relu.forward(self.first.forward(points));
        let hidden = self.relu.forward(self.second.forward(hidden));
        self.last.forward(hidden).into()
    }
}
