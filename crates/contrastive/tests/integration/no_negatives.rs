//! BYOL, SimSiam and MoCo v3: who gets gradients, what moves when, and that it learns.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};
use slowburn_contrastive::evaluation::{KnnConfig, Representation, extract, spread};
use slowburn_contrastive::{
    Byol, ByolConfig, Contrastive, Encode, EncoderRole, InfoNce, MocoV3, MocoV3Config, Online, Predictor, SimSiam,
    SimSiamConfig, Stream, ViewPair, negative_cosine, normalize, permutation,
};
use slowburn_ema::Decay;
use slowburn_models::{HeadVersion, MlpHead, MlpHeadConfig, ProjectionHead, state_dict};
use slowburn_testkit::farthest;

use crate::support::{
    BATCH, DIM, HIDDEN, INPUT, Network, assert_close, filled, matrix, numbers, optimizer, part, predictor, read,
    scalar, tensors, view, views,
};

const DECAY: Decay = Decay::Constant { decay: 0.75 };

pub(crate) fn byol(device: &Device) -> Byol<Network, MlpHead> {
    let config = ByolConfig { dim: DIM, decay: DECAY };
    config.init(Network::plain(1, device), predictor(2, device), device).unwrap()
}

pub(crate) fn sim_siam(device: &Device) -> SimSiam<Network, MlpHead> {
    let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
    config.init(Network::plain(1, device), predictor(2, device), device).unwrap()
}

pub(crate) fn moco_v3(device: &Device) -> MocoV3<Network, MlpHead> {
    let config = MocoV3Config { dim: DIM, decay: DECAY, loss: InfoNce::new(0.2) };
    config.init(Network::plain(1, device), predictor(2, device), device).unwrap()
}

fn gradient(network: &Network, loss: &Tensor<1>) -> Vec<f64> {
    read(network.first.weight.grad(&loss.backward()).unwrap())
}

#[test]
fn encoder_projector_and_predictor_get_gradients_and_the_target_none() {
    fn assert_flow<M>(method: M, target: impl Fn(&M) -> Option<&Network>)
    where
        M: Contrastive<Encoder = Network, Trained = Online<Network, MlpHead>>,
    {
        let device = Device::flex().autodiff();
        let (method, outcome) = method.contrast(views(1, &device)).unwrap();
        let gradients = outcome.loss.backward();
        if let Some(target) = target(&method) {
            assert!(target.first.weight.grad(&gradients).is_none());
            assert!(!target.first.weight.is_require_grad());
        }
        let all = GradientsParams::from_grads(gradients, method.trained());
        let (query, head) = (method.query(), &method.trained().predictor);
        let ProjectionHead::V1(projector) = &query.fc else { panic!("a plain network has a linear head") };
        let matrices =
            [&query.first.weight, &projector.weight, &head.layers()[0].linear.weight, &head.layers()[1].linear.weight];
        for weight in matrices {
            let gradient = read(all.get::<2>(weight.id).unwrap());
            assert!(gradient.iter().any(|value| value.abs() > 1e-4), "{gradient:?}");
        }
    }
    let device = Device::flex().autodiff();
    assert_flow(byol(&device), |byol| Some(byol.target.module()));
    assert_flow(sim_siam(&device), |_| None);
    assert_flow(moco_v3(&device), |moco| Some(moco.key.module()));
}

/// The loss written out, with and without the stop-gradient: the values are equal, the gradients are not.
#[test]
fn the_stop_gradient_is_there_and_matters() {
    let device = Device::flex().autodiff();
    let batch = views(1, &device);
    let by_hand = |stop: bool| {
        let Online { encoder, predictor } = sim_siam(&device).online;
        let z = [batch.query.clone(), batch.key.clone()].map(|view| encoder.embed(view));
        let p = z.clone().map(|z| normalize(predictor.predict(z)));
        let [z1, z2] = z.map(|z| if stop { normalize(z).detach() } else { normalize(z) });
        let [p1, p2] = p;
        let loss = ((p1 * z2).sum_dim(1).mean() + (p2 * z1).sum_dim(1).mean()).mul_scalar(-0.5);
        (scalar(&loss), gradient(&encoder, &loss))
    };
    let (method, outcome) = sim_siam(&device).contrast(batch.clone()).unwrap();
    let ours = gradient(method.query(), &outcome.loss);
    let ((loss, stopped), (same, through)) = (by_hand(true), by_hand(false));
    assert!((scalar(&outcome.loss) - loss).abs() < 1e-6 && (loss - same).abs() < 1e-6);
    assert_close(&ours, &stopped, 1e-5, "with the stop-gradient");
    let far = farthest(&stopped, &through);
    assert!(far > 1e-3, "without it the gradient is another: {far}");
}

