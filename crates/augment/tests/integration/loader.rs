//! The loader: the same batches however they are made, bounded memory, and what happens to bad images.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use slowburn_augment::loader::{
    DecodeError, Images, LoadError, OnCorrupt, ReadBuffers, Sample, Source, ViewBatch, ViewLoaderConfig,
};
use slowburn_augment::{Image, ImageSize, Operation, Views};

use crate::{bytes, pipeline};

const SIZE: ImageSize = ImageSize { height: 6, width: 5, channels: 3 };

/// Views of which each differs from the others.
fn views() -> Views {
    let shift = pipeline(vec![Operation::Translate { max_pixels: 3 }, Operation::HorizontalFlip { probability: 0.5 }]);
    let noise = pipeline(vec![Operation::GaussianNoise { std: 0.1 }]);
    Views::groups(vec![(shift, 2), (noise, 1)]).unwrap()
}

fn images(count: usize) -> Images {
    let pixels = bytes(ImageSize { height: SIZE.height * count, ..SIZE }, 3);
    Images::new(SIZE, pixels)
        .unwrap()
        .with_labels((0..count).map(|index| (index % 3 != 0).then_some(index)).collect())
        .unwrap()
}

fn all(config: ViewLoaderConfig, source: impl Source + 'static, epoch: u64, first: usize) -> Vec<ViewBatch> {
    config.init(source, views()).unwrap().epoch_from(epoch, first).map(Result::unwrap).collect()
}

/// Images of which some are corrupt, and counts of what is asked for.
struct Counting {
    count: usize,
    corrupt: HashSet<usize>,
    /// Waits this long for each image, to mix up the workers.
    pause: fn(usize) -> Duration,
    read: Arc<AtomicUsize>,
}

impl Counting {
    fn new(count: usize, corrupt: impl IntoIterator<Item = usize>) -> Self {
        Self { count, corrupt: corrupt.into_iter().collect(), pause: |_| Duration::ZERO, read: Arc::default() }
    }
}

impl Source for Counting {
    fn len(&self) -> usize {
        self.count
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        self.read.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep((self.pause)(index));
        if self.corrupt.contains(&index) {
            return Err(LoadError::Corrupt { index, name: self.name(index), source: DecodeError::Truncated });
        }
        buffers.pixels = bytes(SIZE, index as u32);
        Ok(Sample { image: Image::new(SIZE, &buffers.pixels).unwrap(), label: Some(index) })
    }

    fn name(&self, index: usize) -> String {
        format!("image {index}")
    }
}

