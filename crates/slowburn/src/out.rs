//! Writing to standard output and error, which may be closed before the end: `slowburn runs | head` is no panic.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Writes to standard output; a closed one is ignored, as a training goes on when nobody listens.
pub fn say(text: Arguments<'_>) {
    let _ = io::stdout().write_fmt(text).and_then(|()| io::stdout().flush());
}

/// Writes to standard error; a closed one is ignored.
pub fn note(text: Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}

/// "1 file could not be decoded and was left out", or of several.
pub fn left_out(files: usize) -> String {
    match files {
        1 => "1 file could not be decoded and was left out".to_owned(),
        files => format!("{files} files could not be decoded and were left out"),
    }
}

/// Whether an error is that nobody reads any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_csv =
        |error: &csv::Error| matches!(error.kind(), csv::ErrorKind::Io(io) if io.kind() == ErrorKind::BrokenPipe);
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
            || cause.downcast_ref::<csv::Error>().is_some_and(of_csv)
    })
}

/// [`println!`] that does not panic where standard output is closed.
#[macro_export]
macro_rules! say {
    () => { $crate::out::say(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::say(format_args!("{}\n", format_args!($($text)*))) };
}

/// [`eprintln!`] that does not panic where standard error is closed.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => { $crate::out::note(format_args!("{}\n", format_args!($($text)*))) };
}