/// What goes wrong where BYOL's projector is compared directly: the encoder learns something else.
#[test]
fn the_predictor_matters() {
    let device = Device::flex().autodiff();
    let (method, outcome) = byol(&device).contrast(views(1, &device)).unwrap();
    let by_hand = |predict: bool| {
        let Byol { online: Online { encoder, predictor }, target, .. } = byol(&device);
        let ViewPair { query, key, .. } = views(1, &device);
        let [one, other] = [query.clone(), key.clone()].map(|view| encoder.embed(view));
        let [one, other] = [one, other].map(|z| normalize(if predict { predictor.predict(z) } else { z }));
        let [of_one, of_other] = [query, key].map(|view| normalize(target.module().embed(view)));
        let similar = (one * of_other).sum_dim(1).mean() + (other * of_one).sum_dim(1).mean();
        let loss = similar.mul_scalar(-2.0).add_scalar(4.0); // 2 − 2cos, for both directions
        (scalar(&loss), gradient(&encoder, &loss))
    };
    let ours = gradient(method.query(), &outcome.loss);
    let ((loss, with), (direct, without)) = (by_hand(true), by_hand(false));
    assert!((scalar(&outcome.loss) - loss).abs() < 1e-5 && (loss - direct).abs() > 0.1, "{loss} {direct}");
    assert_close(&ours, &with, 1e-4, "with the predictor");
    let far = farthest(&with, &without);
    assert!(far > 1e-2, "without it the gradient is another: {far}");
}

/// Hands on what it gets.
#[derive(Module, Debug)]
struct NoPredictor;

impl Predictor for NoPredictor {
    fn predict(&self, embeddings: Tensor<2>) -> Tensor<2> {
        embeddings
    }
    fn dims(&self) -> [usize; 2] {
        [DIM, DIM]
    }
}

/// Every method's encoder learns something else without its predictor.
#[test]
fn no_method_ignores_its_predictor() {
    fn learned<M: Contrastive<Encoder = Network>>(method: M, device: &Device) -> Vec<f64> {
        let (method, outcome) = method.contrast(views(1, device)).unwrap();
        gradient(method.query(), &outcome.loss)
    }
    fn assert_other(with: &[f64], without: &[f64], method: &str) {
        let far = farthest(with, without);
        assert!(far > 1e-2, "{method} is as without: {far}");
    }
    let device = Device::flex().autodiff();
    let encoder = || Network::plain(1, &device);
    let without = ByolConfig { dim: DIM, decay: DECAY }.init(encoder(), NoPredictor, &device).unwrap();
    assert_other(&learned(byol(&device), &device), &learned(without, &device), "BYOL");
    let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
    let without = config.init(encoder(), NoPredictor, &device).unwrap();
    assert_other(&learned(sim_siam(&device), &device), &learned(without, &device), "SimSiam");
    let config = MocoV3Config { dim: DIM, decay: DECAY, loss: InfoNce::new(0.2) };
    let without = config.init(encoder(), NoPredictor, &device).unwrap();
    assert_other(&learned(moco_v3(&device), &device), &learned(without, &device), "MoCo v3");
}

/// Without the average, the target is the encoder as it is.
#[test]
fn the_average_matters() {
    fn ends<M: Contrastive<Encoder = Network>>(mut method: M) -> Vec<(String, Vec<f64>)> {
        let (device, mut optimizer) = (Device::flex().autodiff(), optimizer());
        for seed in 1..5 {
            method = method.step(views(seed, &device), &mut optimizer, 0.05).unwrap().0;
        }
        part(method.query(), false)
    }
    let device = Device::flex().autodiff();
    let (encoder, head) = (|| Network::plain(1, &device), || predictor(2, &device));
    let decay = Decay::Constant { decay: 0.0 };
    let config = ByolConfig { dim: DIM, decay };
    let without = ends(config.init(encoder(), head(), &device).unwrap());
    assert_apart(&ends(byol(&device)), &without, "BYOL");
    let config = MocoV3Config { dim: DIM, decay, loss: InfoNce::new(0.2) };
    let without = ends(config.init(encoder(), head(), &device).unwrap());
    assert_apart(&ends(moco_v3(&device)), &without, "MoCo v3");
}

