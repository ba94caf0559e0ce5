//! Settings and batches that do not fit are refused, by name and with what would.

use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{Contrastive, EndToEndConfig, Error, InfoNce, MemoryBankConfig, MocoConfig, Views};
use slowburn_ema::Decay;
use slowburn_models::HeadVersion;

use crate::support::{INPUT, Network, config, moco, views};

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
        assert!(matches!(error, Error::Average(_)), "{error}");
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
    let short = Views { key: batch().key.narrow(0, 0, 4), ..batch() };
    assert_eq!(moco(&config(), &device).contrast(short).unwrap_err(), Error::Views { query: 6, key: 4 });

    let empty = || Tensor::<2>::zeros([0, INPUT], &device);
    let empty = Views { query: empty(), key: empty(), samples: vec![] };
    assert_eq!(moco(&config(), &device).contrast(empty).unwrap_err(), Error::Empty { what: "the batch" });

    let small = MocoConfig { queue: 11, ..config() };
    assert!(moco(&small, &device).contrast(batch()).is_ok());
    let small = MocoConfig { symmetric: true, ..small };
    let error = moco(&small, &device).contrast(batch()).unwrap_err();
    assert_eq!(error, Error::QueueTooSmall { keys: 12, queue: 11 });

    let split = config().init(Network::new(1, HeadVersion::V1, 4, 0.0, &device), &device).unwrap();
    let error = split.contrast(batch()).unwrap_err();
    assert_eq!(error, Error::Splits { batch: 6, splits: 4 });
    assert!(error.to_string().contains("drop the last batch"), "{error}");

    let wide = MocoConfig { dim: 7, ..config() };
    assert_eq!(moco(&wide, &device).contrast(batch()).unwrap_err(), Error::Dim { found: 4, expected: 7 });
}

#[test]
fn settings_travel_as_json() {
    for config in [MocoConfig::v1(), MocoConfig::v2(), MocoConfig::cifar()] {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<MocoConfig>(&text).unwrap(), config);
    }
}
