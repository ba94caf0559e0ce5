//! Weights files: PyTorch's checkpoints and safetensors in, safetensors out.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use slowburn_models::weights::{LoadOptions, Metadata, WeightsFile, load, save_safetensors};
//! use slowburn_models::{ClassifierConfig, ResNetConfig};
//!
//! let device = Device::flex();
//! let network = ClassifierConfig::new(10).init(ResNetConfig::resnet50().init(&device)?, &device)?;
//! // MoCo's checkpoint: the body from its query encoder, a fresh head in the place of the projection.
//! let file = WeightsFile::open("moco_v2_800ep_pretrain.pth.tar")?;
//! let options = LoadOptions { fresh_head: true, ..LoadOptions::default() };
//! let (network, loaded) = load(network, &file, &options)?;
//! println!("{loaded}");
//!
//! let metadata = Metadata { network: Some("resnet50".to_owned()), ..Metadata::default() };
//! save_safetensors(&network, "mine.safetensors", &metadata)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Which names are known: those of torchvision and timm; MoCo v1 and v2 (`module.encoder_q`, `module.encoder_k`), MoCo v3
//! (`module.base_encoder`, `module.momentum_encoder`), lightly (`backbone` as a `Sequential` of children, by number), solo-learn
//! (`backbone`, `momentum_backbone`), averages beside a network (`state_dict_ema`, `teacher`, …), and what `DataParallel`,
//! `torch.compile` and dictionaries put before names. Any other prefix is named by [`LoadOptions::branch`].

mod branch;
mod digest;
mod error;
mod file;
mod fit;
mod format;
mod load;
mod metadata;
mod save;
mod tensor;

pub use branch::Branch;
pub use error::WeightsError;
pub use file::WeightsFile;
pub use fit::{Differences, Fit};
pub use format::Format;
pub use load::{LoadOptions, Loaded, load};
pub use metadata::Metadata;
pub use save::{moco_checkpoint, save_safetensors, save_tensors};
pub use tensor::TensorInfo;
