//! The order of MoCo's step, and who may change what.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};
use slowburn_contrastive::{
    Contrast, Contrastive, Encode, EncoderRole, InfoNce, Moco, MocoConfig, SymmetricReduction, Unfilled, ViewPair,
    normalize,
};
use slowburn_ema::{Decay, detached_copy};
use slowburn_models::HeadVersion;

use crate::support::{
    BATCH, DIM, Network, QUEUE, assert_close, config, moco, optimizer, part, read, scalar, seeded, tensors, view, views,
};

fn step(moco: Moco<Network>, optimizer: &mut ModuleOptimizer, seed: u32) -> (Moco<Network>, Contrast) {
    let device = Device::flex().autodiff();
    moco.step(views(seed, &device), optimizer, 0.05).unwrap()
}

fn gradients(network: &Network, loss: &Tensor<1>) -> Vec<bool> {
    let gradients = loss.backward();
    let found = [network.first.weight.grad(&gradients).is_some(), network.norm.norm.gamma.grad(&gradients).is_some()];
    let head = match &network.fc {
        slowburn_models::ProjectionHead::V1(linear) => linear.weight.grad(&gradients).is_some(),
        slowburn_models::ProjectionHead::V2(mlp) => mlp.output.weight.grad(&gradients).is_some(),
        slowburn_models::ProjectionHead::Mlp(_) => panic!("MoCo has no such head"),
    };
    found.into_iter().chain([head]).collect()
}

/// The whole of a step, done by hand with the crate's parts.
#[test]
fn a_step_is_query_average_key_loss_enqueue() {
    let device = Device::flex().autodiff();
    let mut before = moco(&MocoConfig { shuffle: false, ..config() }, &device);
    let mut optimizer = optimizer();
    before = step(before, &mut optimizer, 1).0;

    let batch = views(2, &device);
    let average = before.key.clone().update(&before.query).unwrap();
    let query = normalize(detached_copy(&before.query).embed(batch.query.clone()));
    let key = normalize(average.export().embed(batch.key.clone()));
    let expected = before.config().loss.info_nce(query, key.clone(), before.queue.negatives()).unwrap();
    let queue = before.queue.clone().enqueue(key).unwrap();

    let (after, outcome) = before.contrast(batch).unwrap();
    assert_eq!(scalar(&outcome.loss), scalar(&expected.loss));
    assert_eq!(read(after.queue.rows()), read(queue.rows()));
    assert_eq!(part(after.key.module(), false), part(average.module(), false));
}

/// Symmetric or not, the loss is against the queue of earlier batches, and keys that a batch enqueues are not in it.
#[test]
fn a_key_is_never_among_its_own_negatives() {
    let device = Device::flex().autodiff();
    for symmetric in [false, true] {
        // A masked queue: at the first step there is nothing to score against, at the second the first step's keys.
        let config = MocoConfig { symmetric, unfilled: Unfilled::Mask, queue: 30, ..config() };
        let (moco, first) = moco(&config, &device).contrast(views(1, &device)).unwrap();
        assert_eq!((first.negatives, scalar(&first.loss)), (0, 0.0));
        let keys = if symmetric { 2 * BATCH } else { BATCH };
        let (moco, second) = moco.contrast(views(2, &device)).unwrap();
        assert_eq!(second.negatives, keys);
        assert_eq!(moco.queue.filled(), 2 * keys, "one enqueue a step");
        assert_eq!(moco.queue.pointer(), 2 * keys % 30);
    }
}

