//! Networks with split batch normalisation.

use burn::tensor::Tensor;
use slowburn_models::{Encoder, Norm, ResNetConfig, SmallConvNetConfig, Stem, load_state_dict, state_dict};

use crate::support::{images, plain, training, values};

#[test]
fn no_split_is_refused() {
    assert!(ResNetConfig::resnet18().with_norm(Norm::Split { splits: 0 }).validate().is_err());
    assert!(SmallConvNetConfig::new().with_norm(Norm::Split { splits: 0 }).validate().is_err());
}

#[test]
fn networks_with_splits_have_the_checkpoints_of_plain_ones() {
    fn check<E: Encoder>(splits: E, plain_network: E, shape: [usize; 4]) {
        splits.features(images(shape, &training()));
        let state = state_dict(&splits);
        let loaded = load_state_dict(plain_network, &state).expect("names and shapes are the same");
        assert_eq!(state_dict(&loaded), state);
        let batch = images(shape, &plain());
        let expected = values(splits.valid().features(batch.clone()));
        assert_eq!(values(loaded.valid().features(batch)), expected);
    }
    let device = training();
    let resnet = ResNetConfig::resnet18().with_width(4).with_stem(Stem::Cifar);
    let splits = resnet.clone().with_norm(Norm::Split { splits: 2 }).init(&device).unwrap();
    check(splits, resnet.init(&device).unwrap(), [4, 3, 8, 8]);
    let small = SmallConvNetConfig::new().with_widths([4, 6, 8]);
    check(
        small.clone().with_norm(Norm::Split { splits: 2 }).init(&device).unwrap(),
        small.init(&device).unwrap(),
        [4, 1, 12, 12],
    );
}

/// In the whole network too, a sample's features depend on its own split only.
#[test]
fn every_layer_of_a_network_is_split() {
    let device = training();
    let network = ResNetConfig::new(slowburn_models::BlockKind::Bottleneck, [1, 1, 1, 1])
        .with_width(2)
        .with_stem(Stem::Cifar)
        .with_norm(Norm::Split { splits: 2 })
        .init(&device)
        .unwrap();
    let batch = images([4, 3, 8, 8], &device);
    let mut other = batch.clone().split(1, 0);
    other[1] = other[1].clone() * 3.0 + 1.0;
    let (one, two) = (values(network.features(batch)), values(network.features(Tensor::cat(other, 0))));
    let dim = network.feature_dim();
    assert_eq!(one[..dim], two[..dim], "sample 0");
    assert_eq!(one[2 * dim..3 * dim], two[2 * dim..3 * dim], "sample 2");
    assert_ne!(one[3 * dim..], two[3 * dim..], "sample 3 shares a split with sample 1");
}
