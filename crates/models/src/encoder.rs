//! What the methods ask of a network.

use burn::{
    module::{Module, ModuleDisplay},
    tensor::{Tensor, assert_shape},
};

/// A network that turns images into feature vectors.
///
/// It is all that Mean Teacher and MoCo ask of a network. Two methods make your module one (`#[derive(Module)]`
/// provides the rest):
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use slowburn_models::{Classifier, ClassifierConfig, Encoder};
///
/// #[derive(Module, Debug)]
/// struct Pixels {
///     projection: Linear,
/// }
///
/// impl Encoder for Pixels {
///     fn features(&self, images: Tensor<4>) -> Tensor<2> {
///         self.projection.forward(images.flatten(1, 3)) // [N, D]
///     }
///
///     fn feature_dim(&self) -> usize {
///         self.projection.weight.shape()[1]
///     }
/// }
///
/// let device = Device::flex();
/// let encoder = Pixels { projection: LinearConfig::new(28 * 28, 16).init(&device) };
/// let model: Classifier<Pixels> = ClassifierConfig::new(10).init(encoder, &device)?;
/// let logits = model.forward(Tensor::zeros([4, 1, 28, 28], &device));
/// assert_eq!(logits.dims(), [4, 10]);
/// # Ok::<(), slowburn_models::ModelError>(())
/// ```
pub trait Encoder: Module + ModuleDisplay {
    /// Encodes a batch of images.
    ///
    /// Dropout, input noise and batch statistics are on if the images are on an autodiff
    /// device and the module has not been frozen; on a plain device the result is deterministic
    /// and uses running statistics.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`, normalised as the data set requires
    /// - output: `[N, D]` with `D` = [`feature_dim`](Self::feature_dim)
    fn features(&self, images: Tensor<4>) -> Tensor<2>;

    /// The length `D` of a feature vector.
    fn feature_dim(&self) -> usize;

    /// The groups of a batch that have batch statistics of their own: 1 without split batch normalisation.
    fn splits(&self) -> usize {
        1
    }
}

/// Panics unless images have these channels and at least so many pixels a side.
pub(crate) fn assert_images(images: &Tensor<4>, in_channels: usize, smallest: usize) {
    assert_shape!(images, [_, in_channels, _, _]);
    let [_, _, height, width] = images.dims();
    assert!(
        height >= smallest && width >= smallest,
        "images are {height}×{width} pixels, but must be at least {smallest}×{smallest}"
    );
}
