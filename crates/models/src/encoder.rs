//! What the methods ask of a network.

use burn::{
    module::{Module, ModuleDisplay},
    tensor::{Tensor, assert_shape},
};
use slowburn_layers::Maps;

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

    /// Encodes a batch in which each `group` consecutive images have batch statistics of their own in training, as if one group
    /// after another were encoded (ghost batch normalisation: Hoffer et al., arXiv 1705.08741). [`Classifier`](crate::Classifier)
    /// asks for it.
    ///
    /// A network that does not override it encodes one group after another. Those of this crate take all groups at once, which is
    /// faster; a network of `slowburn-layers` does the same with [`Maps::in_groups`](slowburn_layers::Maps::in_groups).
    ///
    /// # Shapes
    ///
    /// As [`features`](Self::features).
    ///
    /// # Panics
    ///
    /// If `group` is 0 or, with the networks of this crate, does not divide N.
    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        Tensor::cat(images.split(group, 0).into_iter().map(|images| self.features(images)).collect(), 0)
    }

    /// The length `D` of a feature vector.
    fn feature_dim(&self) -> usize;

    /// The groups of a batch that have batch statistics of their own: 1 without split batch normalisation.
    fn splits(&self) -> usize {
        1
    }
}

/// Images as maps, in these groups.
pub(crate) fn maps(images: Tensor<4>, group: Option<usize>) -> Maps {
    let maps = Maps::new(images);
    match group {
        Some(group) => maps.in_groups(group),
        None => maps,
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
