//! Weights files: `fixtures/generate.py` says what each of them is.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod forms;
mod heads;
mod hostile;
mod odd;
mod programs;
mod refused;
mod save;
mod support;
