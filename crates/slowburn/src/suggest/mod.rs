//! Which images to label next.

mod choose;

pub use choose::{By, Choice, ChooseError, Rows, automatic, typical, uncertain};
