//! Pictures, and batches of them on a device.

use burn::tensor::{Device, Tensor, TensorData};
use slowburn_augment::{ImageSize, Key};

/// A picture with ramps, edges and a little noise, H×W×3: it compresses like a photograph.
pub fn picture(height: usize, width: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut pixels = Vec::with_capacity(height * width * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let ramp = x * 200 / width * (c + 1) / 3 + y * 200 / height * (3 - c) / 3;
                let edges = (x * 7 / width + y * 5 / height + seed as usize) % 2 * 40;
                pixels.push((ramp + edges + (state >> 28) as usize).min(255) as u8);
            }
        }
    }
    pixels
}

/// Size of a colour picture.
pub fn rgb(height: usize, width: usize) -> ImageSize {
    ImageSize::new(height, width, 3)
}

/// The key of one view of one sample of a fixed seed.
pub fn key(sample: usize, view: usize) -> Key {
    Key { seed: 1, epoch: 0, sample: sample as u64, view: view as u64 }
}

/// A side of CIFAR's images.
pub const SIDE: usize = 32;

/// Pictures of `[batch, channels, height, width]` in [-1, 1], of up to three channels.
pub fn batch(shape: [usize; 4], seed: u32, device: &Device) -> Tensor<4> {
    let [batch, channels, height, width] = shape;
    let mut values = Vec::with_capacity(shape.iter().product());
    for image in 0..batch as u32 {
        let pixels = picture(height, width, seed.wrapping_mul(10_007).wrapping_add(image));
        for channel in 0..channels {
            values.extend(pixels.iter().skip(channel).step_by(3).map(|&value| f32::from(value) / 127.5 - 1.0));
        }
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Pictures of CIFAR's size, `[batch, 3, 32, 32]`.
pub fn cifar(count: usize, seed: u32, device: &Device) -> Tensor<4> {
    batch([count, 3, SIDE, SIDE], seed, device)
}
