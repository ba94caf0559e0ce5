//! Folders of IDX files, the form of MNIST.

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use slowburn_augment::loader::Images;
use slowburn_train::data::Dataset;

use super::item::{Content, Facts, Item, Side};

const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Whether a folder is read as one of IDX files.
pub(super) fn is_layout(path: &Path) -> bool {
    FILES.iter().any(|name| path.join(name).is_file() || path.join(format!("{name}.gz")).is_file())
}

/// The images of a data set that lies in memory.
pub(super) fn items(data: &Dataset) -> Vec<Item> {
    let train: Vec<Option<usize>> = data.train.labels.clone();
    let test: Vec<Option<usize>> = data.test.labels.iter().copied().map(Some).collect();
    let mut items = Vec::new();
    for (side, name, images, labels) in
        [(Side::Train, "train", &data.train.memory, train), (Side::Test, "test", &data.test.memory, test)]
    {
        if let Some(images) = images {
            items.par_extend(labels.into_par_iter().enumerate().map(|(index, label)| {
                let label = label.and_then(|class| data.classes.get(class)).cloned();
                item(images, index, format!("{name} {index}"), side, label)
            }));
        }
    }
    items
}

fn item(images: &Images, index: usize, name: String, side: Side, label: Option<String>) -> Item {
    let size = images.size();
    let pixels = images.bytes().and_then(|all| all.chunks_exact(size.values()).nth(index)).unwrap_or_default();
    let facts = Facts {
        height: size.height,
        width: size.width,
        gray: size.channels == 1,
        alpha: false,
        deep: false,
        turned: false,
        misnamed: None,
        print: None,
        flat: pixels.windows(2).all(|pair| pair[0] == pair[1]),
    };
    Item { name, side, label, sha256: Some(Sha256::digest(pixels).into()), content: Content::Image(facts) }
}
