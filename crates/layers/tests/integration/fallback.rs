//! What the kernels cannot do is left to Burn.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use slowburn_layers::{
    Activation, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Maps, SplitBatchNormConfig, global_average_pool,
    max_pool,
};

use crate::support::{Leaves, assert_same, images, plain, values};

#[test]
fn groups_and_dilation_are_burns() {
    for (groups, dilation) in [(2, [1, 1]), (1, [2, 1]), (4, [2, 2])] {
        let leaves = Leaves::random(&[[2, 4, 9, 9], [8, 4 / groups, 3, 3]], &[8]);
        let burns = |leaves: &Leaves| burn::nn::conv::Conv2d {
            weight: Param::from_tensor(leaves.maps[1].clone()),
            bias: Some(Param::from_tensor(leaves.vectors[0].clone())),
            stride: [1, 1],
            kernel_size: [3, 3],
            dilation,
            groups,
            padding: burn::nn::PaddingConfig2d::Same,
        };
        let theirs = |leaves: &Leaves| burns(leaves).forward(leaves.maps[0].clone());
        let ours = |leaves: &Leaves| Conv2d::from(burns(leaves)).forward(leaves.maps[0].clone());
        assert_same(&format!("{groups} groups, dilation {dilation:?}"), &leaves, ours, theirs);
        let ours =
            |leaves: &Leaves| Conv2d::from(burns(leaves)).forward_maps(Maps::new(leaves.maps[0].clone())).into_tensor();
        assert_same(&format!("maps, {groups} groups, dilation {dilation:?}"), &leaves, ours, theirs);
    }
}

/// A layer with its weights in another type.
fn cast<M: Module>(module: M, dtype: DType) -> M {
    struct Cast(DType);
    impl burn::module::ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let dtype = self.0;
            param.map(|tensor| tensor.cast(dtype))
        }
    }
    module.map(&mut Cast(dtype))
}

#[test]
fn other_types_take_burns_operations() {
    for (dtype, tolerance) in [(DType::F64, 1e-5), (DType::F16, 2e-2)] {
        let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&plain());
        let norm = SplitBatchNormConfig::new(4).init(&plain()).unwrap();
        let pool = burn::nn::pool::MaxPool2dConfig::new([2, 2]).init();
        let compute = |conv: &Conv2d, norm: &slowburn_layers::SplitBatchNorm, batch: Tensor<4>| {
            let x = norm.forward_maps(conv.forward_maps(Maps::new(batch)), Activation::LeakyRelu(0.1));
            let x = norm.forward_add(x.clone(), x, Activation::Relu);
            global_average_pool(max_pool(x, &pool))
        };
        let batch = images([2, 3, 8, 8], &plain());
        let expected = values(compute(&conv, &norm, batch.clone()));
        let found = compute(&cast(conv, dtype), &cast(norm, dtype), batch.cast(dtype));
        assert_eq!(found.dtype(), dtype);
        for (found, expected) in values(found).iter().zip(&expected) {
            assert!((found - expected).abs() < tolerance, "{dtype:?}: {found} instead of {expected}");
        }
    }
}

#[test]
#[should_panic]
fn weights_of_another_type_panic_as_burns_do() {
    let norm: BatchNorm = cast(BatchNormConfig::new(3).init(&plain()), DType::F64);
    norm.forward(images([2, 3, 4, 4], &plain()));
}
