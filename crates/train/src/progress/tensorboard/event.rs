//! TensorBoard's protocol buffers, as far as curves need them.
//!
//! The fields, by their numbers in `event.proto` and `summary.proto`:
//!
//! | Message | Fields |
//! |---|---|
//! | `Event` | 1 `wall_time` (double), 2 `step` (int64), and one of 3 `file_version` (string), 5 `summary`, 7 `session_log` |
//! | `Summary` | 1 `value` (repeated) |
//! | `Summary.Value` | 1 `tag` (string), 2 `simple_value` (float) |
//! | `SessionLog` | 1 `status` (enum, 1 is `START`) |

use std::time::{SystemTime, UNIX_EPOCH};

use crate::progress::Figure;

/// What a file holds at its beginning.
const VERSION: &str = "brain.Event:2";

/// A record of an event file.
pub(super) struct Event<'a> {
    step: u64,
    what: What<'a>,
}

enum What<'a> {
    Version,
    /// Training begins with this step: events at or after it, of earlier files, do not count.
    Start,
    /// Group and figures.
    Scalars(&'static str, Vec<&'a Figure>),
}

impl<'a> Event<'a> {
    pub(super) fn version() -> Self {
        Self { step: 0, what: What::Version }
    }

    pub(super) fn start(step: u64) -> Self {
        Self { step, what: What::Start }
    }

    pub(super) fn scalars(step: u64, group: &'static str, figures: impl IntoIterator<Item = &'a Figure>) -> Self {
        // A value of 32 bits that overflows is no number there either.
        let finite = figures.into_iter().filter(|figure| (figure.value as f32).is_finite()).collect();
        Self { step, what: What::Scalars(group, finite) }
    }

    /// The message, with the present as its time.
    pub(super) fn encode(&self) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut message = Vec::new();
        fixed(&mut message, 1, DOUBLE, &now.to_le_bytes());
        number(&mut message, 2, self.step);
        match &self.what {
            What::Version => bytes(&mut message, 3, VERSION.as_bytes()),
            What::Start => {
                let mut session = Vec::new();
                number(&mut session, 1, 1);
                bytes(&mut message, 7, &session);
            }
            What::Scalars(group, figures) => {
                let mut summary = Vec::new();
                for figure in figures {
                    let mut value = Vec::new();
                    bytes(&mut value, 1, format!("{group}/{}", figure.name).as_bytes());
                    fixed(&mut value, 2, FLOAT, &(figure.value as f32).to_le_bytes());
                    bytes(&mut summary, 1, &value);
                }
                bytes(&mut message, 5, &summary);
            }
        }
        message
    }
}

// How a field is written: its number and one of these, then the value.
const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const LENGTH: u64 = 2;
const FLOAT: u64 = 5;

fn key(out: &mut Vec<u8>, field: u64, kind: u64) {
    varint(out, field << 3 | kind);
}

/// Seven bits a byte, the lowest first; the highest bit says that another follows.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

fn fixed(out: &mut Vec<u8>, field: u64, kind: u64, value: &[u8]) {
    key(out, field, kind);
    out.extend_from_slice(value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, LENGTH);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_protocol() {
        for (value, expected) in [(0, &[0_u8][..]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out, expected);
        }
        let mut out = Vec::new();
        varint(&mut out, u64::MAX);
        assert_eq!(out, [&[0xff; 9][..], &[1]].concat());
    }

    #[test]
    fn events_have_the_fields_of_the_protocol() {
        // Behind the time: step 300, then a summary of one value.
        let loss = Figure::new("loss", 0.5);
        let message = Event::scalars(300, "step", [&loss, &Figure::new("none", f64::NAN)]).encode();
        assert_eq!(message[0], 0x09);
        let value = [b"\x0a\x09step/loss\x15".as_slice(), &0.5_f32.to_le_bytes()].concat();
        assert_eq!(value.len(), 16);
        assert_eq!(message[9..], [&[0x10, 0xac, 2, 0x2a, 18, 0x0a, 16][..], &value].concat());
        assert_eq!(Event::version().encode()[9..], *b"\x10\x00\x1a\x0dbrain.Event:2");
        assert_eq!(Event::start(7).encode()[9..], [0x10, 7, 0x3a, 2, 0x08, 1]);
    }
}
