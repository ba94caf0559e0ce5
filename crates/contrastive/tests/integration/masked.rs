//! MoCo with masked queries: what it is told, refuses and warns of. Its numbers are in `training_fixture.rs`.

use burn::tensor::Device;
use slowburn_contrastive::{Contrastive, ContrastiveError, Encode, MocoConfig, ViewPair, Warning, normalize};

use crate::support::{BATCH, DIM, Network, config, optimizer, read, tensors, view, views};

fn masked() -> MocoConfig {
    MocoConfig { masked: true, shuffle: false, ..config() }
}

#[test]
fn masked_queries_in_a_symmetric_loss_are_refused() {
    let both = MocoConfig { symmetric: true, ..masked() };
    assert_eq!(both.validate(), Err(ContrastiveError::MaskedKeys));
    let device = Device::flex().autodiff();
    let error = both.init(Network::plain(1, &device), &device).unwrap_err();
    assert!(error.to_string().ends_with("set symmetric to false"), "{error}");
    assert!(masked().validate().is_ok());
}

#[test]
fn statistics_of_masked_images_are_warned_of() {
    let device = Device::flex().autodiff();
    let moco = masked().init(Network::plain(1, &device), &device).unwrap();
    assert_eq!(moco.diagnose(1000, BATCH), [Warning::MaskedStatistics]);
    assert!(Warning::MaskedStatistics.to_string().contains("renew_statistics"));
}

/// Settings that were written before there were masks are still read, and those without a mask still written so.
#[test]
fn settings_without_a_mask_are_as_they_were() {
    let text = serde_json::to_string(&config()).unwrap();
    assert!(!text.contains("masked"), "{text}");
    assert_eq!(serde_json::from_str::<MocoConfig>(&text).unwrap(), config());
    let text = serde_json::to_string(&masked()).unwrap();
    assert_eq!(serde_json::from_str::<MocoConfig>(&text).unwrap(), masked());
}

/// The masked view is the query, and no key of it enters the queue.
#[test]
fn keys_are_of_whole_views() {
    let device = Device::flex().autodiff();
    let moco = masked().init(Network::plain(1, &device), &device).unwrap();
    let whole = view(3, &device);
    let query = whole.clone().slice_fill([0..BATCH, 0..2], 0.0);
    let batch = ViewPair { query, key: whole.clone(), ..views(1, &device) };
    // The first move of the average is from θ to θ.
    let expected = read(normalize(moco.key.export().embed(whole)));
    let moco = moco.contrast(batch).unwrap().0;
    assert_eq!(read(moco.queue.rows())[..BATCH * DIM], expected);
}

/// The query's statistics are those of masked images, so the key encoder is what is looked at; without a mask it is the query's.
#[test]
fn whole_images_are_looked_at_by_the_key_encoder() {
    let device = Device::flex().autodiff();
    for config in [masked(), MocoConfig { masked: false, ..masked() }] {
        let moco = config.init(Network::plain(1, &device), &device).unwrap();
        let moco = moco.step(views(1, &device), &mut optimizer(), 0.1).unwrap().0;
        let [query, key] = [tensors(moco.query()), tensors(&moco.key.export())];
        assert_ne!(query, key);
        assert_eq!(tensors(&moco.evaluated()), if config.masked { key } else { query });
    }
}