/// Fails unless some weight differs by more than rounding makes.
fn assert_apart(a: &[(String, Vec<f64>)], b: &[(String, Vec<f64>)], what: &str) {
    let far = a.iter().zip(b).map(|((_, a), (_, b))| farthest(a, b)).fold(0.0, f64::max);
    assert!(far > 1e-4, "{what} is as without: {far}");
}

#[test]
#[should_panic(expected = "the predictor has no gradients")]
fn gradients_of_the_encoder_alone_are_a_callers_mistake() {
    let device = Device::flex().autodiff();
    let (method, outcome) = byol(&device).contrast(views(1, &device)).unwrap();
    let encoders = GradientsParams::from_grads(outcome.loss.backward(), method.query());
    drop(method.optimize(&mut optimizer(), 0.1, encoders));
}

/// The target that has no predictor moves after the optimizer, with the weights of after its step.
#[test]
fn byols_target_moves_after_the_optimizer() {
    let device = Device::flex().autodiff();
    let mut method = byol(&device);
    let mut optimizer = optimizer();
    for seed in 1..4 {
        let before = part(method.target.module(), false);
        let (next, outcome) = method.contrast(views(seed, &device)).unwrap();
        assert_eq!(part(next.target.module(), false), before, "not before");
        let all = next.gradients(&outcome);
        method = next.optimize(&mut optimizer, 0.05, all);
        assert_eq!(method.target.updates(), u64::from(seed));
        let online = part(method.query(), false);
        for (((path, now), (_, old)), (_, new)) in part(method.target.module(), false).iter().zip(&before).zip(&online)
        {
            let expected: Vec<f64> = old.iter().zip(new).map(|(old, new)| 0.75 * old + 0.25 * new).collect();
            assert_close(now, &expected, 3e-7, path);
        }
    }
}

/// The average of MoCo v3 moves before its keys, with the weights just used.
#[test]
fn moco_v3_moves_its_average_between_queries_and_keys() {
    let device = Device::flex().autodiff();
    let mut method = moco_v3(&device);
    method = method.step(views(1, &device), &mut optimizer(), 0.05).unwrap().0;
    let expected = method.key.clone().update(method.query()).unwrap();
    let method = method.contrast(views(2, &device)).unwrap().0;
    assert_eq!(part(method.key.module(), false), part(expected.module(), false));
    assert_eq!(method.key.updates(), 2);
}

#[test]
fn a_target_apart_is_another_network_and_a_copy_is_the_same() {
    let device = Device::flex().autodiff();
    let copy = byol(&device);
    assert_eq!(tensors(copy.target.module()), tensors(copy.query()));
    let other = Network::plain(9, &device);
    let config = copy.config().clone();
    let apart = config.init_apart(Network::plain(1, &device), predictor(2, &device), &other, &device).unwrap();
    assert_eq!(tensors(apart.target.module()), tensors(&other));
    // Its running statistics are its own, not the given network's.
    let before = tensors(&other);
    let apart = apart.contrast(views(1, &device)).unwrap().0;
    assert_eq!(tensors(&other), before);
    assert_ne!(part(apart.target.module(), true), part(&other, true));
}

