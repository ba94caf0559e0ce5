//! Memory at the size of the paper: 256 queries, 65,536 keys of length 128. The logits would be 64 MiB, the queue is 32.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use slowburn_contrastive::evaluation::{FeatureSet, KnnConfig, Representation};
use slowburn_contrastive::{Contrastive, Encode, InfoNce, KeyQueueConfig, MocoConfig, ViewPair};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
const KEYS: usize = 65_536;
const DIM: usize = 128;
const BATCH: usize = 256;

/// One measurement at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `work` returns, and the most memory that it held beyond what was there before.
fn peak<R>(work: impl FnOnce() -> R) -> (R, usize) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = work();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// Rows of length 1.
fn unit_rows(count: usize, device: &Device) -> Tensor<2> {
    let value = (DIM as f32).sqrt().recip();
    let values = (0..count * DIM).map(|index| if index % 3 == 0 { -value } else { value }).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [count, DIM]), device)
}

#[derive(Module, Debug)]
struct Network {
    fc: Linear,
}

impl Encode for Network {
    type Input = Tensor<2>;

    fn embed(&self, input: Tensor<2>) -> Tensor<2> {
        self.fc.forward(input)
    }

    fn features(&self, input: Tensor<2>) -> Tensor<2> {
        self.fc.forward(input)
    }

    fn splits(&self) -> usize {
        1
    }
}

#[test]
fn the_logits_are_never_held() {
    let _alone = alone();
    let device = Device::flex();
    let queries = unit_rows(BATCH, &device).autodiff().require_grad();
    let (positives, negatives) = (unit_rows(BATCH, &device), unit_rows(KEYS, &device));
    let (gradient, extra) = peak(|| {
        let loss = InfoNce::new(0.07).info_nce(queries.clone(), positives, negatives).unwrap().loss;
        queries.grad(&loss.backward())
    });
    assert!(gradient.is_some());
    println!("info_nce, forward and backward: {:.2} MiB", extra as f64 / MIB as f64);
    assert!(extra < 16 * MIB, "{extra}");
}

#[test]
fn enqueue_costs_the_batch() {
    let _alone = alone();
    let device = Device::flex();
    let queue = KeyQueueConfig { size: KEYS, dim: DIM, ..KeyQueueConfig::default() }.init(&device).unwrap();
    let keys = unit_rows(BATCH, &device);
    let (queue, extra) = peak(|| queue.enqueue(keys).unwrap());
    assert_eq!(queue.pointer(), BATCH);
    println!("enqueue: {:.2} MiB", extra as f64 / MIB as f64);
    assert!(extra < MIB, "{extra}");
    // The measurement sees a copy where there must be one: a clone that is alive keeps its rows.
    let (other, keys) = (queue.clone(), unit_rows(BATCH, &device));
    let (_, extra) = peak(|| queue.enqueue(keys).unwrap());
    assert!(extra >= KEYS * DIM * 4 && other.pointer() == BATCH, "{extra}");
}

#[test]
fn a_step_does_not_copy_the_queue() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    for symmetric in [false, true] {
        let config = MocoConfig { dim: DIM, queue: KEYS, symmetric, ..MocoConfig::v1() };
        let network = Network { fc: LinearConfig::new(DIM, DIM).init(&device) };
        let mut method = config.init(network, &device).unwrap();
        let mut optimizer = SgdConfig::new().init();
        for _ in 0..2 {
            let views = ViewPair {
                query: unit_rows(BATCH, &device),
                key: unit_rows(BATCH, &device),
                samples: (0..BATCH).collect(),
            };
            let (next, extra) = peak(|| method.step(views, &mut optimizer, 0.05).unwrap().0);
            method = next;
            println!("step, symmetric {symmetric}: {:.2} MiB", extra as f64 / MIB as f64);
            assert!(extra < 16 * MIB, "{extra}");
        }
    }
}

/// burn-train's own step, which clones the model before it is optimised.
#[cfg(feature = "train")]
#[test]
fn a_step_of_burn_trains_learner_does_not_copy_the_queue() {
    use burn::lr_scheduler::constant::ConstantLr;
    use burn::train::Learner;
    use slowburn_contrastive::{ContrastiveLearning, LabeledBatch};

    let _alone = alone();
    let device = Device::flex().autodiff();
    let config = MocoConfig { dim: DIM, queue: KEYS, ..MocoConfig::v1() };
    let network = Network { fc: LinearConfig::new(DIM, DIM).init(&device) };
    let bank = vec![LabeledBatch { input: unit_rows(4, &device), labels: vec![0, 1, 0, 1] }];
    let learning =
        ContrastiveLearning::new(config.init(network, &device).unwrap(), bank, KnnConfig { k: 1, temperature: 0.1 })
            .unwrap();
    let mut learner = Learner::new(learning, SgdConfig::new().init(), ConstantLr::new(0.05));
    for step in 0..3 {
        let views = ViewPair {
            query: unit_rows(BATCH, &device),
            key: unit_rows(BATCH, &device),
            samples: (0..BATCH).collect(),
        };
        let (_, extra) = peak(|| {
            let gradients = learner.train_step(views).grads;
            learner.lr_step();
            learner.optimizer_step(gradients);
        });
        println!("burn-train's step: {:.2} MiB", extra as f64 / MIB as f64);
        assert_eq!(learner.model().method().steps(), step + 1);
        assert!(extra < 16 * MIB, "{extra}");
    }
}

/// 256 queries beside 65,536 bank vectors: similarities of a block, on the device and read, and the neighbours kept.
#[test]
fn knn_holds_a_block_of_similarities_and_the_nearest() {
    let _alone = alone();
    let device = Device::flex();
    let set = |rows: usize| {
        let values: Vec<f32> = (0..rows * 2).map(|index| (index * 7919 % 1009) as f32 - 504.5).collect();
        let features = Tensor::from_data(TensorData::new(values, [rows, 2]), &device);
        FeatureSet::new(features, vec![0; rows], Representation::Features).unwrap()
    };
    let (bank, queries) = (set(KEYS), set(256));
    let (report, extra) = peak(|| KnnConfig { k: 200, temperature: 0.1 }.evaluate(&bank, &queries).unwrap());
    assert_eq!(report.accuracy, 1.0);
    println!("kNN: {:.2} MiB", extra as f64 / MIB as f64);
    // Twice 16 MiB of similarities; neighbours of a whole block would be 64 MiB more.
    assert!(extra < 56 * MIB, "{extra}");
}
