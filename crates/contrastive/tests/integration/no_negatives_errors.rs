//! What BYOL, SimSiam and MoCo v3 refuse, and what they warn of.

use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{
    ByolConfig, Contrastive, ContrastiveError, InfoNce, MocoV3Config, SimSiamConfig, ViewPair, Warning,
};
use slowburn_ema::{Decay, EmaError};
use slowburn_models::{HeadVersion, MlpHeadConfig};

use crate::no_negatives::{byol, moco_v3, sim_siam};
use crate::support::{BATCH, DIM, INPUT, Network, optimizer, part, predictor, refused, views};

const DECAY: Decay = Decay::Constant { decay: 0.75 };

#[test]
fn settings_out_of_range_are_refused_nan_included() {
    for decay in [-0.1, 1.1, f64::NAN] {
        let decay = Decay::Constant { decay };
        assert!(matches!(ByolConfig { dim: 4, decay }.validate(), Err(ContrastiveError::Average(_))));
        let config = MocoV3Config { decay, ..MocoV3Config::resnet(10) };
        assert!(matches!(config.validate(), Err(ContrastiveError::Average(_))));
    }
    assert!(ByolConfig { dim: 0, decay: DECAY }.validate().is_err());
    assert_eq!(ByolConfig::paper(0).validate(), Err(EmaError::Zero { field: "steps" }.into()));
    assert!(SimSiamConfig { dim: 0, ..SimSiamConfig::default() }.validate().is_err());
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = SimSiamConfig::default().with_constant_predictor(rate).validate().unwrap_err();
        assert!(error.to_string().starts_with("predictor_learning_rate is"), "{error}");
        let config = MocoV3Config { loss: InfoNce::new(rate), ..MocoV3Config::resnet(10) };
        assert!(config.validate().is_err());
    }
}

#[test]
fn a_predictor_must_map_embeddings_to_embeddings() {
    let device = Device::flex().autodiff();
    let network = || Network::plain(1, &device);
    let predictor = |from, to| MlpHeadConfig::new(vec![7], to).init(from, &device).unwrap();
    for [from, to] in [[DIM, 5], [5, DIM]] {
        let expected = ContrastiveError::Predictor { found: [from, to], expected: DIM };
        let config = ByolConfig { dim: DIM, decay: DECAY };
        assert_eq!(config.init(network(), predictor(from, to), &device).unwrap_err(), expected);
        let config = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
        assert_eq!(config.init(network(), predictor(from, to), &device).unwrap_err(), expected);
        let config = MocoV3Config { dim: DIM, decay: DECAY, loss: InfoNce::new(0.2) };
        assert_eq!(config.init(network(), predictor(from, to), &device).unwrap_err(), expected);
        assert!(expected.to_string().contains("but embeddings have length 4"), "{expected}");
    }
    // A projector of another width than both.
    let config = ByolConfig { dim: 5, decay: DECAY };
    let method = config.init(network(), predictor(5, 5), &device).unwrap();
    assert_eq!(refused(method, views(1, &device)), ContrastiveError::Dim { found: DIM, expected: 5 });
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    fn assert_refuses<M: Contrastive<Encoder = Network> + Clone>(method: M) {
        let device = Device::flex().autodiff();
        let batch = || views(1, &device);
        let short = ViewPair { key: batch().key.narrow(0, 0, 4), ..batch() };
        assert_eq!(refused(method.clone(), short), ContrastiveError::Views { query: 6, key: 4 });
        let empty = || Tensor::<2>::zeros([0, INPUT], &device);
        let empty = ViewPair { query: empty(), key: empty(), samples: vec![] };
        assert_eq!(refused(method.clone(), empty), ContrastiveError::Empty { what: "the batch" });
        let broken = ViewPair { key: batch().key.slice_fill([0..1, 0..1], f32::NAN), ..batch() };
        let weights = part(method.query(), false);
        let (method, error) = method.step(broken, &mut optimizer(), 0.1).unwrap_err().into_parts();
        assert!(matches!(error, ContrastiveError::Loss { value } if value.is_nan()), "{error}");
        assert_eq!((part(method.query(), false), method.steps()), (weights, 0));
    }
    let device = Device::flex().autodiff();
    assert_refuses(byol(&device));
    assert_refuses(sim_siam(&device));
    assert_refuses(moco_v3(&device));
}

