//! Photos that are made up, a network that is not of this project, and what a run left behind.

use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use slowburn_augment::Pipeline;
use slowburn_augment::{Filter, Operation, ResizeTo};
use slowburn_models::Encoder;
use slowburn_train::progress::{Figure, Reporter, Silent, StepReport};

/// The sides of photos, one after the other.
pub(crate) const SIZES: [(u32, u32); 5] = [(24, 24), (40, 30), (30, 40), (17, 61), (64, 20)];

/// Writes `count` photos of five sizes: `p0.jpg`, `p1.jpg`, and so on. Those with an even number are striped from top to
/// bottom, the others from side to side.
pub(crate) fn photos(folder: &Path, count: usize) {
    fs::create_dir_all(folder).expect("made");
    for number in 0..count {
        photo(&folder.join(format!("p{number}.jpg")), number);
    }
}

pub(crate) fn photo(path: &Path, number: usize) {
    let (width, height) = SIZES[number % SIZES.len()];
    let shade = |x: u32, y: u32| {
        let place = if number.is_multiple_of(2) { x } else { y };
        let stripe = if (place / 3).is_multiple_of(2) { 200 } else { 40 };
        (stripe + (number * 7) as u32 % 40) as u8
    };
    let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([shade(x, y), shade(x, y) / 2, 90]));
    image.save(path).expect("written");
}

/// Views of 12×12 pixels.
pub(crate) fn views() -> Pipeline {
    let operations = vec![
        Operation::Resize { to: ResizeTo::Exact { height: 12, width: 12 }, filter: Filter::Bilinear },
        Operation::Translate { max_pixels: 1 },
        Operation::Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] },
    ];
    Pipeline::new("small", operations).expect("valid")
}

/// A network that is none of this project's: pixels of a smaller image, one linear layer.
#[derive(Module, Debug)]
pub(crate) struct Mine {
    linear: Linear,
}

impl Mine {
    pub(crate) fn new(device: &Device) -> Self {
        Self { linear: LinearConfig::new(3 * 36, 8).init(device) }
    }
}

impl Encoder for Mine {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.linear.forward(adaptive_avg_pool2d(images, [6, 6]).flatten(1, 3))
    }

    fn feature_dim(&self) -> usize {
        8
    }
}

/// Every number of a module.
pub(crate) fn weights<M: Module>(module: &M) -> Vec<Vec<f32>> {
    slowburn_models::state_dict(module).into_values().map(|data| data.iter::<f32>().collect()).collect()
}

/// Stops after this many steps.
pub(crate) struct StopAfter(pub(crate) u64);

impl Reporter for StopAfter {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        Silent.begin(phase, epochs, steps, done);
    }

    fn step(&mut self, step: &StepReport) {
        assert!((0.0..=1.0).contains(&step.waiting), "{step:?}");
        self.0 = self.0.saturating_sub(1);
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        Silent.epoch(epoch, figures);
    }

    fn stop_requested(&self) -> bool {
        self.0 == 0
    }
}

/// Writes an image as a camera stores it that was held so that the EXIF orientation is `orientation`: as JPEG, with that in its
/// APP1 segment.
pub(crate) fn turned_photo(path: &Path, upright: RgbImage, orientation: u8) {
    let mut stored = image::DynamicImage::from(upright);
    // A quarter turn is undone by the other one; all else by itself.
    let back = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    stored.apply_orientation(image::metadata::Orientation::from_exif(back).expect("1 to 8"));
    let mut encoded = std::io::Cursor::new(Vec::new());
    stored.write_to(&mut encoded, image::ImageFormat::Jpeg).expect("encoded");
    let encoded = encoded.into_inner();
    // Segment of 34 bytes; big-endian TIFF with one tag, 0x0112, a SHORT.
    let segment = [
        b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(),
        &[orientation, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    fs::write(path, [&encoded[..2], &segment, &encoded[2..]].concat()).expect("written");
}