/// In-batch contrast beside a scalar loop.
#[test]
fn in_batch_keys_are_negatives_but_for_ones_own() {
    let device = Device::flex().autodiff();
    let rows = |seed| normalize(matrix(numbers(seed, 5 * 3), 3, &device));
    let (q, k) = (read(rows(1)), read(rows(2)));
    let similar = |i: usize, j: usize| (0..3).map(|d| q[3 * i + d] * k[3 * j + d]).sum::<f64>() / 0.2;
    for (decoupled, chance) in [(false, 5f64.ln()), (true, 4f64.ln())] {
        let counts = |i: usize| (0..5).filter(move |&j| !decoupled || j != i);
        let losses = (0..5).map(|i| counts(i).map(|j| similar(i, j).exp()).sum::<f64>().ln() - similar(i, i));
        let expected = losses.sum::<f64>() / 5.0;
        let (queries, keys) = (rows(1).require_grad(), rows(2).require_grad());
        let outcome = InfoNce::new(0.2).with_decoupled(decoupled).in_batch(queries.clone(), keys.clone()).unwrap();
        assert!((scalar(&outcome.loss) - expected).abs() < 1e-5, "{} {expected}", outcome.loss);
        assert_eq!(outcome.negatives, 4);
        assert!((outcome.chance - chance).abs() < 1e-12, "{}", outcome.chance);
        let gradients = outcome.loss.backward();
        assert!(read(queries.grad(&gradients).unwrap()).iter().any(|value| value.abs() > 1e-3));
        assert!(keys.grad(&gradients).is_none(), "keys get no gradient");
    }
    let one = InfoNce::new(0.2).in_batch(rows(1).narrow(0, 0, 1), rows(2).narrow(0, 0, 1)).unwrap();
    assert_eq!((scalar(&one.loss), one.negatives), (0.0, 0));
    // The method's loss: both directions, each times twice the temperature.
    let outcome = moco_v3(&device).contrast(views(1, &device)).unwrap().1;
    assert!((outcome.chance - 2.0 * 0.4 * (BATCH as f64).ln()).abs() < 1e-12);
}

#[test]
fn a_collapse_has_the_lowest_loss_and_no_accuracy() {
    let device = Device::flex();
    let same = Tensor::<2>::ones([6, 3], &device);
    let outcome = negative_cosine(same.clone(), same.clone()).unwrap();
    assert!((scalar(&outcome.loss) + 1.0).abs() < 1e-6);
    assert_eq!((scalar(&outcome.accuracy), outcome.negatives, outcome.chance), (0.0, 0, 0.0));
    assert!(spread(same).std < 1e-6);
    let apart = Tensor::<2>::eye(3, &device);
    assert_eq!(scalar(&negative_cosine(apart.clone(), apart).unwrap().accuracy), 1.0);
}

#[test]
fn the_predictor_may_keep_a_learning_rate_of_its_own() {
    let device = Device::flex().autodiff();
    let after = |config: SimSiamConfig, rate: f64| {
        let mut method = config.init(Network::plain(1, &device), predictor(2, &device), &device).unwrap();
        method = method.step(views(1, &device), &mut optimizer(), rate).unwrap().0;
        (part(&method.online.encoder, false), part(&method.online.predictor, false))
    };
    let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
    let (slow, fast) = (after(config.clone(), 0.01), after(config.clone(), 0.1));
    let mixed = after(config.with_constant_predictor(0.1), 0.01);
    assert_eq!(mixed.0, slow.0);
    assert_eq!(mixed.1, fast.1);
    assert_ne!(slow.1, fast.1);
}

#[test]
fn exports_have_no_predictor() {
    let device = Device::flex().autodiff();
    let method = byol(&device).step(views(1, &device), &mut optimizer(), 0.05).unwrap().0;
    let (query, key) = (method.export(EncoderRole::Query), method.export(EncoderRole::Key));
    assert_eq!(state_dict(&query), state_dict(method.query()));
    assert_eq!(state_dict(&key), state_dict(method.target.module()));
    assert!(state_dict(&query).keys().all(|name| !name.contains("predictor")));
    let before = tensors(&method);
    query.embed(view(3, &device));
    key.embed(view(3, &device));
    assert_eq!(tensors(&method), before, "independent copies");
}

/// Burn panics where tensors of two checkpointing strategies meet; a last normalisation without scale makes its own.
#[test]
fn gradient_checkpointing_works() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let head = MlpHeadConfig::simsiam_projector().with_dim(DIM);
    let head = filled(MlpHeadConfig { hidden: vec![6, 6], ..head }.init(DIM, &device).unwrap(), 4);
    let network = Network::new(1, HeadVersion::V2, 1, 0.0, &device);
    let config = MocoV3Config { dim: DIM, decay: DECAY, loss: InfoNce::new(0.2) };
    let mut moco = config.init(network.clone(), head.clone(), &device).unwrap();
    let mut byol = ByolConfig { dim: DIM, decay: DECAY }.init(network, head, &device).unwrap();
    for seed in 0..2 {
        moco = moco.step(views(seed, &device), &mut optimizer(), 0.05).unwrap().0;
        byol = byol.step(views(seed, &device), &mut optimizer(), 0.05).unwrap().0;
    }
    let strategy = moco.query().first.weight.val().gradient_checkpointing_strategy();
    assert_eq!(strategy, Some(GradientCheckpointingStrategy::Balanced));
}

