//! It learns: what views share stays, what they differ in goes.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::evaluation::{FeatureSet, KnnConfig, ProbeConfig, Representation, extract, spread};
use slowburn_contrastive::{Contrastive, InfoNce, MocoConfig, Stream, ViewPair, chance_loss, permutation};
use slowburn_ema::Decay;
use slowburn_models::HeadVersion;

use crate::support::{DIM, INPUT, Network, matrix, numbers, optimizer, scalar};

const SAMPLES: usize = 256;
const BATCH: usize = 32;
const QUEUE: usize = 96;

/// A sample is a point on a circle, its class the octant; three more axes hold twice as large numbers that every view
/// draws anew.
fn view(samples: &[usize], draw: u32, device: &Device) -> Tensor<2> {
    let values = samples.iter().flat_map(|&sample| {
        let angle = (sample as f32 + 0.5) * std::f32::consts::TAU / SAMPLES as f32;
        let noise = numbers(draw * 1000 + sample as u32, 3);
        [angle.cos(), angle.sin(), 2.0 * noise[0], 2.0 * noise[1], 2.0 * noise[2]]
    });
    matrix(values.collect(), INPUT, device)
}

/// Features of the even samples to learn from and of the odd ones to be scored, each one view.
fn sets(encoder: &Network) -> (FeatureSet, FeatureSet) {
    let device = Device::flex();
    let set = |first: usize| {
        let samples: Vec<usize> = (first..SAMPLES).step_by(2).collect();
        let labels = samples.iter().map(|sample| sample * 8 / SAMPLES).collect();
        extract(encoder, [(view(&samples, 777, &device), labels)], Representation::Features).unwrap()
    };
    (set(0), set(1))
}

fn scores(encoder: &Network) -> (f64, f64) {
    let (bank, queries) = sets(encoder);
    let knn = KnnConfig { k: 10, temperature: 0.1 }.evaluate(&bank, &queries).unwrap().accuracy;
    let probe = ProbeConfig { learning_rate: 1.0, epochs: 30, standardize: true, ..ProbeConfig::simclr() };
    (knn, probe.evaluate(&bank, &queries).unwrap().accuracy)
}

#[test]
fn a_trained_encoder_beats_a_random_one() {
    let device = Device::flex().autodiff();
    for seed in 1..4 {
        let network = Network::new(seed, HeadVersion::V2, 2, 0.0, &device);
        let config = MocoConfig {
            dim: DIM,
            queue: QUEUE,
            decay: Decay::Constant { decay: 0.95 },
            loss: InfoNce::new(0.2),
            symmetric: true,
            seed: u64::from(seed),
            ..MocoConfig::v2()
        };
        let mut moco = config.init(network, &device).unwrap();
        assert!(moco.diagnose(SAMPLES, BATCH).is_empty());
        let mut optimizer = optimizer();
        let mut last = Vec::new();
        for step in 0..400_u64 {
            let order = permutation(SAMPLES, 9, step / 8, Stream::ProbeOrder);
            let samples = order[(step as usize % 8) * BATCH..][..BATCH].to_vec();
            let draw = 2 * step as u32;
            let views =
                ViewPair { query: view(&samples, draw, &device), key: view(&samples, draw + 1, &device), samples };
            let outcome;
            (moco, outcome) = moco.step(views, &mut optimizer, 0.05).unwrap();
            last.push(scalar(&outcome.loss) / 2.0);
        }
        let random = Network::new(seed, HeadVersion::V2, 2, 0.0, &device);
        let (knn, linear) = scores(&moco.query);
        let (random_knn, random_linear) = scores(&random);
        let loss = last[380..].iter().sum::<f64>() / 20.0;
        let what = format!(
            "seed {seed}: kNN {knn:.3} beside {random_knn:.3}, linear {linear:.3} beside {random_linear:.3}, loss {loss:.3}"
        );
        println!("{what}");
        assert!(knn > random_knn + 0.15, "{what}");
        assert!(linear > random_linear + 0.15, "{what}");
        assert!(loss < chance_loss(QUEUE) - 1.0, "{what}");
        let spread = spread(sets(&moco.query.valid()).0.features());
        assert!(spread.std > 0.3 * spread.even, "no collapse: {spread:?}");
    }
}