#[test]
fn a_batch_has_what_each_image_becomes_alone() {
    let (config, source) = (ViewLoaderConfig::new(4).with_seed(9).with_drop_last(false), images(10));
    let batches = all(config, source.clone(), 5, 0);
    assert_eq!(batches.iter().map(ViewBatch::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut seen = HashSet::new();
    for batch in &batches {
        assert_eq!(batch.views.iter().map(|view| view.shape()).collect::<Vec<_>>(), [[batch.len(), 3, 6, 5]; 3]);
        for (row, &sample) in batch.samples.iter().enumerate() {
            seen.insert(sample);
            assert_eq!(batch.labels[row], (sample % 3 != 0).then_some(sample));
            let drawn = views().draw(9, 5, sample as u64, SIZE).unwrap();
            let alone = views().apply(&drawn, source.get(sample)).unwrap();
            for (view, values) in batch.views.iter().zip(alone) {
                assert_eq!(view.values[row * SIZE.values()..(row + 1) * SIZE.values()], values);
            }
        }
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn an_epoch_is_a_permutation_and_another_one_next_time() {
    let order = |config: ViewLoaderConfig, epoch| {
        all(config, images(20), epoch, 0).iter().flat_map(|batch| batch.samples.clone()).collect::<Vec<_>>()
    };
    let config = ViewLoaderConfig::new(5);
    assert_ne!(order(config, 0), order(config, 1));
    assert_ne!(order(config, 0), order(config.with_seed(1), 0));
    assert_eq!(order(config.with_shuffle(false), 0), (0..20).collect::<Vec<_>>());
}

#[test]
fn workers_and_restarts_change_nothing() {
    // Later images of a batch are ready before earlier ones.
    let pause = |index: usize| Duration::from_micros(((index * 7919) % 13) as u64 * 60);
    let source = || Counting { pause, ..Counting::new(53, [3, 4, 17, 40]) };
    let config = ViewLoaderConfig::new(8).with_drop_last(false).with_on_corrupt(OnCorrupt::Skip);
    let expected = all(config.with_workers(1).with_batches_ahead(1), source(), 2, 0);
    assert_eq!(expected.len(), 7);
    for (workers, ahead) in [(1, 3), (2, 2), (5, 4)] {
        let config = config.with_workers(workers).with_batches_ahead(ahead);
        for first in [0, 1, 3, 6, 7, 100] {
            let made = all(config, source(), 2, first);
            assert!(made == expected[first.min(7)..], "{workers} workers, {ahead} ahead, from batch {first}");
        }
    }
}

#[test]
fn memory_is_bounded_however_many_images_there_are() {
    let (batch_size, ahead) = (4, 3);
    let source = Counting::new(2000, []);
    let read = Arc::clone(&source.read);
    let config = ViewLoaderConfig::new(batch_size).with_workers(2).with_batches_ahead(ahead);
    let loader = config.init(source, views()).unwrap();
    assert_eq!(loader.batch_bytes(SIZE), 4 * 3 * 6 * 5 * 3 * 4);
    for (taken, batch) in loader.epoch(0).enumerate() {
        drop(batch.unwrap());
        if taken % 50 == 0 {
            // A slow consumer: the workers go as far ahead as they may, and no further.
            let expected = (taken + 1 + ahead) * batch_size;
            wait_for(|| read.load(Ordering::SeqCst) >= expected.min(2000));
            std::thread::sleep(Duration::from_millis(5));
        }
        let read = read.load(Ordering::SeqCst);
        assert!(read <= (taken + 1 + ahead) * batch_size, "{read} images read for {} batches", taken + 1);
    }
    // Each image was decoded once for its three views.
    assert_eq!(read.load(Ordering::SeqCst), 2000);
    assert_eq!(loader.report().images, 2000);
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn dropping_the_batches_stops_the_workers() {
    let source = Counting { pause: |_| Duration::from_millis(2), ..Counting::new(100_000, []) };
    let read = Arc::clone(&source.read);
    let loader = ViewLoaderConfig::new(10_000).with_workers(2).init(source, views()).unwrap();
    let batches = loader.epoch(0);
    wait_for(|| read.load(Ordering::SeqCst) > 4);
    let start = Instant::now();
    drop(batches);
    // A batch would take ten seconds.
    assert!(start.elapsed() < Duration::from_secs(5));
    let after = read.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(read.load(Ordering::SeqCst), after);
    // Dropped at once, before or after the first image.
    for _ in 0..20 {
        drop(loader.epoch(1));
    }
}

#[test]
fn a_corrupt_image_stops_the_epoch_and_is_named() {
    for workers in [1, 2, 5] {
        let config = ViewLoaderConfig::new(4).with_shuffle(false).with_workers(workers);
        let loader = config.init(Counting::new(20, [9, 10, 15]), views()).unwrap();
        let mut batches = loader.epoch(0);
        assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
        let error = batches.next().unwrap().unwrap_err();
        assert!(matches!(error, LoadError::Corrupt { index: 9, .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "sample 9: cannot decode image 9: the file is cut short (allowed: a complete JPEG or PNG image)"
        );
        assert!(batches.next().is_none() && batches.next().is_none());
        assert_eq!(loader.report().images, 8);
    }
}

#[test]
fn corrupt_images_may_be_left_out_counted_and_listed() {
    let config = ViewLoaderConfig::new(3).with_shuffle(false).with_on_corrupt(OnCorrupt::Skip);
    // The first of a batch, one in the middle, the last, and all of a batch.
    let loader = config.init(Counting::new(15, [0, 4, 8, 9, 10, 11]), views()).unwrap();
    for epoch in 0..2 {
        let batches: Vec<_> = loader.epoch(epoch).map(Result::unwrap).collect();
        let found: Vec<_> = batches.iter().map(|batch| (batch.index, batch.samples.as_slice())).collect();
        assert_eq!(found, [(0, &[1, 2][..]), (1, &[3, 5]), (2, &[6, 7]), (4, &[12, 13, 14])]);
        for batch in &batches {
            for (row, &sample) in batch.samples.iter().enumerate() {
                let drawn = views().draw(0, epoch, sample as u64, SIZE).unwrap();
                let pixels = bytes(SIZE, sample as u32);
                let alone = views().apply(&drawn, Image::new(SIZE, &pixels).unwrap()).unwrap();
                assert_eq!(batch.labels[row], Some(sample));
                assert_eq!(batch.views[2].values[row * 90..(row + 1) * 90], alone[2]);
                assert_eq!(batch.views[2].values.len(), batch.len() * 90);
            }
        }
    }
    let report = loader.report();
    assert_eq!((report.images, report.times_skipped), (18, 12));
    assert_eq!(report.skipped.keys().copied().collect::<Vec<_>>(), [0, 4, 8, 9, 10, 11]);
    let printed = report.to_string();
    assert!(
        printed.starts_with("18 images loaded, 6 left out (12 times)\nsample 0, image 0: the file is cut"),
        "{printed}"
    );
}

#[test]
fn an_epoch_of_corrupt_images_is_an_error() {
    let config = ViewLoaderConfig::new(3).with_shuffle(false).with_on_corrupt(OnCorrupt::Skip);
    let loader = config.init(Counting::new(6, 0..6), views()).unwrap();
    let results: Vec<_> = loader.epoch(4).collect();
    assert_eq!(results.len(), 1);
    let message = results[0].as_ref().unwrap_err().to_string();
    assert!(message.starts_with("none of the 6 images of epoch 4 can be decoded; the first: image 0: "), "{message}");
}

#[test]
fn a_panic_on_a_worker_reaches_the_caller() {
    struct Panics(usize);
    impl Source for Panics {
        fn len(&self) -> usize {
            12
        }
        fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
            assert!(index != self.0, "sample {index} is cursed");
            buffers.pixels = bytes(SIZE, 0);
            Ok(Sample { image: Image::new(SIZE, &buffers.pixels).unwrap(), label: None })
        }
    }
    // As the first of its batch, and as another one.
    for cursed in [4, 6] {
        let config = ViewLoaderConfig::new(4).with_shuffle(false).with_workers(2);
        let loader = config.init(Panics(cursed), views()).unwrap();
        let mut batches = loader.epoch(0);
        assert!(batches.next().unwrap().is_ok());
        let panic = catch_unwind(AssertUnwindSafe(|| batches.next())).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>(), Some(&format!("sample {cursed} is cursed")));
        assert!(batches.next().is_none());
        // The loader is as good as before.
        assert!(loader.epoch(1).next().unwrap().is_ok());
    }
}

#[test]
fn it_works_inside_a_pool_that_has_no_thread_to_spare() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let counts: Vec<usize> = pool.install(|| {
        use rayon::prelude::*;
        (0..3_usize)
            .into_par_iter()
            .map(|_| all(ViewLoaderConfig::new(4).with_workers(2), images(20), 0, 0).len())
            .collect()
    });
    assert_eq!(counts, [5, 5, 5]);
    // Two epochs of one loader side by side, one taken in steps.
    let loader = ViewLoaderConfig::new(4).with_workers(1).init(images(20), views()).unwrap();
    let pairs = loader.epoch(0).zip(loader.epoch(0)).filter(|(a, b)| a.as_ref().unwrap() == b.as_ref().unwrap());
    assert_eq!(pairs.count(), 5);
}

#[test]
fn images_of_two_sizes_in_a_batch_are_both_named() {
    struct TwoSizes;
    impl Source for TwoSizes {
        fn len(&self) -> usize {
            6
        }
        fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
            let size = if index == 2 { ImageSize { width: 9, ..SIZE } } else { SIZE };
            buffers.pixels = bytes(size, 0);
            Ok(Sample { image: Image::new(size, &buffers.pixels).unwrap(), label: None })
        }
        fn name(&self, index: usize) -> String {
            format!("{index}.png")
        }
    }
    let config = ViewLoaderConfig::new(6).with_shuffle(false);
    let error = config.init(TwoSizes, views()).unwrap().epoch(0).next().unwrap().unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "view 0 of sample 2 (2.png) is 6×9×3 (height×width×channels), that of sample 0 (0.png) is 6×5×3"
        ),
        "{message}"
    );
}

#[test]
fn an_image_that_a_pipeline_refuses_is_named() {
    let far = pipeline(vec![Operation::Translate { max_pixels: 5 }]);
    let config = ViewLoaderConfig::new(4).with_shuffle(false).with_on_corrupt(OnCorrupt::Skip);
    let loader = config.init(Counting::new(8, []), Views::two(far)).unwrap();
    let error = loader.epoch(0).next().unwrap().unwrap_err().to_string();
    assert!(
        error.starts_with("sample 0 (image 0): view 0 (test): operation 0 (Translate): a shift of 5 pixels"),
        "{error}"
    );
}

#[test]
fn settings_have_ranges_and_survive_json() {
    let message = |config: ViewLoaderConfig| config.init(images(10), views()).unwrap_err().to_string();
    let config = ViewLoaderConfig::new(4);
    assert_eq!(message(ViewLoaderConfig::new(0)), "batch_size is 0, allowed: at least 1");
    assert_eq!(message(config.with_workers(1025)), "workers is 1025, allowed: 0 (as many as rayon uses) to 1024");
    assert_eq!(message(config.with_batches_ahead(0)), "batches_ahead is 0, allowed: 1 to 1024");
    assert_eq!(
        message(ViewLoaderConfig::new(11)),
        "10 images make no batch of 11 (the last, shorter batch is dropped)"
    );
    assert_eq!(all(ViewLoaderConfig::new(11).with_drop_last(false), images(10), 0, 0).len(), 1);
    let stored = serde_json::to_string(&config.with_on_corrupt(OnCorrupt::Skip)).unwrap();
    assert!(stored.contains("\"on_corrupt\":\"skip\""), "{stored}");
    assert_eq!(serde_json::from_str::<ViewLoaderConfig>(&stored).unwrap(), config.with_on_corrupt(OnCorrupt::Skip));
}

#[test]
fn tensors_have_the_values_and_shape() {
    let batch = all(ViewLoaderConfig::new(2), images(2), 0, 0).remove(0);
    let expected = batch.views.clone();
    let tensors = batch.into_tensors(&Default::default());
    for (tensor, view) in tensors.into_iter().zip(expected) {
        assert_eq!(tensor.dims(), [2, 3, 6, 5]);
        assert_eq!(tensor.into_data().try_to_vec::<f32>().unwrap(), view.values);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the settings: each image at most once, all of them in whole batches, in the order of one worker.
    #[test]
    fn an_epoch_is_complete(
        count in 1_usize..40, batch in 1_usize..9, workers in 1_usize..4, ahead in 1_usize..5, seed: u64,
        drop_last: bool, epoch: u64, corrupt in proptest::collection::hash_set(0_usize..40, 0..6),
    ) {
        let config = ViewLoaderConfig::new(batch)
            .with_seed(seed).with_drop_last(drop_last).with_workers(workers).with_batches_ahead(ahead)
            .with_on_corrupt(OnCorrupt::Skip);
        let expected = if drop_last { count / batch * batch } else { count };
        let Ok(loader) = config.init(Counting::new(count, corrupt.clone()), views()) else {
            prop_assert_eq!(expected, 0);
            return Ok(());
        };
        let results: Vec<_> = loader.epoch(epoch).collect();
        if corrupt.len() >= count && results[0].is_err() {
            return Ok(());
        }
        let batches: Vec<ViewBatch> = match results.into_iter().collect() {
            Ok(batches) => batches,
            // All images that are not dropped may be corrupt.
            Err(LoadError::AllSkipped { skipped, .. }) => { prop_assert_eq!(skipped, expected); return Ok(()); }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let seen: Vec<usize> = batches.iter().flat_map(|batch| batch.samples.clone()).collect();
        let unique: HashSet<usize> = seen.iter().copied().collect();
        prop_assert_eq!(unique.len(), seen.len());
        prop_assert!(unique.is_disjoint(&corrupt));
        prop_assert_eq!(seen.len() as u64 + loader.report().times_skipped, expected as u64);
        let one = all(config.with_workers(1).with_batches_ahead(1), Counting::new(count, corrupt), epoch, 0);
        prop_assert!(batches == one);
    }
}

/// A semi-supervised sampler repeats its few labelled images in every batch.
#[test]
fn a_sampler_chooses_the_batches_and_repeated_images_look_different() {
    let chosen = vec![vec![2, 7], vec![7, 2, 7], vec![0]];
    let loader = ViewLoaderConfig::new(4).with_seed(5).init(images(9), views()).unwrap();
    let batches: Vec<ViewBatch> = loader.sampled(3, chosen.clone()).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.samples.clone()).collect::<Vec<_>>(), chosen);
    assert_eq!(batches[1].labels, [Some(7), Some(2), Some(7)]);

    // The first time an image looks as in an epoch of its own, later times are the views behind those.
    let values = |batch: usize, slot: usize, view: usize| {
        let view = &batches[batch].views[view];
        let values = view.size.values();
        view.values[slot * values..(slot + 1) * values].to_vec()
    };
    let source = images(9);
    let image = source.get(7);
    let first = views().apply(&views().draw(5, 3, 7, SIZE).unwrap(), image).unwrap();
    let noise = pipeline(vec![Operation::GaussianNoise { std: 0.1 }]);
    for (occurrence, (batch, slot)) in [(0, 1), (1, 0), (1, 2)].into_iter().enumerate() {
        if occurrence == 0 {
            assert_eq!((0..3).map(|view| values(batch, slot, view)).collect::<Vec<_>>(), first);
        }
        // The last of three views of occurrence k is view 3k + 2.
        let key = slowburn_augment::Key { seed: 5, epoch: 3, sample: 7, view: 3 * occurrence as u64 + 2 };
        let mut expected = vec![0.0; SIZE.values()];
        noise.apply(&noise.draw(key, SIZE).unwrap(), image, &mut expected).unwrap();
        assert_eq!(values(batch, slot, 2), expected, "occurrence {occurrence}");
    }

    let error = loader.sampled(0, vec![vec![0], vec![9]]).unwrap_err();
    assert!(matches!(error, LoadError::NoSuchSample { index: 9, len: 9 }), "{error}");
    assert_eq!(loader.sampled(0, vec![]).unwrap().count(), 0);
    assert_eq!(loader.sampled(0, vec![vec![], vec![1]]).unwrap().count(), 1);
}
