//! What this crate relies on in Burn 0.22: where one of these fails after an upgrade, the code that works around it
//! is to be read again.

use burn::module::{Module, ModuleMapper, Param, ParamId, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig, DropoutConfig, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use slowburn_ema::sync_running_state;

use crate::tensor;

fn norm(device: &Device) -> BatchNorm {
    BatchNormConfig::new(1).init(device)
}

/// Mean 2, biased variance 1, unbiased variance 2.
fn rows(device: &Device) -> Tensor<2> {
    Tensor::from_data([[1.0], [3.0]], device)
}

fn scalar(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar()
}

#[test]
fn a_clone_shares_running_statistics() {
    let device = Device::flex().autodiff();
    let original = norm(&device);
    original.clone().forward(rows(&device));
    assert!((scalar(original.running_mean.value_sync()) - 0.2).abs() < 1e-6);
}

struct Nines;

impl ModuleMapper for Nines {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, tensor, mapper) = param.consume();
        Param::from_mapped_value(ParamId::new(), tensor.full_like(9.0), mapper)
    }
}

#[test]
fn a_mapper_writes_running_statistics_through_a_clone_but_not_weights() {
    let original = norm(&Device::flex());
    drop(original.clone().map(&mut Nines));
    assert_eq!(scalar(original.running_mean.value()), 9.0);
    assert_eq!(scalar(original.gamma.val()), 1.0);
}

#[test]
fn a_running_state_keeps_its_id_whatever_a_mapper_returns() {
    let id = ParamId::new();
    let state = RunningState::with_id(id, Tensor::<1>::zeros([1], &Device::flex()));
    struct Ids(Vec<ParamId>);
    impl burn::module::ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id);
        }
    }
    let mut ids = Ids(Vec::new());
    state.map(&mut Nines).visit(&mut ids);
    assert_eq!(ids.0, [id]);
}

#[test]
fn a_record_misses_the_last_update_of_running_statistics_unless_synced() {
    let device = Device::flex().autodiff();
    let trained = norm(&device);
    trained.forward(rows(&device));
    let load = |record| norm(&device).load_record(record).running_mean.value();
    assert_eq!(scalar(load(trained.clone().into_record())), 0.0);
    sync_running_state(&trained);
    assert!((scalar(load(trained.into_record())) - 0.2).abs() < 1e-6);
}

#[test]
fn a_clone_keeps_parameter_ids() {
    let linear = LinearConfig::new(2, 2).init(&Device::flex());
    assert_eq!(linear.clone().weight.id, linear.weight.id);
    assert_eq!(linear.valid().weight.id, linear.weight.id);
}

#[test]
fn batch_norm_and_dropout_train_on_autodiff_with_their_flag_only() {
    let (plain, autodiff) = (Device::flex(), Device::flex().autodiff());
    for (device, frozen, trains) in [(&autodiff, false, true), (&autodiff, true, false), (&plain, false, false)] {
        let norm = if frozen { norm(device).freeze() } else { norm(device) };
        norm.forward(rows(device));
        assert_eq!(scalar(norm.running_mean.value_sync()) != 0.0, trains);
        let dropout = DropoutConfig::new(0.5).init();
        let dropout = if frozen { dropout.freeze() } else { dropout };
        let kept = dropout.forward(Tensor::<1>::ones([64], device)).sum();
        // 64 fair coins agree once in 2^63 runs; a kept value is doubled, so the sum is 64 without dropout only (or
        // by a draw of 32 out of 64, which the maximum tells apart).
        let largest = scalar(dropout.forward(Tensor::<1>::ones([64], device)).max());
        assert_eq!(largest == 2.0, trains, "sum {}", scalar(kept));
    }
    let no_grad = norm(&autodiff).no_grad();
    no_grad.forward(rows(&autodiff));
    assert_ne!(scalar(no_grad.running_mean.value_sync()), 0.0, "no_grad leaves training behaviour on");
}

#[test]
fn valid_gives_running_states_of_its_own() {
    let device = Device::flex().autodiff();
    let original = norm(&device);
    let valid = original.valid();
    original.forward(rows(&device));
    sync_running_state(&original);
    assert_eq!(scalar(valid.running_mean.value_sync()), 0.0);
}

#[test]
fn the_stored_running_variance_is_biased() {
    let device = Device::flex().autodiff();
    let norm = BatchNormConfig::new(1).with_momentum(1.0).init(&device);
    norm.forward(rows(&device));
    assert!((scalar(norm.running_var.value_sync()) - 1.0).abs() < 1e-6, "PyTorch stores 2");
}

#[test]
fn batch_norms_momentum_is_the_weight_of_the_new_value() {
    let device = Device::flex().autodiff();
    let norm = BatchNormConfig::new(1).with_momentum(0.25).init(&device);
    norm.forward(rows(&device));
    assert!((scalar(norm.running_mean.value_sync()) - 0.5).abs() < 1e-6);
}

#[test]
fn momentums_default_dampening_is_a_tenth() {
    assert_eq!(MomentumConfig::new().dampening, 0.1);
    // And it acts: with a gradient of 1 twice, the second velocity is 0.9·1 + 0.9·1, not 1 + 0.9·1.
    let device = Device::flex().autodiff();
    let mut linear = LinearConfig::new(1, 1).with_bias(false).init(&device);
    let mut optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    let start = tensor(&linear, "weight")[0];
    for _ in 0..2 {
        let gradients = linear.forward(Tensor::<2>::ones([1, 1], &device)).sum().backward();
        let gradients = GradientsParams::from_grads(gradients, &linear);
        linear = optimizer.step(1.0, linear, gradients);
    }
    assert!((start - tensor(&linear, "weight")[0] - 2.8).abs() < 1e-6);
}
