//! A convolution on whichever path the maps take.

use burn::tensor::{Tensor, module::conv2d, ops::ConvOptions};

use crate::Maps;

/// Whether the kernels can compute such a convolution.
pub(crate) fn is_plain(options: &ConvOptions<2>) -> bool {
    options.groups == 1 && options.dilation == [1, 1]
}

/// Convolves maps `[N, in, H, W]` with `[out, in/groups, kh, kw]` and adds `[out]`: `[N, out, H', W']`.
///
/// # Panics
///
/// If the channels do not match or the kernel does not fit into the padded maps.
pub(crate) fn convolve(maps: Maps, weight: Tensor<4>, bias: Option<Tensor<1>>, options: ConvOptions<2>) -> Maps {
    let group = maps.group();
    #[cfg(feature = "flex")]
    {
        use crate::path::is_fast;
        let readable = is_fast(&weight) && bias.as_ref().is_none_or(is_fast);
        if maps.is_channels_last() && is_plain(&options) && readable {
            let shape = shape(&maps, weight.dims(), &options);
            let maps = maps.into_channels_last();
            let output = crate::flex::convolve(maps, weight, bias, shape, crate::arithmetic());
            return Maps::channels_last(output).grouped(group);
        }
    }
    Maps::new(conv2d(maps.into_tensor(), weight, bias, options)).grouped(group)
}

#[cfg(feature = "flex")]
fn shape(maps: &Maps, weight: [usize; 4], options: &ConvOptions<2>) -> crate::kernel::ConvShape {
    let ([images, channels, height, width], [channels_out, channels_in, kh, kw]) = (maps.dims(), weight);
    // As Burn words it.
    assert!(
        channels == channels_in,
        "Number of channels in input tensor and input channels of convolution must be equal. \
         got: {channels}, expected: {channels_in}"
    );
    let padding = options.padding.map(|(before, after)| [before, after]);
    let shape = crate::kernel::ConvShape {
        images,
        input: [height, width],
        channels: [channels_in, channels_out],
        kernel: [kh, kw],
        stride: options.stride,
        padding,
    };
    assert!(
        !shape.output().contains(&0),
        "a kernel of {kh}×{kw} does not fit into maps of {height}×{width} with a padding of {padding:?}"
    );
    shape
}
