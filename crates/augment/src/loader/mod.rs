//! Images from files, memory or any of Burn's datasets, as batches of views made on worker threads (feature
//! `loader`).
//!
//! A [`Source`] gives single images: an [`ImageFolder`], [`Images`] in memory, or a [`DatasetSource`]. A
//! [`ViewLoader`] decodes each image once, makes all its [`Views`](crate::Views), and hands out batches in a fixed
//! order while its workers run ahead. What it makes is a pure function of (source, views, seed, epoch): neither the
//! number of workers nor a restart in the middle of an epoch changes a bit.
//!
//! ```
//! use burn::tensor::Device;
//! use slowburn_augment::loader::{Images, ViewLoaderConfig};
//! use slowburn_augment::{ImageSize, Operation, Pipeline, Views};
//!
//! // Ten grey images of 4×4 bytes with labels; a folder of files would be `ImageFolder::labeled("train")?`.
//! let images = Images::new(ImageSize::new(4, 4, 1), (0..160).collect())?
//!     .with_labels((0..10).map(|index| Some(index % 2)).collect())?;
//! let shift = Pipeline::new("shift", vec![Operation::Translate { max_pixels: 1 }])?;
//! let loader = ViewLoaderConfig::new(4).with_seed(7).init(images, Views::two(shift))?;
//!
//! let mut seen = 0;
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     assert_eq!(batch.labels, batch.samples.iter().map(|sample| Some(sample % 2)).collect::<Vec<_>>());
//!     seen += batch.len();
//!     // One tensor per view, [batch, channels, height, width].
//!     let views = batch.into_tensors(&Device::default());
//!     assert_eq!((views.len(), &views[0].dims()[1..]), (2, &[1, 4, 4][..]));
//! }
//! assert_eq!(seen, 8); // two batches of 4; the last 2 images wait for another epoch's order
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod config;
mod dataset;
mod decode;
mod epoch;
mod error;
mod exif;
mod folder;
mod images;
mod make;
mod name;
mod order;
mod report;
mod source;
mod view_loader;

pub use batch::{BatchView, ViewBatch};
pub use config::{OnCorrupt, ViewLoaderConfig};
pub use dataset::{DatasetImage, DatasetSource, ImageContent};
pub use decode::{DecodeError, Decoder};
pub use epoch::Batches;
pub use error::LoadError;
pub use exif::Exif;
pub use folder::{ImageFolder, has_image_extension};
pub use images::Images;
pub use name::escape;
pub use report::{Report, Skipped};
pub use source::{ReadBuffers, Sample, Source};
pub use view_loader::ViewLoader;
