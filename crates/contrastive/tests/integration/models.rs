//! A network of `slowburn-models` under a method, without code of one's own.

use burn::tensor::{Device, Tensor, TensorData};
use slowburn_contrastive::{Contrastive, ContrastiveError, Encode, MocoConfig, ViewPair};
use slowburn_models::{HeadVersion, Norm, ProjectionConfig, Projector, SmallConvNet, SmallConvNetConfig, state_dict};

use crate::support::{numbers, optimizer, read};

fn projector(splits: usize, device: &Device) -> Projector<SmallConvNet> {
    let config = SmallConvNetConfig::new().with_widths([4, 4, 8]).with_norm(Norm::Split { splits });
    ProjectionConfig::new(HeadVersion::V2).with_dim(6).init(config.init(device).unwrap(), device).unwrap()
}

fn images(seed: u32, batch: usize, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(numbers(seed, batch * 144), [batch, 1, 12, 12]), device)
}

fn views(batch: usize, device: &Device) -> ViewPair<Tensor<4>> {
    ViewPair { query: images(1, batch, device), key: images(2, batch, device), samples: (0..batch).collect() }
}

#[test]
fn a_projector_encodes_with_its_head_and_is_scored_without() {
    let device = Device::flex();
    let (projector, batch) = (projector(2, &device), images(1, 4, &device));
    assert_eq!(read(projector.embed(batch.clone())), read(projector.forward(batch.clone())));
    assert_eq!(projector.features(batch).dims(), [4, 8]);
}

#[test]
fn its_splits_are_those_of_its_encoder() {
    let device = Device::flex().autodiff();
    let moco = MocoConfig { dim: 6, queue: 16, ..MocoConfig::v2() }.init(projector(2, &device), &device).unwrap();
    assert_eq!(moco.query().splits(), 2);
    assert_eq!(
        moco.clone().contrast(views(5, &device)).unwrap_err().into_error(),
        ContrastiveError::Splits { batch: 5, splits: 2 }
    );
    let before = state_dict(moco.query());
    let (moco, _) = moco.step(views(6, &device), &mut optimizer(), 0.1).unwrap();
    // Names of MoCo's checkpoints, without a wrapper's before them.
    assert!(before.contains_key("conv1.weight") && before.contains_key("fc.2.bias"), "{:?}", before.keys());
    assert_ne!(state_dict(moco.query())["conv1.weight"], before["conv1.weight"]);
}
