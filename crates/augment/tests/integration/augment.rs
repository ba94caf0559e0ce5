//! The operations of `RandAugment` against Pillow's and torchvision's (`tests/fixtures/generate_augment.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use slowburn_augment::{
    Augment, Augmented, Border, Drawn, Image, ImageSize, Magnitudes, Operation, Pipeline, PixelArithmetic, View,
};

use crate::key;

#[derive(Deserialize)]
struct Fixture {
    images: BTreeMap<String, Stored>,
    cases: Vec<Case>,
    shears: Vec<Sheared>,
}

#[derive(Deserialize, Clone, Copy)]
struct Stored {
    height: usize,
    width: usize,
    channels: usize,
    offset: usize,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    image: String,
    applied: Vec<Augmented>,
    offset: usize,
}

#[derive(Deserialize)]
struct Sheared {
    image: String,
    x: f32,
    y: f32,
    offset: usize,
}

const DATA: &[u8] = include_bytes!("../fixtures/augment.bin");

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/augment.json")).unwrap()
}

impl Stored {
    fn size(self) -> ImageSize {
        ImageSize::new(self.height, self.width, self.channels)
    }

    fn pixels(self) -> &'static [u8] {
        &DATA[self.offset..][..self.size().values()]
    }

    /// What the one operation makes of the image, H×W×C.
    fn view(self, operation: Operation, drawn: Drawn, arithmetic: PixelArithmetic) -> Vec<f32> {
        let size = self.size();
        let pipeline = Pipeline::new("one", vec![operation]).unwrap().with_arithmetic(arithmetic);
        let mut values = vec![f32::NAN; size.values()];
        let view = View { key: key(0), drawn: vec![drawn] };
        pipeline.apply(&view, Image::new(size, self.pixels()).unwrap(), &mut values).unwrap();
        let plane = size.height * size.width;
        (0..plane).flat_map(|place| (0..size.channels).map(move |c| c * plane + place)).map(|i| values[i]).collect()
    }
}

/// `RandAugment` of as many operations as there are.
fn rand_augment(applied: &[Augmented]) -> (Operation, Drawn) {
    let (ops, magnitudes) = (applied.len() as u32, Magnitudes::Fixmatch);
    let operation = Operation::RandAugment { ops, pool: Augment::ALL.to_vec(), magnitudes };
    (operation, Drawn::RandAugment { applied: applied.to_vec() })
}

/// The operation of its own that does the same, if there is one.
fn single(augmented: Augmented) -> Option<(Operation, Drawn)> {
    let probability = 0.5;
    Some(match augmented {
        Augmented::AutoContrast => (Operation::AutoContrast { probability }, Drawn::AutoContrast { stretch: true }),
        Augmented::Equalize => (Operation::Equalize { probability }, Drawn::Equalize { equalize: true }),
        Augmented::Posterize(bits) => {
            (Operation::Posterize { probability, bits: [1, 8] }, Drawn::Posterize { bits: Some(bits) })
        }
        Augmented::Sharpness(factor) => {
            let sharpness = Operation::Sharpness { probability, factor: [0.0, 2.0] };
            (sharpness, Drawn::Sharpness { factor: Some(factor) })
        }
        Augmented::ShearX(slope) => shear(slope, 0.0),
        Augmented::ShearY(slope) => shear(0.0, slope),
        _ => return None,
    })
}

fn shear(x: f32, y: f32) -> (Operation, Drawn) {
    let shear = Operation::Shear { max_x: 1.0, max_y: 1.0, border: Border::Fill(0.0) };
    (shear, Drawn::Shear { x, y })
}

/// Places where ours are not the bytes of Pillow.
fn wrong(ours: &[f32], offset: usize) -> usize {
    let bytes = &DATA[offset..][..ours.len()];
    ours.iter().zip(bytes).filter(|(value, byte)| (255.0 * **value - f32::from(**byte)).abs() > 1e-4).count()
}

#[test]
fn bytes_are_pillows() {
    let fixture = fixture();
    let (mut failures, mut count) = (Vec::new(), 0);
    for case in fixture.cases.iter().filter(|case| case.kind == "pil") {
        let image = fixture.images[&case.image];
        let (operation, drawn) = rand_augment(&case.applied);
        let ours = image.view(operation, drawn, PixelArithmetic::Bytes);
        let wrong = wrong(&ours, case.offset);
        if wrong > 0 {
            failures.push(format!("{} {:?}: {wrong} of {} bytes", case.image, case.applied, ours.len()));
        }
        if let [augmented] = case.applied[..]
            && let Some((operation, drawn)) = single(augmented)
        {
            assert_eq!(image.view(operation, drawn, PixelArithmetic::Bytes), ours, "{} {augmented}", case.image);
        }
        count += 1;
    }
    assert!(failures.is_empty() && count > 500, "of {count}:\n{}", failures.join("\n"));
}

#[test]
fn real_numbers_are_torchvisions() {
    let fixture = fixture();
    let mut count = 0;
    for case in fixture.cases.iter().filter(|case| case.kind == "tensor") {
        let image = fixture.images[&case.image];
        let (operation, drawn) = rand_augment(&case.applied);
        let ours = image.view(operation, drawn, PixelArithmetic::Real);
        let theirs = DATA[case.offset..][..4 * ours.len()].chunks_exact(4);
        for (ours, theirs) in ours.iter().zip(theirs) {
            let theirs = f32::from_le_bytes(theirs.try_into().unwrap());
            // Sums in another order.
            assert!((ours - theirs).abs() < 1e-6, "{} {:?}: {ours} and {theirs}", case.image, case.applied);
        }
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn shears_of_both_axes_are_pillows() {
    let fixture = fixture();
    for Sheared { image, x, y, offset } in &fixture.shears {
        let (operation, drawn) = shear(*x, *y);
        let ours = fixture.images[image].view(operation, drawn, PixelArithmetic::Bytes);
        assert_eq!(wrong(&ours, *offset), 0, "{image} ({x}, {y})");
    }
}
