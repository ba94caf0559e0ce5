//! Damaged and malicious files: an error within a second, or the right tensors.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use slowburn_models::weights::{LoadOptions, WeightsError, WeightsFile, load};
use slowburn_models::{StateDict, state_dict};

use crate::support::{expected, path, tiny};

const SOON: Duration = Duration::from_secs(1);

/// Every form that there is.
const FORMS: [&str; 6] = ["zip.pth", "legacy.pth", "tar.pth.tar", "plain.safetensors", "half.pth", "whole_model.pth"];

fn read(file: &Path) -> Result<StateDict, WeightsError> {
    let begun = Instant::now();
    let outcome = WeightsFile::open(file)
        .and_then(|file| load(tiny(), &file, &LoadOptions::default()))
        .map(|(network, _)| state_dict(&network));
    assert!(begun.elapsed() < SOON, "{}: {:?}", file.display(), begun.elapsed());
    outcome
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn files_cut_anywhere_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for form in FORMS {
        let whole = std::fs::read(path(form)).unwrap();
        for end in (0..whole.len()).step_by(1000) {
            let file = written(folder.path(), form, &whole[..end]);
            match read(&file) {
                Err(error) => assert!(error.to_string().contains(form), "{form} cut at {end}: {error}"),
                // A tar archive ends with zeros, which nobody misses.
                Ok(state) => assert!(form == "tar.pth.tar" && state == expected("state."), "{form} cut at {end}"),
            }
        }
    }
}

#[test]
fn claims_of_sizes_and_nesting_are_checked_before_memory_is_taken() {
    for name in ["claims_10_gb.safetensors", "claims_10_gb.pth", "expanded.pth", "nested.pth"] {
        let error = read(&path(name)).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_flipped_byte_in_a_zip_files_tensor_is_found_by_its_checksum() {
    let error = read(&path("flipped.pth")).unwrap_err();
    assert!(matches!(error, WeightsError::Tensor { .. }), "{error}");
    assert!(error.to_string().contains("layer4") && error.to_string().contains("checksum"), "{error}");
}

/// Formats without a checksum of their own: whatever is read has the right names and shapes.
fn shapes(state: &StateDict) -> Vec<(String, Vec<usize>)> {
    state.iter().map(|(name, data)| (name.clone(), data.shape().to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flipped_bytes_are_errors_or_leave_names_and_shapes(form in 0..FORMS.len(), place in 0.0..1.0_f64, mask in 1_u8..) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(path(FORMS[form])).unwrap();
        let place = (place * bytes.len() as f64) as usize;
        bytes[place] ^= mask;
        let file = written(folder.path(), FORMS[form], &bytes);
        if let Ok(state) = read(&file) {
            prop_assert_eq!(shapes(&state), shapes(&expected("state.")));
            // A zip's checksums cover the tensors.
            if FORMS[form] == "zip.pth" {
                prop_assert_eq!(state, expected("state."));
            }
        }
    }
}
