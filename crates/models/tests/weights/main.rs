//! Weights files: `fixtures/generate.py` says what each of them is.

mod forms;
mod heads;
mod hostile;
mod odd;
mod programs;
mod refused;
mod save;
mod support;
