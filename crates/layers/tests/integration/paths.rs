//! Which path is taken where.

use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::DType;
use slowburn_layers::{
    Activation, BatchNormConfig, ComputePath, Conv2dConfig, Maps, MeanOnlyBatchNormConfig, SplitBatchNormConfig,
    WeightNormConv2dConfig, fast_path, max_pool,
};

use crate::support::{images, plain, training};

#[test]
fn the_cpu_backend_has_kernels() {
    for device in [plain(), training(), training().gradient_checkpointing()] {
        assert_eq!(fast_path(&device), ComputePath::Kernels);
    }
    assert_eq!(ComputePath::Kernels.to_string(), "kernels");
    assert_eq!(ComputePath::Burn.to_string(), "Burn's operations");
}

fn on_kernels(maps: &Maps) -> bool {
    format!("{maps:?}").contains("ChannelsLast")
}

/// Maps that take a way through Burn's operations would still be right, and slow.
#[test]
fn every_layer_keeps_maps_on_the_kernels_path() {
    for device in [plain(), training()] {
        let maps = Maps::new(images([4, 3, 8, 8], &device));
        assert!(on_kernels(&maps));
        let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&device).forward_maps(maps.clone());
        assert!(on_kernels(&conv));
        let weight_norm = WeightNormConv2dConfig::new([3, 4], 3).init(&device).unwrap().forward_maps(maps.clone());
        assert!(on_kernels(&weight_norm));
        for activation in [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)] {
            let norm = BatchNormConfig::new(3).init(&device);
            assert!(on_kernels(&norm.forward_maps(maps.clone(), activation)));
            let split = SplitBatchNormConfig::new(3).with_splits(2).init(&device).unwrap();
            assert!(on_kernels(&split.forward_add(maps.clone(), maps.clone(), activation)));
            let mean_only = MeanOnlyBatchNormConfig::new(3).init(&device).unwrap();
            assert!(on_kernels(&mean_only.forward_maps(maps.clone(), activation)));
        }
        assert!(on_kernels(&max_pool(maps.clone(), &MaxPool2dConfig::new([2, 2]).init())));
        assert!(on_kernels(&maps.clone().map(|x| x * 2.0)));
        assert!(on_kernels(&(maps.clone() + maps)));
    }
}

#[test]
fn other_types_stay_with_burn() {
    assert!(!on_kernels(&Maps::new(images([1, 3, 8, 8], &plain()).cast(DType::F64))));
    assert!(!on_kernels(&Maps::new(images([1, 3, 8, 8], &plain()).cast(DType::F16))));
}
