//! Which images there are and which of them have a label.

mod error;
mod identity;
mod label_file;
mod label_name;
mod labeled;
mod set;
mod spelling;

pub use error::{LabelError, LabelProblem};
pub(crate) use identity::labeled_indices;
pub use identity::{fingerprint, hex, labeled, labels_digest};
pub use label_file::{LabelFile, label_line, write_labels};
pub use labeled::Labeled;
pub use set::{DataError, DataLayout, Dataset, GreyImages, LoadOptions, Split, read_idx_images, read_idx_labels};
pub use spelling::nearest_name;
