//! Views made by PyTorch and torchvision (`tests/fixtures/generate.py`).

use serde::Deserialize;
use slowburn_augment::{Drawn, Image, ImageSize, Operation};

use crate::apply;

#[derive(Deserialize)]
struct Fixture {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
    mean: Vec<f32>,
    std: Vec<f32>,
    views: Vec<TorchView>,
    standardized: Vec<f32>,
}

#[derive(Deserialize)]
struct TorchView {
    order: String,
    dx: i32,
    dy: i32,
    flip: bool,
    values: Vec<f32>,
}

fn read() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/pytorch.json")).unwrap()
}

fn assert_close(ours: &[f32], torch: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), torch.len());
    for (index, (a, b)) in ours.iter().zip(torch).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}, value {index}: {a} and {b}");
    }
}

#[test]
fn shift_flip_and_normalisation_are_torchvisions() {
    let fixture = read();
    let size = ImageSize::new(fixture.height, fixture.width, fixture.channels);
    let image = Image::new(size, &fixture.pixels).unwrap();
    for view in &fixture.views {
        let (dx, dy, flip) = (view.dx, view.dy, view.flip);
        let mut steps = vec![
            (Operation::Translate { max_pixels: 4 }, Drawn::Translate { dx, dy }),
            (Operation::HorizontalFlip { probability: 0.5 }, Drawn::HorizontalFlip { flip }),
        ];
        if view.order == "flip_translate" {
            steps.reverse();
        }
        steps.push((
            Operation::Normalize { mean: fixture.mean.clone(), std: fixture.std.clone() },
            Drawn::Deterministic,
        ));
        let (operations, drawn) = steps.into_iter().unzip();
        let ours = apply(operations, drawn, image);
        // Same operations in f32: at most one rounding apart at values of up to 4.
        let what = format!("{} ({dx}, {dy}), flip {flip}", view.order);
        assert_close(&ours, &view.values, 5e-7, &what);
    }
}

#[test]
fn standardisation_is_torchs_layer_norm() {
    let fixture = read();
    let size = ImageSize::new(fixture.height, fixture.width, fixture.channels);
    let image = Image::new(size, &fixture.pixels).unwrap();
    let ours = apply(vec![Operation::Standardize { epsilon: 1e-12 }], vec![Drawn::Deterministic], image);
    // PyTorch sums 126 values in f32.
    assert_close(&ours, &fixture.standardized, 2e-6, "layer norm");
}
