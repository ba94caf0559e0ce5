use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The first tensor of a module, running statistics included, that holds a number that is not finite, or numbers whose
/// sum is not: its path and the sum of its absolute values.
pub(super) fn diverged<M: Module>(module: &M) -> Option<(String, f64)> {
    let mut sums = Sums::default();
    module.valid().visit(&mut sums);
    if sums.sums.is_empty() {
        return None;
    }
    // Read at once: a GPU waits for each reading.
    let values = Tensor::cat(sums.sums, 0).into_data().convert::<f32>();
    let mut named = sums.names.into_iter().zip(values.iter::<f32>().map(f64::from));
    named.find(|(_, sum)| !sum.is_finite())
}

/// The sum of absolute values of each tensor, on the device.
#[derive(Default)]
struct Sums {
    path: Vec<String>,
    names: Vec<String>,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Sums {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.push(self.path.join("."));
        self.sums.push(param.val().without_autodiff().abs().sum());
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Network {
        first: Linear,
        norm: BatchNorm,
    }

    fn network(device: &Device) -> Network {
        Network { first: LinearConfig::new(2, 2).init(device), norm: BatchNormConfig::new(2).init(device) }
    }

    #[test]
    fn weights_that_are_no_numbers_or_overflow_are_named() {
        let device = Device::flex().autodiff();
        assert_eq!(diverged(&network(&device)), None);
        for (bad, name) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "inf"), (2e38, "inf")] {
            let mut network = network(&device);
            network.first.bias = Some(Param::from_tensor(Tensor::from_data([bad, bad], &device)));
            let (path, sum) = diverged(&network).expect("not finite");
            assert_eq!((path.as_str(), sum.to_string().as_str()), ("first.bias", name));
        }
    }

    #[test]
    fn running_statistics_are_looked_at_too() {
        let device = Device::flex().autodiff();
        let network = network(&device);
        network.norm.forward(Tensor::<2>::from_data([[f32::INFINITY, 0.0], [1.0, 2.0]], &device));
        let (path, _) = diverged(&network).expect("not finite");
        assert!(path.starts_with("norm.running"), "{path}");
    }
}
