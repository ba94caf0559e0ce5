//! The hue of every colour of bytes, against Pillow (`tests/fixtures/generate_hue.py`).

use rayon::prelude::*;
use serde::Deserialize;
use slowburn_augment::{Adjustment, Drawn, Image, ImageSize, Operation, Pipeline, PixelArithmetic, View};

use crate::key;

#[derive(Deserialize)]
struct Turned {
    turn: f32,
    /// By red, then channel, green and blue.
    crc32: u32,
}

/// All colours with this red: green by rows, blue by columns.
fn colors(red: u8) -> Vec<u8> {
    (0..=255).flat_map(|green| (0..=255).flat_map(move |blue| [red, green, blue])).collect()
}

#[test]
fn turned_as_pillow_turns_it() {
    let fixture: Vec<Turned> = serde_json::from_str(include_str!("../fixtures/hue.json")).unwrap();
    let size = ImageSize::new(256, 256, 3);
    for Turned { turn, crc32 } in fixture {
        let jitter = Operation::ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.5 };
        let pipeline = Pipeline::new("hue", vec![jitter]).unwrap().with_arithmetic(PixelArithmetic::Bytes);
        let drawn = vec![Drawn::ColorJitter { adjustments: vec![Adjustment::Hue(turn)] }];
        let view = View { key: key(0), drawn };
        let turned = |red| {
            let mut out = vec![f32::NAN; size.values()];
            pipeline.apply(&view, Image::new(size, &colors(red)).unwrap(), &mut out).unwrap();
            out.into_iter().map(|value| (value * 255.0).round() as u8).collect()
        };
        let all: Vec<Vec<u8>> = (0..=255_u8).into_par_iter().map(turned).collect();
        let mut hasher = crc32fast::Hasher::new();
        all.iter().for_each(|bytes| hasher.update(bytes));
        assert_eq!(hasher.finalize(), crc32, "turn {turn}");
    }
}
