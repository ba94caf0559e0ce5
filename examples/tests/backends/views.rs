//! Views made with tensor operations, on the device that holds the batch.

use burn::tensor::{Device, Tensor};
use slowburn_augment::{ImageSize, Key, Pipeline, presets};

use crate::support::{assert_close, numbers, others, read};

const BATCH: usize = 6;
const SIDE: usize = 24;

fn views(pipeline: &Pipeline, channels: usize, device: &Device) -> Vec<f64> {
    let size = ImageSize::new(SIDE, SIDE, channels);
    let keys: Vec<Key> = (0..BATCH as u64).map(|sample| Key { seed: 3, epoch: 1, sample, view: 0 }).collect();
    let drawn = pipeline.draw_batch(&keys, size).unwrap();
    // Bytes divided by 255.
    let batch: Tensor<4> = numbers(5, [BATCH, channels, SIDE, SIDE], device);
    let batch = ((batch + 1.0).mul_scalar(127.5)).floor().div_scalar(255.0);
    read(&pipeline.apply_on_device(batch, &drawn).unwrap())
}

#[test]
fn of_every_kind_of_recipe() {
    let recipes = [
        (presets::moco_v2(20), 3),
        (presets::moco_cifar(24), 3),
        (presets::mean_teacher_svhn(), 3),
        (presets::mean_teacher_imagenet(20), 3),
        (presets::fashion(), 1),
    ];
    for (pipeline, channels) in recipes {
        let expected = views(&pipeline, channels, &Device::flex());
        for (name, device) in others() {
            let ours = views(&pipeline, channels, &device);
            // Colours, blurs and standardisation are sums in another order.
            assert_close(&format!("{name}, {pipeline}"), &ours, &expected, 1e-5);
        }
    }
}