const SAMPLES: usize = 256;

/// As in `learning.rs`: points on a circle, three more axes of noise twice as large that every view draws anew.
fn noisy(samples: &[usize], draw: u32, device: &Device) -> Tensor<2> {
    let values = samples.iter().flat_map(|&sample| {
        let angle = (sample as f32 + 0.5) * std::f32::consts::TAU / SAMPLES as f32;
        let noise = numbers(draw * 1000 + sample as u32, 3);
        [angle.cos(), angle.sin(), 2.0 * noise[0], 2.0 * noise[1], 2.0 * noise[2]]
    });
    matrix(values.collect(), INPUT, device)
}

fn knn(encoder: &Network) -> f64 {
    let device = Device::flex();
    let set = |first: usize| {
        let samples: Vec<usize> = (first..SAMPLES).step_by(2).collect();
        let labels = samples.iter().map(|sample| sample * 8 / SAMPLES).collect();
        extract(encoder, [(noisy(&samples, 777, &device), labels)], Representation::Features).unwrap()
    };
    KnnConfig { k: 10, temperature: 0.1 }.evaluate(&set(0), &set(1)).unwrap().accuracy
}

#[test]
fn each_method_learns() {
    fn learned<M: Contrastive<Encoder = Network>>(mut method: M, rate: f64, steps: u64) -> (f64, f64) {
        let device = Device::flex().autodiff();
        let mut optimizer = optimizer();
        let mut accuracy = 0.0;
        for step in 0..steps {
            let order = permutation(SAMPLES, 9, step / 8, Stream::ProbeOrder);
            let samples = order[(step as usize % 8) * 32..][..32].to_vec();
            let draw = 2 * step as u32;
            let views =
                ViewPair { query: noisy(&samples, draw, &device), key: noisy(&samples, draw + 1, &device), samples };
            let outcome;
            (method, outcome) = method.step(views, &mut optimizer, rate).unwrap();
            accuracy = scalar(&outcome.accuracy);
        }
        (knn(&method.query().valid()), accuracy)
    }
    let device = Device::flex().autodiff();
    // The papers' heads, narrow; a network of its own for each.
    let head = |config: MlpHeadConfig, hidden: usize, from: usize, seed: u32| {
        let hidden = vec![hidden; config.hidden.len()];
        filled(config.with_hidden(hidden).with_dim(16).init(from, &device).unwrap(), seed)
    };
    let network = |projector: MlpHeadConfig| Network {
        fc: ProjectionHead::Mlp(head(projector, 32, HIDDEN, 3)),
        ..Network::plain(1, &device)
    };
    let (dim, decay) = (16, Decay::Constant { decay: 0.99 });
    let predictor = head(MlpHeadConfig::byol(), 32, dim, 4);
    let byol = ByolConfig { dim, decay }.init(network(MlpHeadConfig::byol()), predictor, &device).unwrap();
    let predictor = head(MlpHeadConfig::simsiam_predictor(), 4, dim, 4);
    let sim_siam = SimSiamConfig { dim, ..SimSiamConfig::default() };
    let sim_siam = sim_siam.init(network(MlpHeadConfig::simsiam_projector()), predictor, &device).unwrap();
    let predictor = head(MlpHeadConfig::moco_v3_predictor(), 32, dim, 4);
    let moco = MocoV3Config { dim, decay, loss: InfoNce::new(0.2) };
    let moco = moco.init(network(MlpHeadConfig::moco_v3_projector()), predictor, &device).unwrap();
    let random = knn(&Network::plain(1, &device));
    let found = [
        ("byol", learned(byol, 0.02, 400)),
        ("simsiam", learned(sim_siam, 0.1, 1200)),
        ("moco v3", learned(moco, 0.1, 400)),
    ];
    println!("random {random:.3}: {found:?}");
    for (name, (knn, accuracy)) in found {
        assert!(knn > random + 0.1, "{name}: kNN {knn:.3} beside {random:.3}");
        assert!(accuracy > 4.0 / 32.0, "{name}: of 32 targets the own one is nearest for {accuracy}");
    }
}
