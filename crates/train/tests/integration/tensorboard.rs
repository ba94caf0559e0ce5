//! Event files for TensorBoard, taken apart again byte by byte.

use std::fs;
use std::path::Path;

use slowburn_train::progress::{Both, Figure, Reporter, Silent, StepReport, TensorBoard};

use crate::support::StopAfter;

/// What an event says.
#[derive(Debug, PartialEq)]
enum What {
    Version(String),
    Start,
    Scalars(Vec<(String, f32)>),
}

/// CRC-32C bit by bit, then masked.
fn masked(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a file.
fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let word = |place: usize| u32::from_le_bytes(file[place..place + 4].try_into().expect("four bytes"));
        let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        assert_eq!(word(8), masked(&file[..8]));
        assert_eq!(word(12 + length), masked(&file[12..12 + length]));
        records.push(file[12..12 + length].to_vec());
        file = &file[16 + length..];
    }
    records
}

/// The fields of a message: number and content, of numbers their eight bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = message[0];
            *message = &message[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, varint(&mut message).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            other => panic!("a field of kind {other}"),
        };
        fields.push((key >> 3, message[..length].to_vec()));
        message = &message[length..];
    }
    fields
}

/// Step and content of the events of a file.
fn events(path: &Path) -> Vec<(u64, What)> {
    let event = |record: Vec<u8>| {
        let fields = fields(&record);
        let [(1, time), (2, step), (kind, what)] = &fields[..] else { panic!("{fields:?}") };
        let seconds = f64::from_le_bytes(time[..].try_into().expect("a double"));
        assert!(seconds > 1.7e9, "{seconds} s since 1970");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let what = match kind {
            3 => What::Version(text(what)),
            5 => What::Scalars(
                self::fields(what)
                    .into_iter()
                    .map(|(number, value)| {
                        assert_eq!(number, 1);
                        let value = self::fields(&value);
                        let [(1, tag), (2, number)] = &value[..] else { panic!("{value:?}") };
                        (text(tag), f32::from_le_bytes(number[..].try_into().expect("a float")))
                    })
                    .collect(),
            ),
            7 => {
                assert_eq!(self::fields(what), [(1, 1_u64.to_le_bytes().to_vec())]);
                What::Start
            }
            other => panic!("field {other}"),
        };
        (u64::from_le_bytes(step[..].try_into().expect("a number")), what)
    };
    records(&fs::read(path).expect("written")).into_iter().map(event).collect()
}

/// The event files of a part of a run, in order.
fn files(run: &Path, phase: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(run.join("tensorboard").join(phase)).expect("made");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

/// The loss after a step, which no other has.
fn loss(step: u64) -> f64 {
    1.0 / (step as f64 + 0.25)
}

/// Makes the steps behind `done` of two epochs of 25 steps, and stops behind `last`.
fn train(reporter: &mut dyn Reporter, done: u64, last: u64) {
    reporter.begin("moco", 2, 50, done);
    for step in done + 1..=last {
        reporter.step(&StepReport {
            step,
            epoch: 1 + (step - 1) / 25,
            step_in_epoch: 1 + (step - 1) % 25,
            steps_in_epoch: 25,
            figures: vec![Figure::new("loss", loss(step)), Figure::new("nothing yet", f64::NAN)],
            images: 32 * step,
            seconds: step as f64,
            waiting: 0.125,
        });
        if step % 25 == 0 {
            reporter.epoch(step / 25, &[Figure::percent("kNN", 0.5 + step as f64 / 1000.0)]);
        }
    }
}

/// Where the files go: with `SLOWBURN_EVENTS=FOLDER` they stay there, for `tests/tensorboard/read_back.py`.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = std::env::var_os("SLOWBURN_EVENTS").map(std::path::PathBuf::from);
    let run = kept.unwrap_or_else(|| folder.path().to_owned());
    (folder, run)
}

#[test]
fn a_run_that_goes_on_adds_a_file_and_no_step_counts_twice() {
    let (_folder, run) = folder();
    let reporter = || Both(Silent, TensorBoard::new(&run));
    // Killed at step 40: the checkpoint is that of step 25.
    train(&mut reporter(), 0, 40);
    train(&mut reporter(), 25, 50);
    // Asked for once more when it is complete.
    train(&mut reporter(), 50, 50);

    let files = files(&run, "moco");
    assert_eq!(files.len(), 2);
    let name = files[0].file_name().expect("a file").to_string_lossy().into_owned();
    let parts: Vec<&str> = name.splitn(5, '.').collect();
    assert_eq!(parts[..3], ["events", "out", "tfevents"]);
    assert!(parts[3].len() == 10 && parts[3].parse::<u64>().is_ok() && !parts[4].is_empty(), "{name}");

    let step = |step: u64| {
        let figures = [("loss", loss(step)), ("images per second", 32.0), ("waiting for images", 0.125)];
        (step, What::Scalars(figures.map(|(name, value)| (format!("step/{name}"), value as f32)).to_vec()))
    };
    let epoch = |step: u64| (step, What::Scalars(vec![("epoch/kNN".to_owned(), (0.5 + step as f64 / 1000.0) as f32)]));
    let version = || (0, What::Version("brain.Event:2".to_owned()));
    assert_eq!(
        events(&files[0]),
        [version(), (1, What::Start), step(10), step(20), step(25), epoch(25), step(30), step(40)]
    );
    assert_eq!(events(&files[1]), [version(), (26, What::Start), step(30), step(40), step(50), epoch(50)]);
}

#[test]
fn every_step_is_written_where_asked_and_parts_have_their_own_folders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut board = TensorBoard::new(folder.path()).with_every(1);
    train(&mut board, 0, 3);
    board.begin("baseline", 1, 10, 0);
    board.epoch(1, &[Figure::new("loss", 2.0)]);
    assert_eq!(events(&files(folder.path(), "moco")[0]).len(), 5);
    let baseline = events(&files(folder.path(), "baseline")[0]);
    assert_eq!(baseline[2], (0, What::Scalars(vec![("epoch/loss".to_owned(), 2.0)])));
}

#[test]
fn a_folder_that_cannot_be_written_stops_no_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("tensorboard"), "a file in the place of the folder").expect("written");
    train(&mut TensorBoard::new(folder.path()), 0, 50);
}

#[test]
fn a_request_to_stop_of_either_counts() {
    let stopping = || StopAfter(0);
    assert!(!Both(Silent, Silent).stop_requested());
    assert!(Both(Silent, stopping()).stop_requested() && Both(stopping(), Silent).stop_requested());
    let boxed: Box<dyn Reporter> = Box::new(stopping());
    assert!(Both(boxed, Silent).stop_requested());
}
