//! Every layer without kernels of its own, forward and backward.

use burn::module::{Module, Param};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::{Device, Tensor};
use slowburn_layers::{
    Activation, BatchNormConfig, ComputePath, Conv2dConfig, Maps, MeanOnlyBatchNormConfig, SplitBatchNormConfig,
    WeightNormConv2dConfig, fast_path, global_average_pool, max_pool,
};

use crate::support::{assert_close, numbers, others, read};

/// Output, gradient of the first weight, running variance.
fn compute(device: &Device) -> [Vec<f64>; 3] {
    let mut conv = Conv2dConfig::new([3, 4], [3, 3]).with_bias(false).init(device);
    conv.weight = Param::from_tensor(numbers(1, [4, 3, 3, 3], device));
    let mut weight_norm = WeightNormConv2dConfig::new([4, 4], 3).init(device).unwrap();
    weight_norm.v = Param::from_tensor(numbers(2, [4, 4, 3, 3], device));
    let norm = BatchNormConfig::new(4).init(device);
    let split = SplitBatchNormConfig::new(4).with_splits(2).init(device).unwrap();
    let mean_only = MeanOnlyBatchNormConfig::new(4).init(device).unwrap();
    let batch: Tensor<4> = numbers(3, [4, 3, 10, 10], device);
    let x = norm.forward_maps(conv.forward_maps(Maps::new(batch)), Activation::Relu);
    let x = split.forward_add(x.clone(), x, Activation::LeakyRelu(0.1));
    let x = max_pool(x, &MaxPool2dConfig::new([2, 2]).init());
    let x = mean_only.forward_maps(weight_norm.forward_maps(x), Activation::Relu);
    let output = global_average_pool(x);
    let gradients = output.clone().powi_scalar(2).sum().backward();
    let gradient = conv.weight.val().grad(&gradients).unwrap();
    [read(&output), read(&gradient), read(&split.norm.running_var.value_sync())]
}

#[test]
fn in_burns_operations() {
    let expected = compute(&Device::flex().autodiff());
    for (name, device) in others() {
        for device in [device.clone(), device.clone().autodiff()] {
            assert_eq!(fast_path(&device), ComputePath::Burn, "{name}");
        }
        let found = compute(&device.autodiff());
        for (what, (found, expected)) in
            ["output", "gradient", "running variance"].into_iter().zip(found.iter().zip(&expected))
        {
            assert_close(&format!("{name}, {what}"), found, expected, 1e-4);
        }
    }
}

#[test]
fn moved_from_the_cpu() {
    for (name, device) in others() {
        let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&Device::flex());
        let batch = |device: &Device| numbers(1, [1, 3, 5, 5], device);
        let expected = read(&conv.forward(batch(&Device::flex())));
        let moved = conv.to_device(&device);
        assert_eq!(moved.devices(), vec![device.clone()], "{name}");
        assert_close(name, &read(&moved.forward(batch(&device))), &expected, 1e-5);
    }
}
