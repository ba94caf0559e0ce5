//! Batch normalisation, what follows it, and its running statistics, on whichever path the maps take.

use burn::{
    module::RunningState,
    nn::BatchNorm,
    tensor::{Device, Tensor},
};

use crate::{Activation, Maps, in_pool::Update};

/// Whether batch statistics are used. The device says that a backward pass is possible, the flag that this layer takes
/// part in it: Burn's rule.
pub(crate) fn is_training(norm: &BatchNorm, device: &Device) -> bool {
    device.is_autodiff() && norm.training.is_enabled()
}

/// `act(norm(x) (+ shortcut))`; in training the statistics are those of the splits of each group.
///
/// # Panics
///
/// If the channels are not the layer's, the shortcut has another shape than the input or, in training, the splits do
/// not divide a group.
pub(crate) fn batch_norm(
    norm: &BatchNorm,
    splits: usize,
    input: Maps,
    shortcut: Option<Maps>,
    activation: Activation,
) -> Maps {
    let shape @ [images, channels, ..] = input.dims();
    let training = is_training(norm, &input.device());
    check(norm, channels);
    let group = input.group();
    if training {
        check_splits(group.unwrap_or(images), splits);
    }
    if let Some(shortcut) = &shortcut {
        assert_eq!(shortcut.dims(), shape, "the shortcut must have the shape of the maps that it is added to");
    }
    #[cfg(feature = "flex")]
    if fused::reads(norm, training, &input, shortcut.as_ref()) {
        return fused::batch_norm(norm, splits, training, input, shortcut, activation);
    }
    let normal = by_group(input.into_tensor(), group.filter(|_| training), |input| plain(norm, splits, input));
    let sum = match shortcut {
        Some(shortcut) => normal + shortcut.into_tensor(),
        None => normal,
    };
    Maps::new(activation.apply(sum)).grouped(group)
}

/// Normalises one group after another.
pub(crate) fn by_group(input: Tensor<4>, group: Option<usize>, norm: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    match group {
        Some(group) if group < input.dims()[0] => Tensor::cat(input.split(group, 0).into_iter().map(norm).collect(), 0),
        _ => norm(input),
    }
}

pub(crate) fn check(norm: &BatchNorm, channels: usize) {
    let [features] = norm.gamma.lazy_shape().dims();
    assert_eq!(channels, features, "the input has {channels} channels, but the layer {features}");
}

fn check_splits(images: usize, splits: usize) {
    assert!(images.is_multiple_of(splits), "a batch of {images} cannot be split into {splits} groups of one size");
}

/// The normalisation alone by Burn's operations: `[N, C, ...]`.
pub(crate) fn plain<const D: usize>(norm: &BatchNorm, splits: usize, input: Tensor<D>) -> Tensor<D> {
    if splits == 1 || !is_training(norm, &input.device()) {
        return norm.forward(input);
    }
    let shape: [usize; D] = input.dims();
    let (images, channels) = (shape[0], shape[1]);
    check(norm, channels);
    check_splits(images, splits);

    // Row g of the new shape holds the samples g·S to g·S + S − 1, one of each split: its channels are the
    // channels of split 0, then those of split 1, and so on.
    let mut grouped = shape;
    grouped[0] = images / splits;
    grouped[1] = channels * splits;
    let input: Tensor<D> = input.reshape(grouped); // [N/S, S·C, ...]
    let result = burn::tensor::module::batch_norm_train(
        input,
        norm.gamma.val().repeat_dim(0, splits),
        norm.beta.val().repeat_dim(0, splits),
        norm.epsilon,
    );
    follow(&norm.running_mean, [1, splits], norm.momentum, result.mean);
    follow(&norm.running_var, [1, splits], norm.momentum, result.variance);
    result.output.reshape(shape)
}

/// Moves a running statistic towards the mean of those of the splits, once for each group: `[G·S·C]`.
pub(crate) fn follow(state: &RunningState<Tensor<1>>, [groups, splits]: [usize; 2], momentum: f64, new: Tensor<1>) {
    Update { state: state.clone(), new, groups, splits, momentum }.make();
}

/// The same by the kernels.
#[cfg(feature = "flex")]
pub(crate) mod fused {
    use burn::nn::BatchNorm;

    use super::follow;
    use crate::flex::{Affine, normalise, statistics};
    use crate::kernel::norm::{NormShape, Statistics};
    use crate::kernel::threads::together;
    use crate::path::is_fast;
    use crate::{Activation, Maps};

    /// Whether the kernels can read all tensors.
    pub(super) fn reads(norm: &BatchNorm, training: bool, input: &Maps, shortcut: Option<&Maps>) -> bool {
        let running = [&norm.running_mean, &norm.running_var].map(|state| state.value().to_device(&input.device()));
        input.is_channels_last()
            && shortcut.is_none_or(Maps::is_channels_last)
            && [norm.gamma.val(), norm.beta.val()].iter().all(is_fast)
            && (training || running.iter().all(is_fast))
    }

    /// The maps are handed on, so that the output can reuse the memory of an input that nothing else needs.
    pub(super) fn batch_norm(
        norm: &BatchNorm,
        splits: usize,
        training: bool,
        input: Maps,
        shortcut: Option<Maps>,
        activation: Activation,
    ) -> Maps {
        let (fused, rest) = parts(activation);
        let (device, empty) = (input.device(), input.dims().contains(&0));
        let group = input.group();
        let (statistic, shape) = match training {
            true => (Statistics::Batch, shape(&input, splits)),
            false => (Statistics::Fixed, NormShape { groups: 1, ..shape(&input, 1) }),
        };
        let affine = Affine { shape, statistics: statistic, epsilon: norm.epsilon, activation: fused };
        let parameters = [norm.gamma.val(), norm.beta.val()];
        let running = [&norm.running_mean, &norm.running_var].map(|state| state.value().to_device(&device));
        let (input, shortcut) = (input.into_channels_last(), shortcut.map(Maps::into_channels_last));
        let (output, [mean, variance]) = together(|| {
            let [mean, variance] = if training { statistics(input.clone(), affine.shape) } else { running };
            let known = [mean.clone(), variance.clone()];
            (normalise(input, parameters, mean, Some(variance), shortcut, affine), known)
        });
        // On this thread: Burn keeps updates by thread. An empty batch has none.
        if training && !empty {
            let parts = [shape.groups, shape.splits];
            follow(&norm.running_mean, parts, norm.momentum, mean);
            follow(&norm.running_var, parts, norm.momentum, variance);
        }
        Maps::channels_last(rest.apply(output)).grouped(group)
    }

    /// The shape of a normalisation with these splits of each group of the maps.
    pub(crate) fn shape(maps: &Maps, splits: usize) -> NormShape {
        let [images, channels, height, width] = maps.dims();
        let groups = maps.group().map_or(1, |group| (images / group).max(1));
        NormShape { images, pixels: height * width, channels, groups, splits }
    }

    /// The activation that the kernel applies, and what is left to Burn.
    pub(crate) fn parts(activation: Activation) -> (crate::kernel::Rectifier, Activation) {
        match activation.fused() {
            Some(fused) => (fused, Activation::None),
            None => (crate::kernel::Rectifier::None, activation),
        }
    }
}
