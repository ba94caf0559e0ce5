use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::tensor::{Device, Tensor};
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
    /// With so many units in each hidden layer.
    pub fn new(hidden: usize, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(2, hidden).init(device),
            second: LinearConfig::new(hidden, hidden).init(device),
            last: LinearConfig::new(hidden, 2).init(device),
            relu: Relu::new(),
        }
    }
}

impl Predict for Perceptron {
    type Input = Tensor<2>;

    fn predict(&self, points: Tensor<2>) -> Logits {
        let hidden = self.relu.forward(self.first.forward(points));
        let hidden = self.relu.forward(self.second.forward(hidden));
        self.last.forward(hidden).into()
    }
}
