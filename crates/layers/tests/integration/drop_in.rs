//! The drop-ins are Burn's layers in everything but the way they compute.

use burn::module::{Module, ModuleVisitor, Param, list_param_ids};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};
use slowburn_layers::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, SplitBatchNorm};

use crate::support::{images, plain, training, values};

#[derive(Module, Debug)]
struct Ours {
    conv: Conv2d,
    norm: BatchNorm,
    projection: Option<(Conv2d, BatchNorm)>,
}

#[derive(Module, Debug)]
struct Burns {
    conv: burn::nn::conv::Conv2d,
    norm: burn::nn::BatchNorm,
    projection: Option<(burn::nn::conv::Conv2d, burn::nn::BatchNorm)>,
}

fn ours(device: &Device) -> Ours {
    let conv = || Conv2dConfig::new([3, 4], [3, 3]).init(device);
    let norm = || BatchNormConfig::new(4).init(device);
    Ours { conv: conv(), norm: norm(), projection: Some((conv(), norm())) }
}

fn burns(device: &Device) -> Burns {
    let conv = || burn::nn::conv::Conv2dConfig::new([3, 4], [3, 3]).init(device);
    let norm = || burn::nn::BatchNormConfig::new(4).init(device);
    Burns { conv: conv(), norm: norm(), projection: Some((conv(), norm())) }
}

/// What a visitor sees: modules with their containers, parameters with their shapes.
fn seen<M: Module>(module: &M) -> Vec<String> {
    struct Seen(Vec<String>);
    impl ModuleVisitor for Seen {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.push(format!("{name} in {container}"));
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(format!("{:?}", param.lazy_shape()));
        }
    }
    let mut seen = Seen(Vec::new());
    module.visit(&mut seen);
    seen.0.into_iter().map(|line| line.replace("Ours", "Burns")).collect()
}

#[test]
fn visitors_see_no_difference() {
    assert_eq!(seen(&ours(&plain())), seen(&burns(&plain())));
    let (ours, burns) = (ours(&plain()), burns(&plain()));
    assert_eq!(ours.num_params(), burns.num_params());
    assert_eq!(ours.devices(), burns.devices());
}

#[test]
fn they_print_the_same() {
    let (ours, burns) = (ours(&plain()), burns(&plain()));
    assert_eq!(ours.conv.to_string(), burns.conv.to_string());
    assert_eq!(ours.norm.to_string(), burns.norm.to_string());
    assert_eq!(ours.to_string().replace("Ours", "Burns"), burns.to_string());
}

#[test]
fn records_load_both_ways() {
    let batch = images([2, 3, 6, 6], &training());
    let trained = ours(&training());
    trained.norm.forward(trained.conv.forward(batch.clone()));
    let trained = trained.valid();
    let loaded = burns(&plain()).load_record(trained.clone().into_record());
    assert_eq!(values(loaded.conv.weight.val()), values(trained.conv.weight.val()));
    assert_eq!(values(loaded.norm.running_var.value()), values(trained.norm.running_var.value()));
    let back = ours(&plain()).load_record(loaded.into_record());
    assert_eq!(values(back.norm.running_mean.value()), values(trained.norm.running_mean.value()));
    assert_eq!(values(back.conv.weight.val()), values(trained.conv.weight.val()));
}

#[test]
fn they_convert_both_ways_and_keep_their_identity() {
    let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&plain());
    let norm = BatchNormConfig::new(4).init(&plain());
    let (conv_ids, norm_ids) = (list_param_ids(&conv), list_param_ids(&norm));
    let (conv, norm): (burn::nn::conv::Conv2d, burn::nn::BatchNorm) = (conv.into(), norm.into());
    assert_eq!((list_param_ids(&conv), list_param_ids(&norm)), (conv_ids.clone(), norm_ids.clone()));
    assert_eq!(list_param_ids(&Conv2d::from(conv)), conv_ids);
    assert_eq!(list_param_ids(&BatchNorm::from(norm)), norm_ids);
}

#[test]
fn their_configurations_are_burns() {
    use burn::config::Config;
    let ours = Conv2dConfig::new([4, 6], [3, 2]).with_stride([2, 1]).with_padding(PaddingConfig2d::Same).with_groups(2);
    let burns = burn::nn::conv::Conv2dConfig::from(ours.clone());
    assert_eq!(ours.to_string(), burns.to_string());
    assert_eq!(Conv2dConfig::from(burns).to_string(), ours.to_string());
    let default = burn::nn::conv::Conv2dConfig::new([4, 6], [3, 2]);
    assert_eq!(Conv2dConfig::new([4, 6], [3, 2]).to_string(), default.to_string());

    let ours = BatchNormConfig::new(4).with_epsilon(0.5).with_momentum(0.25);
    let burns = burn::nn::BatchNormConfig::from(ours.clone());
    assert_eq!(ours.to_string(), burns.to_string());
    assert_eq!(BatchNormConfig::from(burns).to_string(), ours.to_string());
    assert_eq!(BatchNormConfig::new(4).to_string(), burn::nn::BatchNormConfig::new(4).to_string());
    // Burn reads what ours has written.
    assert!(burn::nn::BatchNormConfig::load_binary(ours.to_string().as_bytes()).is_ok());
}

#[test]
fn they_start_as_burns_do() {
    let device = plain();
    device.seed(3);
    let ours = values(Conv2dConfig::new([3, 4], [3, 3]).init(&device).weight.val());
    device.seed(3);
    let burns = values(burn::nn::conv::Conv2dConfig::new([3, 4], [3, 3]).init(&device).weight.val());
    assert_eq!(ours, burns);
}

#[test]
fn fields_are_reached_and_set_through_them() {
    let mut conv = Conv2dConfig::new([3, 4], [3, 3]).init(&plain());
    conv.padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
    assert_eq!(conv.stride, [1, 1]);
    assert_eq!(conv.forward(images([1, 3, 5, 5], &plain())).dims(), [1, 4, 5, 5]);
}

#[test]
fn modes_and_devices_reach_the_layer() {
    let frozen = ours(&training()).freeze();
    assert!(!frozen.norm.training.is_enabled());
    assert!(!frozen.conv.weight.is_require_grad());
    let thawed = frozen.unfreeze();
    assert!(thawed.norm.training.is_enabled() && thawed.conv.weight.is_require_grad());
    let valid = thawed.valid();
    assert!(!valid.conv.weight.val().is_autodiff());
    let moved = valid.train().fork(&training());
    assert!(moved.conv.weight.val().is_autodiff());
}

#[test]
fn a_frozen_layer_does_not_move_its_statistics() {
    let norm: SplitBatchNorm = slowburn_layers::SplitBatchNormConfig::new(3).init(&training()).unwrap().freeze();
    let before = values(norm.norm.running_mean.value_sync());
    norm.forward(images([4, 3, 2, 2], &training()) + 1.0);
    assert_eq!(values(norm.norm.running_mean.value_sync()), before);
}
