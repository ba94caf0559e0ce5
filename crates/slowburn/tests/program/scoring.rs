//! What encoders are scored on.

use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::{Device, Tensor, TensorData};
use slowburn::args::Reading;
use slowburn::scoring::{test_images, training_images};
use slowburn::{data, pretrain};
use slowburn_augment::loader::OnCorrupt;
use slowburn_augment::{Key, presets};
use slowburn_contrastive::Encode;
use slowburn_contrastive::evaluation::{FeatureSet, KnnConfig, Representation, spread};
use slowburn_train::monitor::{EncoderMonitor, ImageBatch, ImageSet, features};
use slowburn_train::run::RunFolder;
use slowburn_train::trainer::{initialized, mix};

use crate::program::{self, generator, path, speckled_folder, success, summary, tiny_data};

/// The pixels and classes of a set, in its order.
fn read(set: &ImageSet) -> (Vec<f32>, Vec<usize>) {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for batch in set.batches(&Device::flex()).expect("fits") {
        let ImageBatch { images, classes: labels, .. } = batch.expect("fits");
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
    let data = data::load(folder.path(), Reading::default()).expect("a data set");
    let views = presets::moco_fashion(12);
    let [train, test] =
        [training_images(&data, &views, OnCorrupt::Stop), test_images(&data, &views, usize::MAX, OnCorrupt::Stop)]
            .map(|set| set.expect("fits").expect("there are some"));
    for (set, images, labels) in [
        (&train, data.train.memory.as_ref().expect("small"), data.train.labels.iter().flatten().copied().collect()),
        (&test, data.test.memory.as_ref().expect("small"), data.test.labels.clone()),
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
    let random = views.apply_batch(&[data.test.memory.as_ref().expect("small").get(0)], &random).expect("fits");
    assert_ne!(random[..], read(&test).0[..144], "the views themselves are random");
}

#[test]
fn images_without_a_label_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(folder.path(), 20, 8, 4, false);
    let data = data::load(folder.path(), Reading::default()).expect("a data set");
    let train = training_images(&data, &presets::moco_fashion(12), OnCorrupt::Stop).expect("fits").expect("some");
    assert_eq!((data.train.len(), train.len()), (20, 12));
    assert_eq!(read(&train).1, data.train.labels.iter().flatten().copied().collect::<Vec<_>>());
}

/// An encoder that makes nothing of an image.
#[derive(Module, Debug)]
struct Pixels {
    nothing: Relu,
}

impl Encode for Pixels {
    type Input = Tensor<4>;

    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten(1, 3)
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten(1, 3)
    }
}

/// Every fifth of the labelled training images is looked for among the others: none of them is its own neighbour, and
/// no test image is seen.
#[test]
fn the_monitor_looks_for_training_images_among_other_training_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(folder.path(), 120, 20, 40, false);
    let data = data::load(folder.path(), Reading::default()).expect("a data set");
    let train = training_images(&data, &presets::moco_fashion(12), OnCorrupt::Stop).expect("fits").expect("some");
    let knn = KnnConfig { k: 1, temperature: 0.1 };
    let monitor = EncoderMonitor::classes(&train, knn, Representation::Features, &Device::flex()).expect("enough");
    assert_eq!(monitor.bank(), 80);
    let look = monitor.look(&Pixels { nothing: Relu::new() }).expect("finite");
    let (accuracy, seen) = (look.knn_accuracy.expect("classes are known"), look.spread);

    let (values, classes) = read(&train);
    let rows: Vec<&[f32]> = values.chunks_exact(144).collect();
    let cosine = |a: usize, b: usize| {
        let dot = |a: usize, b: usize| rows[a].iter().zip(rows[b]).map(|(x, y)| f64::from(x * y)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let (queries, bank): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|place| place % 5 == 0);
    let nearest = |query: usize| {
        bank.iter().copied().max_by(|&a, &b| cosine(query, a).total_cmp(&cosine(query, b))).expect("a bank")
    };
    let hits = queries.iter().filter(|&&query| classes[query] == classes[nearest(query)]).count();
    assert_eq!((queries.len(), accuracy), (20, hits as f64 / 20.0));
    assert!(accuracy < 1.0, "an image among its own neighbours would always be right");
    let values: Vec<f32> = queries.iter().flat_map(|&query| rows[query]).copied().collect();
    assert_eq!(seen, spread(Tensor::from_data(TensorData::new(values, [20, 144]), &Device::flex())));
}

/// What stands beside the pre-trained encoder's score is what it says: the first weights of the run's seed, and pixels.
#[test]
fn a_run_is_compared_with_its_own_first_weights_and_with_pixels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(folder.path(), 160, 0, 150, false);
    let run = folder.path().join("run");
    success(program::pretrain(folder.path(), &["--epochs", "2", "--seed", "5", "--out", path(&run)]));
    let written = summary(&run);
    let number = |name: &str| written[name].as_f64().expect(name);

    let (_, recipe) = RunFolder::open::<pretrain::Recipe>(&run).expect("a run");
    let data = data::load(folder.path(), Reading::default()).expect("a data set");
    let (knn, device) = (&recipe.scoring.knn, Device::flex().autodiff());
    let of_seed = |seed: u64| {
        let network = {
            let _drawn = generator();
            device.seed(mix(seed, u64::MAX));
            initialized(recipe.network.contrast().init(data.image_size(), &device).expect("valid"))
        };
        let views = recipe.views.evaluation();
        let sets = [training_images(&data, &views, OnCorrupt::Stop), test_images(&data, &views, 150, OnCorrupt::Stop)]
            .map(|set| set.expect("fits").expect("there are some"));
        let [bank, queries] =
            sets.map(|set| features(&network, &set, Representation::Features, &Device::flex()).expect("finite"));
        knn.evaluate(&bank, &queries).expect("valid").accuracy
    };
    assert_eq!(number("random_knn_accuracy"), of_seed(5));
    assert_ne!(of_seed(5), of_seed(6), "they tell seeds apart");
    assert_ne!(number("random_knn_accuracy"), number("knn_accuracy"), "training changes the score");

    let pixels = |images: &slowburn_augment::loader::Images, labels: Vec<usize>| {
        let bytes = images.bytes().expect("as decoded");
        let values: Vec<f32> = bytes.iter().map(|&byte| (f32::from(byte) / 255.0 - 0.2860) / 0.3530).collect();
        let values = Tensor::from_data(TensorData::new(values, [labels.len(), 144]), &Device::flex());
        FeatureSet::new(values, labels, Representation::Input).expect("finite")
    };
    let bank =
        pixels(data.train.memory.as_ref().expect("small"), data.train.labels.iter().flatten().copied().collect());
    let expected = knn
        .evaluate(&bank, &pixels(data.test.memory.as_ref().expect("small"), data.test.labels.clone()))
        .expect("valid")
        .accuracy;
    assert_eq!(number("pixel_knn_accuracy"), expected);
    for other in ["knn_accuracy", "random_knn_accuracy"] {
        assert_ne!(expected, number(other), "{other} is something else");
    }
}
