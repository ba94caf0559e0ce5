//! Files of our own.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use safetensors::SafeTensors;
use slowburn_models::weights::{
    Format, LoadOptions, Metadata, WeightsError, WeightsFile, load, moco_checkpoint, save_safetensors, save_tensors,
};
use slowburn_models::{HeadVersion, ProjectionConfig, StateDict, state_dict};

use crate::support::{body, branch, device, expected, tiny, trained};

fn metadata() -> Metadata {
    Metadata {
        network: Some("resnet18".to_owned()),
        role: Some("teacher".to_owned()),
        image: Some([3, 32, 48]),
        mean: vec![0.4914, 0.4822, 0.4465],
        std: vec![0.247, 0.2435, 0.2616],
        classes: vec!["great tit".to_owned(), "Dompfaff, \"Gimpel\"".to_owned()],
        recipe: Some("{\"steps\":3}".to_owned()),
        more: BTreeMap::from([("mine".to_owned(), "a word".to_owned())]),
        ..Metadata::default()
    }
}

#[test]
fn weights_and_metadata_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.safetensors");
    save_safetensors(&trained(), &path, &metadata()).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.format(), Format::Safetensors);
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    assert_eq!(*file.metadata(), Metadata { version, ..metadata() });
    assert!(file.verify().unwrap());
    let (network, _) = load(tiny(), &file, &LoadOptions::default()).unwrap();
    assert_eq!(state_dict(&network), expected("state."));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn the_same_weights_give_the_same_bytes_which_another_reader_reads() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| folder.path().join(name));
    files.iter().for_each(|file| save_safetensors(&trained(), file, &metadata()).unwrap());
    let [a, b] = files.map(|file| std::fs::read(file).unwrap());
    assert_eq!(a, b);
    let (header, read) = SafeTensors::read_metadata(&a).unwrap();
    assert_eq!((header + 8) % 8, 0);
    assert_eq!(read.metadata().as_ref().unwrap()["format"], "pt");
    let tensors = SafeTensors::deserialize(&a).unwrap();
    let names: StateDict = tensors
        .iter()
        .map(|(name, view)| {
            let numbers: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            (name.to_owned(), TensorData::new(numbers, view.shape().to_vec()))
        })
        .collect();
    assert_eq!(names, expected("state."));
}

#[test]
fn any_flipped_bit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.safetensors");
    save_safetensors(&trained(), &path, &metadata()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // In the header, in the metadata and in tensors.
    for place in (0..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        // A space behind the header's JSON carries nothing.
        if whole[place] == b' ' {
            continue;
        }
        std::fs::write(&path, bytes).unwrap();
        let outcome = WeightsFile::open(&path).and_then(|file| load(tiny(), &file, &LoadOptions::default()));
        assert!(outcome.is_err(), "byte {place}: {:?}", String::from_utf8_lossy(&whole[place..place + 16]));
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(WeightsFile::open(&path), Err(WeightsError::Format { .. })));
}

#[test]
fn a_map_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.safetensors");
    save_safetensors(&trained(), &path, &metadata()).unwrap();
    let text = std::fs::read(&path).unwrap();
    let place = text.windows(23).position(|part| part == b"\"slowburn.metadata\":\"1\"").unwrap();
    let mut later = text.clone();
    later[place + 21] = b'2';
    std::fs::write(&path, later).unwrap();
    let error = WeightsFile::open(&path).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn a_moco_checkpoint_has_both_encoders_the_queue_and_its_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moco.safetensors");
    let network = || ProjectionConfig::new(HeadVersion::V2).with_dim(3).init(body(), &device()).unwrap();
    let (query, key) = (network(), network());
    let queue = TensorData::new((0..12).map(|value| value as f32).collect::<Vec<_>>(), [4, 3]);
    save_tensors(&moco_checkpoint(&query, &key, queue, 2), &path, &Metadata::default()).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.tensors()["queue"].to_string(), "f32 [3, 4]");
    assert_eq!(file.tensors()["queue_ptr"].to_string(), "i64 [1]");
    let rows: Vec<f32> = file.read("queue").unwrap().iter::<f32>().collect();
    assert_eq!(rows[..4], [0.0, 3.0, 6.0, 9.0]);
    let (found, loaded) = load(network(), &file, &LoadOptions::default()).unwrap();
    assert_eq!(state_dict(&found), state_dict(&query));
    assert_eq!(loaded.fit.others.len(), 1, "{loaded}");
    let (found, _) = load(network(), &file, &branch("encoder_k")).unwrap();
    assert_eq!(state_dict(&found), state_dict(&key));
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/such/folder/a.safetensors");
    assert!(matches!(save_safetensors(&trained(), &nowhere, &Metadata::default()), Err(WeightsError::Io { .. })));
    let wrong = StateDict::from([("a".to_owned(), TensorData::new(vec![1.0_f64], [1]))]);
    let error = save_tensors(&wrong, folder.path().join("a"), &Metadata::default()).unwrap_err();
    assert!(matches!(error, WeightsError::Type { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