/// What goes wrong where a loss enqueues each direction at once: the second would meet its positives as negatives.
#[test]
fn both_directions_meet_the_same_queue() {
    let device = Device::flex().autodiff();
    let asymmetric = MocoConfig { shuffle: false, decay: Decay::Constant { decay: 1.0 }, ..config() };
    let swapped = |batch: ViewPair<Tensor<2>>| ViewPair { query: batch.key, key: batch.query, ..batch };
    let one = scalar(&moco(&asymmetric, &device).contrast(views(1, &device)).unwrap().1.loss);
    let two = scalar(&moco(&asymmetric, &device).contrast(swapped(views(1, &device))).unwrap().1.loss);
    for (reduction, factor) in [(SymmetricReduction::Sum, 1.0), (SymmetricReduction::Mean, 0.5)] {
        let config = MocoConfig { symmetric: true, reduction, ..asymmetric.clone() };
        let outcome = moco(&config, &device).contrast(views(1, &device)).unwrap().1;
        let both = scalar(&outcome.loss);
        assert!((outcome.chance - 2.0 * factor * 16f64.ln()).abs() < 1e-12, "chance is counted as the loss is");
        // One f32 addition of numbers of about 3.
        assert!((both - factor * (one + two)).abs() < 1e-6, "{reduction:?}: {both} of {one} and {two}");
    }
}

#[test]
fn a_symmetric_step_moves_the_average_once_and_enqueues_first_then_second_view() {
    let device = Device::flex().autodiff();
    let config = MocoConfig { symmetric: true, shuffle: false, ..config() };
    let before = moco(&config, &device);
    let batch = views(1, &device);
    let average = before.key.clone().update(&before.query).unwrap();
    let keys = |view| read(normalize(average.export().embed(view)));
    let expected = [keys(batch.query.clone()), keys(batch.key.clone())].concat();
    let (after, _) = before.contrast(batch).unwrap();
    assert_eq!(after.key.updates(), 1);
    assert_eq!(part(after.key.module(), false), part(average.module(), false));
    assert_eq!(read(after.queue.rows())[..2 * BATCH * DIM], expected);
}

#[test]
fn the_query_gets_a_gradient_everywhere_and_the_key_none() {
    let device = Device::flex().autodiff();
    for symmetric in [false, true] {
        for version in [HeadVersion::V1, HeadVersion::V2] {
            let query = Network::new(1, version, 2, 0.0, &device);
            let moco = MocoConfig { symmetric, ..config() }.init(query, &device).unwrap();
            let (moco, outcome) = moco.contrast(views(1, &device)).unwrap();
            assert!(gradients(&moco.query, &outcome.loss).into_iter().all(|found| found));
            let (moco, outcome) = moco.contrast(views(2, &device)).unwrap();
            assert!(!gradients(moco.key.module(), &outcome.loss).into_iter().any(|found| found));
        }
    }
}

#[test]
fn gradients_of_the_query_are_not_zero() {
    let device = Device::flex().autodiff();
    let (moco, outcome) = moco(&config(), &device).contrast(views(1, &device)).unwrap();
    let gradients = outcome.loss.backward();
    let gradient = read(moco.query.first.weight.grad(&gradients).unwrap());
    assert!(gradient.iter().any(|value| value.abs() > 1e-3), "{gradient:?}");
}

#[test]
fn running_statistics_are_each_encoders_own() {
    let device = Device::flex().autodiff();
    let moco = moco(&config(), &device);
    let fresh = part(&moco.query, true);
    moco.query.embed(view(1, &device));
    assert_ne!(part(&moco.query, true), fresh);
    assert_eq!(part(moco.key.module(), true), fresh, "a query pass leaves the key's alone");
    let queries = part(&moco.query, true);
    let (moco, _) = moco.contrast(views(2, &device)).unwrap();
    assert_ne!(part(moco.key.module(), true), fresh, "training mode: its own pass moves its own");
    assert_ne!(part(moco.key.module(), true), part(&moco.query, true));
    assert_ne!(part(&moco.query, true), queries);
}

