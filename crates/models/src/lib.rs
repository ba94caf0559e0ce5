#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classifier;
mod conv_net13;
mod encoder;
mod error;
pub mod layers;
mod mlp_head;
mod named;
#[cfg(feature = "onnx")]
pub mod onnx;
mod parameters;
mod projection;
mod resnet;
mod resnet9;
mod small_conv_net;
mod state_dict;
#[cfg(feature = "weights")]
pub mod weights;
#[cfg(feature = "weights")]
mod whole_file;
mod wide_resnet;

pub use classifier::{Classifier, ClassifierConfig};
pub use conv_net13::{ConvNet13, ConvNet13Config};
pub use encoder::Encoder;
pub use error::ModelError;
pub use layers::{Norm, Normalization, SplitBatchNorm, SplitBatchNormConfig};
pub use mlp_head::{HeadNorm, MlpHead, MlpHeadConfig, MlpLayer, OutputNorm, PlainNorm};
pub use parameters::{ParameterInfo, num_learnable_params, parameters};
pub use projection::{HeadVersion, Mlp, ProjectionConfig, ProjectionHead, Projector};
pub use resnet::{BlockKind, ResNet, ResNetConfig, ResidualBlock, Stem};
pub use resnet9::{PooledUnit, ResNet9, ResNet9Config};
pub use small_conv_net::{SmallConvNet, SmallConvNetConfig};
pub use state_dict::{StateDict, load_state_dict, state_dict};
pub use wide_resnet::{ProjectionInput, WideBlock, WideResNet, WideResNetConfig};
