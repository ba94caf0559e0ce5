//! Files that are none, and code in pickles.

use std::path::Path;

use slowburn_models::weights::{WeightsError, WeightsFile};

use crate::support::{expected, path};

/// What the fixtures' pickles would run leaves this behind.
const TRACE: &str = "/tmp/slowburn-pickle-ran";

#[test]
fn no_pickled_code_runs() {
    drop(std::fs::remove_file(TRACE));
    let error = WeightsFile::open(path("runs_code.pth")).unwrap_err();
    assert!(matches!(error, WeightsError::Pytorch { .. }), "{error}");
    assert!(error.to_string().contains("system"), "{error}");
    // Beside tensors it is left out.
    let file = WeightsFile::open(path("runs_code_beside.pth")).unwrap();
    assert_eq!(file.read("state_dict.conv1.weight").unwrap(), expected("state.")["conv1.weight"]);
    assert!(!Path::new(TRACE).exists(), "the code ran");
}

#[test]
fn what_is_no_weights_file_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty", &b""[..]),
        ("short", b"short"),
        ("text.pth", b"these are no weights, but a letter to a friend\n"),
        ("page.html", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("zip.zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let error = WeightsFile::open(&file).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(matches!(WeightsFile::open(folder.path()), Err(WeightsError::Io { .. })));
    assert!(matches!(WeightsFile::open(folder.path().join("nowhere")), Err(WeightsError::Io { .. })));
}