#[test]
fn a_target_of_another_shape_is_refused() {
    let device = Device::flex().autodiff();
    let config = ByolConfig { dim: DIM, decay: DECAY };
    let other = Network::new(1, HeadVersion::V2, 1, 0.0, &device);
    let error = config.init_apart(Network::plain(1, &device), predictor(2, &device), &other, &device).unwrap_err();
    assert!(matches!(error, ContrastiveError::Average(EmaError::Unknown { .. } | EmaError::Missing { .. })), "{error}");
    let exchanged = byol(&device).map_query(|_| other.clone());
    let error = refused(exchanged, views(1, &device));
    assert!(matches!(error, ContrastiveError::Average(_)), "{error}");
}

#[test]
fn small_batches_and_splits_are_warned_of() {
    let device = Device::flex().autodiff();
    let small = |method| vec![Warning::SmallBatch { method, batch: 128, least: 256 }];
    assert_eq!(byol(&device).diagnose(1000, 128), small("BYOL"));
    assert_eq!(sim_siam(&device).diagnose(1000, 128), small("SimSiam"));
    assert_eq!(byol(&device).diagnose(1000, 256), []);
    assert_eq!(sim_siam(&device).diagnose(1000, 256), []);
    assert_eq!(moco_v3(&device).diagnose(1000, BATCH), []);

    let network = || Network::new(1, HeadVersion::V1, 2, 0.0, &device);
    let splits = |method| vec![Warning::SplitsWithoutQueue { method, splits: 2 }];
    let moco = MocoV3Config { dim: DIM, decay: DECAY, loss: InfoNce::new(0.2) };
    let moco = moco.init(network(), predictor(2, &device), &device).unwrap();
    assert_eq!(moco.diagnose(1000, 256), splits("MoCo v3"));
    let byol = ByolConfig { dim: DIM, decay: DECAY }.init(network(), predictor(2, &device), &device).unwrap();
    assert_eq!(byol.diagnose(1000, 256), splits("BYOL"));
    assert!(byol.diagnose(1000, 64)[1].to_string().starts_with("batches of 64 are small for BYOL"));
    assert_eq!(moco_v3(&device).diagnose(1000, 1), [Warning::NoNegatives { method: "MoCo v3" }]);
}

#[test]
fn a_decay_of_another_length_than_the_training_is_warned_of() {
    let device = Device::flex().autodiff();
    let network = || Network::plain(1, &device);
    let byol = ByolConfig { dim: DIM, ..ByolConfig::paper(50) };
    let byol = byol.init(network(), predictor(2, &device), &device).unwrap();
    let moco = MocoV3Config { dim: DIM, ..MocoV3Config::resnet(50) };
    let moco = moco.init(network(), predictor(2, &device), &device).unwrap();
    assert_eq!((byol.diagnose_length(50), moco.diagnose_length(50)), (None, None));
    let warning = Warning::DecayLength { steps: 50, training: 60 };
    assert!(warning.to_string().contains("no longer moves"), "{warning}");
    assert_eq!((byol.diagnose_length(60), moco.diagnose_length(60)), (Some(warning.clone()), Some(warning)));
    let warning = moco.diagnose_length(40).unwrap();
    assert!(warning.to_string().contains("does not reach its end"), "{warning}");
    assert_eq!(sim_siam(&device).diagnose_length(40), None);
}

#[test]
fn presets_are_the_papers_and_travel_as_json() {
    let byol = ByolConfig::paper(1000);
    assert_eq!((byol.dim, byol.decay), (256, Decay::Cosine { base: 0.996, end: 1.0, steps: 1000 }));
    let moco = MocoV3Config::resnet(1000);
    assert_eq!((moco.dim, moco.decay), (256, Decay::Cosine { base: 0.99, end: 1.0, steps: 1000 }));
    assert_eq!(moco.loss, InfoNce::new(1.0));
    let sim_siam = SimSiamConfig::default();
    assert_eq!((sim_siam.dim, sim_siam.predictor_learning_rate), (2048, None));
    let text = serde_json::to_string(&byol).unwrap();
    assert_eq!(serde_json::from_str::<ByolConfig>(&text).unwrap(), byol);
    let text = serde_json::to_string(&moco).unwrap();
    assert_eq!(serde_json::from_str::<MocoV3Config>(&text).unwrap(), moco);
    let text = serde_json::to_string(&sim_siam.with_constant_predictor(0.1)).unwrap();
    assert_eq!(serde_json::from_str::<SimSiamConfig>(&text).unwrap().predictor_learning_rate, Some(0.1));
}
