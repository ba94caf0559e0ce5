//! What encoders are scored on.

use burn::tensor::Device;
use slowburn_augment::{Key, presets};
use slowburn_examples::data;
use slowburn_examples::scoring::ImageSet;

use crate::program::{speckled_folder, tiny_data};

/// The pixels and classes of a set, in its order.
fn read(set: &ImageSet<'_>) -> (Vec<f32>, Vec<usize>) {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for batch in set.batches() {
        let (images, labels) = batch.expect("fits");
        values.extend(images.into_data().iter::<f32>());
        classes.extend(labels);
    }
    (values, classes)
}

/// The test-time transform of every image in the order of the data, whatever would be drawn in training.
#[test]
fn images_to_be_scored_pass_the_test_time_transform_in_a_fixed_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 40, 24);
    let data = data::load(folder.path()).expect("a data set");
    let (views, device) = (presets::moco_fashion(12), Device::flex());
    let [train, test] = [ImageSet::train(&data, &views, &device), ImageSet::test(&data, &views, usize::MAX, &device)];
    for (set, images, labels) in [
        (&train, &data.train.images, data.train.labels.iter().flatten().copied().collect()),
        (&test, &data.test.images, data.test.labels.clone()),
    ] {
        let (values, classes) = read(set);
        assert_eq!(classes, labels);
        // Drawn for quite another seed and epoch: nothing in it is random.
        let fixed = views.evaluation();
        let mut expected = Vec::new();
        for index in 0..images.len() {
            let key = Key { seed: 77, epoch: 5, sample: index as u64, view: 1 };
            let drawn = fixed.draw_batch(&[key], images.size()).expect("fits");
            expected.extend(fixed.apply_batch(&[images.get(index)], &drawn).expect("fits"));
        }
        assert_eq!(values, expected);
        assert_eq!(read(set).0, values, "again");
    }
    let random = views.draw_batch(&[Key { seed: 77, epoch: 5, sample: 0, view: 1 }], data.image_size()).expect("fits");
    let random = views.apply_batch(&[data.test.images.get(0)], &random).expect("fits");
    assert_ne!(random[..], read(&test).0[..144], "the views themselves are random");
}

#[test]
fn images_without_a_label_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(folder.path(), 20, 8, 4, false);
    let data = data::load(folder.path()).expect("a data set");
    let train = ImageSet::train(&data, &presets::moco_fashion(12), &Device::flex());
    assert_eq!((data.train.images.len(), train.len()), (20, 12));
    assert_eq!(read(&train).1, data.train.labels.iter().flatten().copied().collect::<Vec<_>>());
}
