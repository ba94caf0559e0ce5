//! The number of threads that read images changes nothing of what is read.

use std::sync::Arc;

use burn::tensor::Device;
use slowburn_augment::Views;
use slowburn_augment::loader::{Decoder, ImageFolder, Source, ViewLoaderConfig};
use slowburn_train::data::{Dataset, LoadOptions};
use slowburn_train::monitor::ImageSet;

use crate::support::{photos, views};

#[test]
fn as_many_threads_read_as_rayon_has_and_read_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 23);
    let read = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let images = ImageFolder::flat(folder.path()).expect("photos").with_decoder(Decoder::rgb());
            let loader =
                ViewLoaderConfig::new(4).with_seed(5).init(images.clone(), Views::two(views())).expect("valid");
            assert_eq!(loader.workers(), threads);
            let made: Vec<_> = loader.epoch(1).map(|batch| batch.expect("whole")).collect();

            let chosen = (0..images.len()).map(|index| (index, 0)).collect();
            let set = ImageSet::new(Arc::new(images), chosen, &views()).expect("they fit");
            let seen: Vec<_> = set
                .batches(&Device::flex())
                .expect("indices of the source")
                .map(|batch| batch.expect("whole").images.into_data())
                .collect();
            let data = Dataset::load_with(folder.path(), LoadOptions::photos()).expect("photos");
            (made, seen, data.fingerprint().expect("readable"))
        })
    };
    let alone = read(1);
    assert_eq!(alone.0.len(), 5);
    for threads in [2, 5] {
        assert!(read(threads) == alone, "{threads} threads");
    }
}
