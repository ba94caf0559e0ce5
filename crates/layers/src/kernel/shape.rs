//! What the kernels work on.

/// The shape of a two-dimensional convolution of one group, without dilation.
///
/// Feature maps are `[images, height, width, channels]`, weights `[channels out, channels in, height, width]`, each
/// contiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// The images of the batch, N.
    pub images: usize,
    /// The height and the width of the input, in pixels.
    pub input: [usize; 2],
    /// The channels of the input and of the output.
    pub channels: [usize; 2],
    /// The height and the width of the kernel, in pixels.
    pub kernel: [usize; 2],
    /// The steps of the kernel down and to the right, in pixels; at least 1.
    pub stride: [usize; 2],
    /// The zeros around the input, in pixels: top and bottom, left and right.
    pub padding: [[usize; 2]; 2],
}

impl ConvShape {
    /// The height and the width of the output; 0 where the kernel does not fit.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let [before, after] = self.padding[axis];
            match (self.input[axis] + before + after).checked_sub(self.kernel[axis]) {
                Some(room) => room / self.stride[axis] + 1,
                None => 0,
            }
        })
    }

    /// Numbers of the input.
    pub fn input_len(&self) -> usize {
        self.images * self.input[0] * self.input[1] * self.channels[0]
    }

    /// Numbers of the output.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.images * height * width * self.channels[1]
    }

    /// Numbers of the weights.
    pub fn weight_len(&self) -> usize {
        self.channels[0] * self.channels[1] * self.kernel[0] * self.kernel[1]
    }

    /// Multiplications of the definition, in any direction.
    pub fn products(&self) -> usize {
        self.output_len() * self.channels[0] * self.kernel[0] * self.kernel[1]
    }
}
