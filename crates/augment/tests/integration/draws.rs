//! Draws are data and a pure function of the key.

use slowburn_augment::{Drawn, Image, ImageSize, Key, Mixup, Operation, Pipeline, PixelArithmetic, View, presets};

use crate::{bytes, catalog, key, pipeline};

const SIZE: ImageSize = ImageSize { height: 12, width: 10, channels: 3 };

/// One of each kind that the first version had: its draws are pinned.
fn all() -> Pipeline {
    pipeline(vec![
        Operation::Translate { max_pixels: 4 },
        Operation::HorizontalFlip { probability: 0.5 },
        Operation::GaussianNoise { std: 0.15 },
        Operation::Normalize { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.247, 0.2435, 0.2616] },
        Operation::Standardize { epsilon: 1e-12 },
    ])
}

#[test]
fn pipelines_and_views_survive_json() {
    for pipeline in [all(), presets::fashion(), presets::mean_teacher_svhn(), pipeline(vec![])] {
        let text = serde_json::to_string(&pipeline).unwrap();
        assert_eq!(serde_json::from_str::<Pipeline>(&text).unwrap(), pipeline);
    }
    for arithmetic in [PixelArithmetic::Real, PixelArithmetic::Bytes] {
        for operation in catalog::all(SIZE) {
            let pipeline = pipeline(vec![operation]).with_arithmetic(arithmetic);
            let text = serde_json::to_string(&pipeline).unwrap();
            assert_eq!(serde_json::from_str::<Pipeline>(&text).unwrap(), pipeline);
            // Several, so that both outcomes of a probability are seen.
            for sample in 0..8 {
                let key = Key { seed: u64::MAX, ..key(sample) };
                let view = pipeline.draw(key, SIZE).unwrap();
                let text = serde_json::to_string(&view).unwrap();
                assert_eq!(serde_json::from_str::<View>(&text).unwrap(), view);
                assert!(!view.to_string().is_empty() && !pipeline.to_string().is_empty());
            }
        }
    }
    for preset in presets::Preset::ALL {
        let pipeline = preset.pipeline(preset.default_size()).unwrap();
        let text = serde_json::to_string(&pipeline).unwrap();
        assert_eq!(serde_json::from_str::<Pipeline>(&text).unwrap(), pipeline);
    }
    assert!(serde_json::from_str::<Pipeline>(r#"{"name": "", "operations": [], "x": 1}"#).is_err());
}

/// The draws of a published version are part of it: a run repeated later must see the same views.
#[test]
fn draws_are_pinned() {
    let drawn = |sample| {
        let view = all().draw(key(sample), SIZE).unwrap();
        format!("{}, {}", view.drawn[0], view.drawn[1])
    };
    let drawn: Vec<String> = (0..6).map(drawn).collect();
    assert_eq!(
        drawn,
        [
            "shift (-3, -2) px, flip",
            "shift (-3, -3) px, no flip",
            "shift (-2, -1) px, flip",
            "shift (+1, -4) px, flip",
            "shift (-2, -2) px, no flip",
            "shift (-1, +3) px, flip",
        ]
    );
    // The ziggurat's tail calls the platform's logarithm, hence the tolerance.
    for (noise, pinned) in noise(0).iter().zip([-1.5173472f32, -1.0690625, -1.5230668]) {
        assert!((noise - pinned).abs() < 1e-6, "{noise}, pinned {pinned}");
    }
}

/// Noise of std 1 on a black image.
fn noise(sample: u64) -> Vec<f32> {
    let pixels = vec![0; SIZE.values()];
    let image = Image::new(SIZE, &pixels).unwrap();
    let pipeline = pipeline(vec![Operation::GaussianNoise { std: 1.0 }]);
    let view = pipeline.draw(key(sample), SIZE).unwrap();
    let mut out = vec![0.0; SIZE.values()];
    pipeline.apply(&view, image, &mut out).unwrap();
    out
}

#[test]
fn an_operation_draws_the_same_whatever_comes_after_it() {
    let shorter = all().with_operations(all().operations()[..2].to_vec()).unwrap();
    let view = all().draw(key(3), SIZE).unwrap();
    assert_eq!(shorter.draw(key(3), SIZE).unwrap().drawn, view.drawn[..2]);
}

/// As above, for what came later.
#[test]
fn the_recipes_draws_are_pinned() {
    let size = ImageSize::new(375, 500, 3);
    let view = presets::moco_v2(224).draw(key(0), size).unwrap();
    assert_eq!(
        view.to_string(),
        "view 3 of sample 0 in epoch 2 of seed 1: box 263×314 at (96, 72) px, saturation ×1.354 brightness ×1.174 \
         hue -0.000 contrast ×0.820, in colour, not applied, no flip, fixed"
    );
    let view = presets::mean_teacher_imagenet(224).draw(key(1), size).unwrap();
    assert_eq!(
        view.to_string(),
        "view 3 of sample 1 in epoch 2 of seed 1: rotate -6.8°, box 255×279 at (132, 106) px, no flip, brightness ×0.717 \
         hue -0.037 contrast ×1.139 saturation ×1.316, fixed"
    );
}

/// As above, for what came with FixMatch.
#[test]
fn the_strong_draws_are_pinned() {
    let size = ImageSize::new(32, 32, 3);
    let strong = presets::masked(presets::fixmatch_cifar_strong(), 0.1, 8).unwrap();
    let torchvision = pipeline(vec![Operation::torchvision_rand_augment(5, 9)]);
    let mix = Mixup::new(0.75).unwrap().per_row().draw(1, 2, 4);
    assert_eq!(
        [
            strong.draw(key(0), size).unwrap().to_string(),
            torchvision.draw(key(0), size).unwrap().to_string(),
            format!("{:?}, {:.3?}", mix.partners(), mix.weights()),
        ],
        [
            "view 3 of sample 0 in epoch 2 of seed 1: flip, shift (-1, -3) px, posterise to 6 bits, contrast ×1.824, cut \
             out at (30, 29) px, fixed, mask patches 4 13",
            "view 3 of sample 0 in epoch 2 of seed 1: equalise, solarise from 0.700, saturation ×1.270, brightness ×0.730, \
             shift x -4 px",
            "[1, 3, 0, 2], [0.527, 0.085, 0.850, 0.112]",
        ]
    );
}

#[test]
fn neither_the_order_of_a_batch_nor_the_threads_matter() {
    let pipeline = all();
    let pixels: Vec<Vec<u8>> = (0..40).map(|seed| bytes(SIZE, seed)).collect();
    let forward: Vec<Key> = (0..40).map(key).collect();
    let backward: Vec<Key> = (0..40).rev().map(key).collect();
    let image = |key: &Key| Image::new(SIZE, &pixels[key.sample as usize]).unwrap();
    let batch = |keys: &[Key]| {
        let images: Vec<Image<'_>> = keys.iter().map(image).collect();
        let views = pipeline.draw_batch(keys, SIZE).unwrap();
        pipeline.apply_batch(&images, &views).unwrap()
    };

    let first = batch(&forward);
    let reversed: Vec<f32> = batch(&backward).chunks_exact(SIZE.values()).rev().flatten().copied().collect();
    assert_eq!(first, reversed);

    // One by one, on this thread.
    for (key, from_batch) in forward.iter().zip(first.chunks_exact(SIZE.values())) {
        let view = pipeline.draw(*key, SIZE).unwrap();
        let mut out = vec![0.0; SIZE.values()];
        pipeline.apply(&view, image(key), &mut out).unwrap();
        assert_eq!(out, from_batch);
    }
}

#[test]
fn two_views_of_a_sample_differ() {
    let views: Vec<View> = (0..50).map(|view| all().draw(Key { view, ..key(0) }, SIZE).unwrap()).collect();
    let shifts = |view: &View| match view.drawn[0] {
        Drawn::Translate { dx, dy } => (dx, dy),
        _ => unreachable!(),
    };
    let mut different: Vec<(i32, i32)> = views.iter().map(shifts).collect();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 20, "{} of 50", different.len());
}

#[test]
fn evaluation_is_the_same_for_every_key() {
    let evaluation = all().evaluation();
    let pixels = bytes(SIZE, 1);
    let image = Image::new(SIZE, &pixels).unwrap();
    let values = |sample| {
        let view = evaluation.draw(key(sample), SIZE).unwrap();
        let mut out = vec![0.0; SIZE.values()];
        evaluation.apply(&view, image, &mut out).unwrap();
        out
    };
    assert_eq!(evaluation.operations().len(), 2);
    assert_eq!(values(0), values(1));
}
