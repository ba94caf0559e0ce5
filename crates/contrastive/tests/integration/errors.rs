//! Settings and batches that do not fit are refused, by name and with what would.

use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{
    Contrastive, ContrastiveError, EndToEndConfig, InfoNce, MemoryBankConfig, MocoConfig, ViewPair,
};
use slowburn_ema::Decay;
use slowburn_models::HeadVersion;

use crate::support::{BATCH, DIM, INPUT, Network, config, moco, optimizer, part, refused, views};

#[test]
fn numbers_out_of_range_are_refused_nan_included() {
    for temperature in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let loss = InfoNce::new(temperature);
        assert!(loss.validate().is_err(), "{temperature}");
        assert!(MocoConfig { loss, ..MocoConfig::v1() }.validate().is_err());
        let device = Device::flex();
        assert!(EndToEndConfig { loss, ..Default::default() }.init(Network::plain(1, &device), &device).is_err());
        assert!(MemoryBankConfig { loss, ..Default::default() }.validate().is_err());
    }
    let error = InfoNce::new(-1.0).validate().unwrap_err();
    assert_eq!(error.to_string(), "temperature is -1: it must be finite and greater than 0");
    for decay in [-0.1, 1.1, f64::NAN] {
        let error = MocoConfig { decay: Decay::Constant { decay }, ..MocoConfig::v1() }.validate().unwrap_err();
        assert!(matches!(error, ContrastiveError::Average(_)), "{error}");
        assert!(MemoryBankConfig { decay, ..Default::default() }.validate().is_err());
    }
    assert!(MocoConfig { queue: 0, ..MocoConfig::v1() }.validate().is_err());
    assert!(MocoConfig { dim: 0, ..MocoConfig::v1() }.validate().is_err());
    assert!(MemoryBankConfig { dim: 0, ..Default::default() }.validate().is_err());
    assert!(MemoryBankConfig { negatives: 0, ..Default::default() }.validate().is_err());
    let device = Device::flex();
    let few = MemoryBankConfig { negatives: 20, ..Default::default() }.init(Network::plain(1, &device), 20, &device);
    assert_eq!(
        few.unwrap_err().to_string(),
        "negatives is 20: it must be at most 19, one less than the number of samples"
    );
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let device = Device::flex().autodiff();
    let batch = || views(1, &device);
    let short = ViewPair { key: batch().key.narrow(0, 0, 4), ..batch() };
    assert_eq!(refused(moco(&config(), &device), short), ContrastiveError::Views { query: 6, key: 4 });

    let empty = || Tensor::<2>::zeros([0, INPUT], &device);
    let empty = ViewPair { query: empty(), key: empty(), samples: vec![] };
    assert_eq!(refused(moco(&config(), &device), empty), ContrastiveError::Empty { what: "the batch" });

    let small = MocoConfig { queue: 11, ..config() };
    assert!(moco(&small, &device).contrast(batch()).is_ok());
    let small = MocoConfig { symmetric: true, ..small };
    let error = refused(moco(&small, &device), batch());
    assert_eq!(error, ContrastiveError::QueueTooSmall { keys: 12, queue: 11 });

    let split = config().init(Network::new(1, HeadVersion::V1, 4, 0.0, &device), &device).unwrap();
    let error = refused(split, batch());
    assert_eq!(error, ContrastiveError::Splits { batch: 6, splits: 4 });
    assert!(error.to_string().contains("drop the last batch"), "{error}");

    let wide = MocoConfig { dim: 7, ..config() };
    assert_eq!(refused(moco(&wide, &device), batch()), ContrastiveError::Dim { found: 4, expected: 7 });
}

/// The first image of a view, or of both, is not a number.
fn not_finite(query: f32, key: f32, device: &Device) -> ViewPair<Tensor<2>> {
    let with = |view: Tensor<2>, value: f32| view.slice_fill([0..1, 0..1], value);
    let ViewPair { query: q, key: k, samples } = views(1, device);
    ViewPair { query: with(q, query), key: with(k, key), samples }
}

#[test]
fn an_image_that_is_not_finite_reaches_neither_weights_nor_memory() {
    let device = Device::flex().autodiff();
    for (query, key) in [(f32::NAN, 0.0), (0.0, f32::NAN), (f32::INFINITY, 0.0)] {
        let batch = || not_finite(query, key, &device);
        let what = format!("{query} and {key}");
        for config in [config(), MocoConfig { symmetric: true, ..config() }] {
            let moco = moco(&config, &device);
            let (weights, keys) = (part(&moco.query, false), moco.queue.rows().into_data());
            let (moco, error) = moco.step(batch(), &mut optimizer(), 0.1).expect_err(&what).into_parts();
            assert!(matches!(error, ContrastiveError::Loss { value } if !value.is_finite()), "{what}: {error}");
            assert_eq!((part(&moco.query, false), moco.queue.rows().into_data()), (weights, keys), "{what}");
            assert_eq!((moco.steps(), moco.queue.filled()), (0, 0), "{what}");
        }
        let end_to_end = EndToEndConfig::default().init(Network::plain(1, &device), &device).unwrap();
        let error = refused(end_to_end, batch());
        assert!(matches!(error, ContrastiveError::Loss { .. }), "{what}: {error}");
    }
    let bank = MemoryBankConfig { dim: DIM, negatives: 9, ..Default::default() };
    let bank = bank.init(Network::plain(1, &device), 4 * BATCH, &device).unwrap();
    let error = refused(bank, not_finite(f32::NAN, 0.0, &device));
    assert!(matches!(error, ContrastiveError::Loss { .. }), "{error}");
}

#[test]
fn a_method_that_refused_a_batch_goes_on_as_if_it_had_not_seen_it() {
    let device = Device::flex().autodiff();
    let short = || ViewPair { key: views(2, &device).key.narrow(0, 0, 4), ..views(2, &device) };
    let after = |refuse: bool| {
        let mut method = moco(&config(), &device);
        if refuse {
            method = method.contrast(short()).unwrap_err().into_parts().0;
        }
        part(&method.step(views(1, &device), &mut optimizer(), 0.1).unwrap().0, true)
    };
    assert_eq!(after(true), after(false));
}

#[test]
fn settings_travel_as_json() {
    for config in [MocoConfig::v1(), MocoConfig::v2(), MocoConfig::cifar()] {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<MocoConfig>(&text).unwrap(), config);
    }
}
