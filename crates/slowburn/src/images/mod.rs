//! Images that are named on the command line, as a trained network sees them.

mod gray;
mod named;
mod passes;
mod prepared;
mod trained;

pub use named::{Named, NamedImages};
pub use passes::in_fixed_batches;
pub(crate) use prepared::bringing_to;
pub use prepared::{Prepared, SeenImages};
pub use trained::TrainedNetwork;
