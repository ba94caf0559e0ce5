//! Networks out as ONNX, for ONNX Runtime, tract and others.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use slowburn_models::onnx::{Normalise, OnnxOptions, Output, export, export_encoder};
//! use slowburn_models::weights::Metadata;
//! use slowburn_models::{Encoder, SmallConvNet, SmallConvNetConfig};
//!
//! let encoder = SmallConvNetConfig::new().init(&Device::flex())?;
//! let metadata = Metadata { image: Some([1, 28, 28]), mean: vec![0.286], std: vec![0.353], ..Metadata::default() };
//! let onnx = export_encoder(&encoder, &OnnxOptions::default(), &metadata)?;
//! onnx.write(std::env::temp_dir().join("slowburn-encoder.onnx"))?;
//!
//! // Any module with any forward pass from images to vectors.
//! let twice = |model: &SmallConvNet, images: Tensor<4>| model.features(images) * 2.0;
//! let options = OnnxOptions { normalise: Normalise::Outside, fold_batch_norm: true };
//! let onnx = export(&encoder, Output::Embeddings, &options, &metadata, twice)?;
//! assert_eq!(onnx.operations()["Mul"], 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//!
//! Operator set 18, IR version 8, 32-bit floats, weights inside. The graph is that of evaluation: running statistics, no
//! dropout, no noise.
//!
//! | What | How it is called |
//! |---|---|
//! | input | `images`, `[batch, C, H, W]`; the batch is free |
//! | output | [`Output::name`], `[batch, D]` |
//! | weights | as in PyTorch, in its layout: `layer1.0.conv1.weight`; a weight-normalised convolution has its product, `conv.weight` |
//! | nodes and values | as the module whose parameters they read: `layer1.0.conv1`; others by operation and number |
//!
//! `metadata_props` has the entries of [`Metadata`](crate::weights::Metadata), without `format` and the digest, and two more:
//!
//! | Key | What |
//! |---|---|
//! | `slowburn.input` | `pixels in [0, 1]` or `normalised`: see [`Normalise`] |
//! | `slowburn.output` | `features`, `embeddings`, `logits` or `probabilities` |
//!
//! # What can be exported
//!
//! burn-onnx 0.22 records a forward pass on a device of its own, twice, with two sizes of the batch. It knows these operations:
//!
//! | Kind | Operations |
//! |---|---|
//! | layers of Burn | `Conv1d`, `Conv2d`, `Linear`, `BatchNorm`, `MaxPool2d`, `AvgPool2d`, `AdaptiveAvgPool2d` to 1×1, `Interpolate2d`, and dropout, which is absent |
//! | activations | `relu`, `sigmoid`, `tanh`, `silu` |
//! | arithmetic | `+ − × ÷` of tensors and with numbers, `neg`, `abs`, `exp`, `log`, `sqrt`, `powi_scalar(2)`, `matmul` |
//! | along one axis | `sum_dim`, `argmax`, `argmin`, `max_dim_with_indices`, `min_dim_with_indices` |
//! | shapes | `reshape`, `flatten`, `squeeze_dim`, `unsqueeze_dim`, `cat`, `select` with constant indices, `pad`; the batch stays first |
//!
//! Everything else is refused by name ([`OnnxError::Operation`]). What is often met, and what can take its place:
//!
//! | Refused | In its place |
//! |---|---|
//! | `leaky_relu` | `slowburn_layers::Activation::LeakyRelu(slope).apply(x)` |
//! | the mean over all pixels by `mean_dim` or `mean_dims` | `slowburn_layers::global_average_pool(Maps::new(x))` |
//! | another mean | `sum_dim` and a division; `sum_dims` is refused too |
//! | `softmax` at the end | return logits and ask for [`Output::Probabilities`] |
//! | `gelu`, `clamp`, `recip`, `permute`, `repeat`, layer and group normalisation, transposed convolutions | nothing |
//!
//! All layers of `slowburn_layers` can be exported. Slices along any axis of a tensor with a batch are refused as
//! [`OnnxError::Export`], because Burn records no range that would hold for another batch.
//!
//! # Memory
//!
//! While it works, burn-onnx holds the weights five times besides the network itself: both recordings, the running recording,
//! the graph and its bytes. For a ResNet-50 of 97 MiB that is 495 MiB at the peak, in 0.3 s. What remains in [`Onnx`] is the bytes,
//! once, or with folded weights twice; [`Onnx::write`] makes no copy.

mod error;
mod export;
mod file;
mod graph;
mod options;

pub use error::OnnxError;
pub use export::{export, export_classifier, export_encoder, export_projector};
pub use file::Onnx;
pub use options::{Normalise, OnnxOptions, Output};