#[test]
fn the_key_encoder_is_in_training_mode_with_dropout_of_its_own() {
    let device = Device::flex().autodiff();
    let query = Network::new(1, HeadVersion::V1, 1, 0.5, &device);
    let moco = config().init(query, &device).unwrap();
    let keys = |seed| {
        let (after, _) = seeded(seed, || moco.clone().contrast(views(1, &device))).unwrap();
        read(after.queue.rows())[..BATCH * DIM].to_vec()
    };
    assert_eq!(keys(1), keys(1));
    assert_ne!(keys(1), keys(2), "dropout draws in the key encoder");
    // Batch statistics, not running ones: the same view in other company has another key.
    let plain = crate::support::moco(&config(), &device);
    let first_key = |other: f32| {
        let rows = view(1, &device).narrow(0, 0, 1);
        let rest = view(2, &device).narrow(0, 1, BATCH - 1) * other;
        let key = Tensor::cat(vec![rows, rest], 0);
        let batch = ViewPair { key, ..views(1, &device) };
        read(plain.clone().contrast(batch).unwrap().0.queue.rows())[..DIM].to_vec()
    };
    assert_ne!(first_key(1.0), first_key(3.0));
}

#[test]
fn the_average_moves_once_a_step_by_the_decay_with_the_weights_just_used() {
    let device = Device::flex().autodiff();
    let mut moco = moco(&config(), &device);
    let mut optimizer = optimizer();
    moco = step(moco, &mut optimizer, 1).0;
    for seed in 2..5 {
        let (key, query) = (part(moco.key.module(), false), part(&moco.query, false));
        moco = step(moco, &mut optimizer, seed).0;
        assert_eq!(moco.key.updates(), u64::from(seed));
        assert_eq!(moco.steps(), u64::from(seed));
        for (((path, now), (_, key)), (_, query)) in part(moco.key.module(), false).iter().zip(&key).zip(&query) {
            let expected: Vec<f64> = key.iter().zip(query).map(|(key, query)| 0.75 * key + 0.25 * query).collect();
            assert_close(now, &expected, 3e-7, path);
        }
    }
}

/// The head too: a library gives the key encoder a head of its own random start.
#[test]
fn the_key_encoder_starts_as_a_copy_head_included() {
    let device = Device::flex().autodiff();
    for version in [HeadVersion::V1, HeadVersion::V2] {
        let moco = config().init(Network::new(1, version, 1, 0.0, &device), &device).unwrap();
        assert_eq!(tensors(moco.key.module()), tensors(&moco.query));
        assert!(tensors(moco.key.module()).iter().any(|(path, _)| path.starts_with("fc.")));
        let mut optimizer = optimizer();
        let start = part(moco.key.module(), false);
        let moco = step(step(moco, &mut optimizer, 1).0, &mut optimizer, 2).0;
        let moved = part(moco.key.module(), false);
        for ((path, before), (_, now)) in start.iter().zip(&moved) {
            assert_ne!(before, now, "{path} follows");
        }
    }
}

#[test]
fn the_optimizer_never_touches_the_key_encoder_or_the_queue() {
    let device = Device::flex().autodiff();
    let adam = AdamConfig::new().with_weight_decay(Some(burn::optim::decay::WeightDecayConfig::new(0.1))).init();
    for mut optimizer in [optimizer(), adam] {
        // The average itself never moves, so that whatever moves the key encoder is a mistake.
        let config = MocoConfig { decay: Decay::Constant { decay: 1.0 }, ..config() };
        let mut moco = moco(&config, &device);
        let (key, query) = (part(moco.key.module(), false), part(&moco.query, false));
        for seed in 0..4 {
            let (next, outcome) = moco.contrast(views(seed, &device)).unwrap();
            let queue = read(next.queue.rows());
            let gradients = GradientsParams::from_grads(outcome.loss.backward(), &next.query);
            moco = next.optimize(&mut optimizer, 0.1, gradients);
            assert_eq!(read(moco.queue.rows()), queue);
        }
        assert_eq!(part(moco.key.module(), false), key, "bit for bit");
        assert_ne!(part(&moco.query, false), query);
    }
}

#[test]
fn keys_queries_and_queue_have_unit_length() {
    let device = Device::flex().autodiff();
    let mut moco = moco(&MocoConfig { symmetric: true, ..config() }, &device);
    let mut optimizer = optimizer();
    for seed in 0..3 {
        moco = step(moco, &mut optimizer, seed).0;
        for row in read(moco.queue.rows()).chunks(DIM) {
            let length: f64 = row.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-6, "{length}");
        }
    }
}

