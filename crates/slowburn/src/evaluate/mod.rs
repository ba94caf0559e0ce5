//! What a pre-trained encoder is worth: kNN and linear probe of a checkpoint, with every parameter beside the score.

mod cli;

pub use cli::{Cli, Encoding, Evaluation, Linear, Protocol, evaluate, run};
