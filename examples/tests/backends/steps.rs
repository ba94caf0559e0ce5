//! Whole training steps: forward, loss, backward, optimizer, average, queue.

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use slowburn::network::{Arch, BackboneConfig, ContrastConfig, Head, NetworkConfig, Normalization};
use slowburn_augment::ImageSize;
use slowburn_contrastive::{Contrastive, InfoNce, MocoConfig, ViewPair};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_models::HeadVersion;
use slowburn_optim::FusedSgdConfig;
use slowburn_semi::{MeanTeacherConfig, Objective, SemiBatch};

use crate::support::{assert_all_close, assert_close, filled, numbers, others, read, values};

const BATCH: usize = 8;

/// What a few steps left behind.
struct Outcome {
    losses: Vec<f64>,
    /// The network that the optimizer trains, then its average.
    networks: [Vec<Vec<f64>>; 2],
    queue: Vec<f64>,
}

fn sgd() -> ModuleOptimizer {
    FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(1e-3).init().unwrap()
}

fn moco(arch: Arch, side: usize, steps: u32, device: &Device) -> Outcome {
    let device = device.clone().autodiff();
    let image = ImageSize::new(side, side, 3);
    let normalization = Normalization::Batch;
    let backbone = BackboneConfig { arch, normalization, splits: 2, dropout: 0.0, input_noise: 0.0, stem: None };
    let network = ContrastConfig { backbone, head: Head::Moco(HeadVersion::V2, 16) }.init(image, &device).unwrap();
    let config = MocoConfig {
        dim: 16,
        queue: 40,
        decay: Decay::Constant { decay: 0.9 },
        loss: InfoNce::new(0.2),
        symmetric: true,
        ..MocoConfig::v2()
    };
    let mut method = config.init(filled(network, 1), &device).unwrap();
    let (mut optimizer, mut losses) = (sgd(), Vec::new());
    for step in 0..steps {
        let view = |seed: u32| numbers(100 * step + seed, [BATCH, 3, side, side], &device);
        let batch = ViewPair { query: view(1), key: view(2), samples: (0..BATCH).collect() };
        let outcome;
        (method, outcome) = method.step(batch, &mut optimizer, 0.02).unwrap();
        losses.extend(read(&outcome.loss));
    }
    Outcome {
        losses,
        networks: [values(&method.query), values(method.key.module())],
        queue: read(&method.queue.rows()),
    }
}

fn mean_teacher(steps: u32, device: &Device) -> Outcome {
    let device = device.clone().autodiff();
    let config = NetworkConfig {
        arch: Arch::Small,
        normalization: Normalization::Batch,
        two_heads: false,
        dropout: 0.0,
        input_noise: 0.0,
        group: Some(4),
        whiten_patches: false,
        stem: None,
    };
    let network = filled(config.init(ImageSize::new(12, 12, 1), 5, &device).unwrap(), 1);
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.9 });
    let config = MeanTeacherConfig { objective: Objective::default(), average };
    let mut method = config.init(network, &device).unwrap();
    let (mut optimizer, mut losses) = (sgd(), Vec::new());
    for step in 0..steps {
        let view = |seed: u32| numbers(100 * step + seed, [BATCH, 1, 12, 12], &device);
        let labels = (0..BATCH).map(|sample| (sample < 4).then_some(sample)).collect();
        let batch = SemiBatch { student: view(1), teacher: view(2), labels, samples: (0..BATCH).collect() };
        let cost = method.losses(batch).unwrap();
        losses.extend(read(&cost.total));
        let gradients = GradientsParams::from_grads(cost.total.backward(), &method.student);
        method = method.optimize(&mut optimizer, 0.02, gradients).unwrap();
    }
    let networks = [values(&method.student), values(method.teacher.module())];
    Outcome { losses, networks, queue: Vec::new() }
}

/// Convolutions, batch statistics and their gradients are sums of thousands of products in another order.
fn compare(name: &str, ours: &Outcome, expected: &Outcome, relative: f64) {
    assert_close(&format!("{name}, losses"), &ours.losses, &expected.losses, relative);
    assert_all_close(&format!("{name}, trained"), &ours.networks[0], &expected.networks[0], relative);
    assert_all_close(&format!("{name}, average"), &ours.networks[1], &expected.networks[1], relative);
    if !expected.queue.is_empty() {
        assert_close(&format!("{name}, queue"), &ours.queue, &expected.queue, relative);
    }
}

#[test]
fn three_of_moco() {
    let expected = moco(Arch::Small, 12, 3, &Device::flex());
    for (name, device) in others() {
        compare(name, &moco(Arch::Small, 12, 3, &device), &expected, 1e-4);
    }
}

#[test]
fn one_of_moco_with_a_resnet() {
    let expected = moco(Arch::ResNet18, 16, 1, &Device::flex());
    for (name, device) in others() {
        // Twenty layers of batch statistics over eight images of few pixels.
        compare(name, &moco(Arch::ResNet18, 16, 1, &device), &expected, 1e-3);
    }
}

#[test]
fn three_of_mean_teacher() {
    let expected = mean_teacher(3, &Device::flex());
    for (name, device) in others() {
        compare(name, &mean_teacher(3, &device), &expected, 1e-4);
    }
}