/// Nearly orthogonal rows in 128 dimensions lose to any positive: the published curve's first steps.
#[test]
fn random_initial_rows_make_a_low_loss_at_first() {
    let device = Device::flex().autodiff();
    let rows = |seed| {
        let queue = slowburn_contrastive::KeyQueueConfig { size: 64, seed, ..Default::default() };
        queue.init(&device).unwrap().rows()
    };
    // The query is its own positive, as at the first step of a network that sees equal views.
    let outcome = InfoNce::new(0.07).info_nce(rows(1), rows(1), rows(2)).unwrap();
    assert_eq!(scalar(&outcome.accuracy), 1.0);
    assert!(scalar(&outcome.loss) < 0.01, "{} beside {}", outcome.loss, outcome.chance);
}

#[test]
fn exports_are_independent_copies() {
    let device = Device::flex().autodiff();
    let moco = step(moco(&config(), &device), &mut optimizer(), 1).0;
    let (query, key) = (moco.export(EncoderRole::Query), moco.export(EncoderRole::Key));
    assert_eq!(tensors(&query), tensors(&moco.query));
    assert_eq!(tensors(&key), tensors(moco.key.module()));
    assert_ne!(tensors(&query), tensors(&key));
    let before = tensors(&moco);
    query.embed(view(3, &device));
    key.embed(view(3, &device));
    assert_eq!(tensors(&moco), before);
    assert!(!query.first.weight.is_require_grad());
    assert!(query.unfreeze().first.weight.is_require_grad());
}

/// Burn panics where tensors of two checkpointing strategies meet.
#[test]
fn gradient_checkpointing_works() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let query = Network::new(1, HeadVersion::V2, 2, 0.0, &device);
    let mut moco = MocoConfig { symmetric: true, ..config() }.init(query, &device).unwrap();
    let mut optimizer = optimizer();
    for seed in 0..2 {
        moco = moco.step(views(seed, &device), &mut optimizer, 0.05).unwrap().0;
    }
    let strategy = moco.query.first.weight.val().gradient_checkpointing_strategy();
    assert_eq!(strategy, Some(GradientCheckpointingStrategy::Balanced));
}

#[test]
fn presets_are_the_published_recipes() {
    let published = [(MocoConfig::v1(), 65_536, 0.999, 0.07), (MocoConfig::v2(), 65_536, 0.999, 0.2)];
    for (config, queue, decay, temperature) in published.into_iter().chain([(MocoConfig::cifar(), 4096, 0.99, 0.1)]) {
        assert_eq!(config.queue, queue);
        assert_eq!(config.decay, Decay::Constant { decay });
        assert_eq!(config.loss, InfoNce::new(temperature));
        assert_eq!((config.dim, config.symmetric, config.shuffle), (128, false, true));
        assert_eq!((config.reduction, config.unfilled), (SymmetricReduction::Sum, Unfilled::Keep));
        assert!(config.validate().is_ok());
    }
    assert_eq!(MocoConfig::default(), MocoConfig::v1());
}

/// Any batch up to the queue's size, a last one of an epoch included.
#[test]
fn batches_of_any_size_follow_each_other() {
    let device = Device::flex().autodiff();
    let mut moco = moco(&config(), &device);
    let mut optimizer = optimizer();
    let mut keys = 0;
    for rows in [6, 4, 5, 2, 6] {
        let part = |view: Tensor<2>| view.narrow(0, 0, rows);
        let batch = views(rows as u32, &device);
        let batch = ViewPair { query: part(batch.query), key: part(batch.key), samples: (0..rows).collect() };
        moco = moco.step(batch, &mut optimizer, 0.05).unwrap().0;
        keys += rows;
        assert_eq!((moco.queue.pointer(), moco.queue.filled()), (keys % QUEUE, keys.min(QUEUE)));
    }
}
