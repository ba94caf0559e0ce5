//! Compares Slowburn with PyTorch on the same machine.
fn main() {}
