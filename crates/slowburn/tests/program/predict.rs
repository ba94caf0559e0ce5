//! A trained network in a program of one's own: Burn's store reads what the programs export.

use burn::store::{ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore};
use burn::tensor::Device;
use slowburn_models::weights::{Metadata, WeightsFile, save_safetensors};
use slowburn_models::{
    Classifier, ClassifierConfig, ConvNet13Config, Encoder, HeadVersion, Normalization, ProjectionConfig, ResNetConfig,
    SmallConvNetConfig, Stem, WideResNetConfig, state_dict,
};

/// Exports one network and has Burn load it into another, whose first weights are others.
#[track_caller]
fn assert_travels<M: burn::module::Module + ModuleSnapshot>(one: M, mut other: M, what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("network.safetensors");
    save_safetensors(&one, &path, &Metadata::default()).expect("written");
    assert_ne!(state_dict(&other), state_dict(&one), "{what}");
    let mut store = SafetensorsStore::from_file(&path).with_from_adapter(PyTorchToBurnAdapter).skip_enum_variants(true);
    other.load_from(&mut store).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(state_dict(&other), state_dict(&one), "{what}");
    assert_eq!(
        state_dict(&other),
        WeightsFile::open(&path).and_then(|file| file.state_dict()).expect("read"),
        "{what}"
    );
}

fn classifiers<E: Encoder>(encoder: impl Fn() -> E, what: &str) {
    let classifier = || -> Classifier<E> {
        let config = ClassifierConfig::new(3).with_consistency_head(true);
        config.init(encoder(), &Device::flex()).expect("a classifier")
    };
    assert_travels(classifier(), classifier(), what);
}

#[test]
fn burns_store_reads_every_network() {
    let device = Device::flex();
    classifiers(|| SmallConvNetConfig::new().with_widths([4, 6, 8]).init(&device).expect("a network"), "small");
    let resnet = ResNetConfig::resnet50().with_width(2).with_stem(Stem::Cifar);
    classifiers(|| resnet.init(&device).expect("a network"), "resnet50");
    let wide = WideResNetConfig::new(10, 1).with_base_width(4);
    classifiers(|| wide.init(&device).expect("a network"), "wide");
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = ConvNet13Config::new().with_width(4).with_normalization(normalization);
        classifiers(|| config.init(&device).expect("a network"), "convnet13");
    }
    for version in [HeadVersion::V1, HeadVersion::V2] {
        let projector = || {
            let encoder = ResNetConfig::resnet18().with_width(2).init(&device).expect("a network");
            ProjectionConfig::new(version).with_dim(3).init(encoder, &device).expect("a projector")
        };
        assert_travels(projector(), projector(), "projector");
    }
}
