//! Every operation against torchvision's, on 8-bit Pillow images and on float tensors
//! (`tests/fixtures/generate_torchvision.py`).

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use slowburn_augment::{
    Adjustment, BlurKernel, Border, Drawn, Filter, Image, ImageSize, Operation, Pipeline, PixelArithmetic, ResizeTo,
    RotationFilter, View, presets,
};

use crate::key;

/// One level of a byte, with room for the f32 of the comparison itself.
const LEVEL: f32 = 1.0 / 255.0 + 1e-6;

#[derive(Deserialize)]
struct Fixture {
    image_sums: std::collections::BTreeMap<String, u64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    operation: String,
    parameters: Parameters,
    input: [usize; 2],
    stride: usize,
    height: usize,
    width: usize,
    channels: usize,
    offset: usize,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    r#box: [u32; 4],
    crop: [u32; 2],
    size: u32,
    shorter: u32,
    filter: String,
    degrees: f32,
    factor: f32,
    threshold: f32,
    std: f32,
    radius: u32,
}

/// The script's image.
fn image(height: usize, width: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut pixels = Vec::with_capacity(height * width * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let ramp = x * 255 / width * (c + 1) / 2 + y * 255 / height * (3 - c) / 3;
                pixels.push((ramp + (x / 9 + y / 7) % 2 * 50 + (state >> 27) as usize) as u8);
            }
        }
    }
    pixels
}

impl Case {
    /// The values that torchvision gave, in [0, 1], H×W×C of the places that are kept.
    fn expected(&self, data: &[u8]) -> Vec<f32> {
        let kept = self.height.div_ceil(self.stride) * self.width.div_ceil(self.stride) * self.channels;
        if self.kind == "pil" {
            return data[self.offset..][..kept].iter().map(|byte| f32::from(*byte) / 255.0).collect();
        }
        let floats = data[self.offset..][..4 * kept].chunks_exact(4);
        // The tensor path does not cut off what a cubic overshoots.
        floats.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).clamp(0.0, 1.0)).collect()
    }

    fn filter(&self) -> Filter {
        if self.parameters.filter == "bicubic" { Filter::Bicubic } else { Filter::Bilinear }
    }

    /// Our operations for this case, and the draw.
    fn steps(&self) -> Vec<(Operation, Drawn)> {
        let p = &self.parameters;
        let step = match self.operation.as_str() {
            "resized_crop" => self.crop(p.r#box, self.filter()),
            "resize" => {
                let to = ResizeTo::ShorterSide(p.shorter);
                (Operation::Resize { to, filter: Filter::Bilinear }, Drawn::Deterministic)
            }
            "center_crop" => (Operation::CenterCrop { height: p.crop[0], width: p.crop[1] }, Drawn::Deterministic),
            "rotate" => {
                let filter = if p.filter == "nearest" { RotationFilter::Nearest } else { RotationFilter::Bilinear };
                let rotate = Operation::Rotate { max_degrees: 180.0, filter, border: Border::Fill(0.0) };
                (rotate, Drawn::Rotate { degrees: p.degrees })
            }
            "brightness" => jitter(vec![Adjustment::Brightness(p.factor)]),
            "contrast" => jitter(vec![Adjustment::Contrast(p.factor)]),
            "saturation" => jitter(vec![Adjustment::Saturation(p.factor)]),
            "hue" => jitter(vec![Adjustment::Hue(p.factor)]),
            "gray" => (Operation::Grayscale { probability: 0.5 }, Drawn::Grayscale { gray: true }),
            "solarize" => {
                let solarize = Operation::Solarize { probability: 0.5, threshold: p.threshold };
                (solarize, Drawn::Solarize { solarize: true })
            }
            "blur" => {
                let kernel = match p.radius {
                    0 => BlurKernel::Boxes,
                    radius => BlurKernel::Truncated { radius },
                };
                (Operation::GaussianBlur { std: [0.0, 10.0], kernel }, Drawn::GaussianBlur { std: p.std })
            }
            "moco_v2" => return self.moco_v2(),
            other => panic!("{other}"),
        };
        vec![step]
    }

    fn crop(&self, [top, left, height, width]: [u32; 4], filter: Filter) -> (Operation, Drawn) {
        let (side, ratio) = (self.parameters.size, [0.5, 2.0]);
        let crop = Operation::RandomResizedCrop { height: side, width: side, scale: [0.1, 1.0], ratio, filter };
        (crop, Drawn::RandomResizedCrop { top, left, height, width })
    }

    /// The preset, without its normalisation.
    fn moco_v2(&self) -> Vec<(Operation, Drawn)> {
        let [height, width] = self.input.map(|side| side as u32 / 2);
        let applied = |drawn| Drawn::RandomApply { drawn: Some(vec![drawn]) };
        let drawn = [
            self.crop([3, 5, height, width], Filter::Bilinear).1,
            applied(
                jitter(vec![
                    Adjustment::Saturation(0.7),
                    Adjustment::Brightness(1.2),
                    Adjustment::Hue(0.06),
                    Adjustment::Contrast(1.3),
                ])
                .1,
            ),
            Drawn::Grayscale { gray: false },
            applied(Drawn::GaussianBlur { std: 0.8 }),
            Drawn::HorizontalFlip { flip: true },
        ];
        presets::moco_v2(self.parameters.size).operations().to_vec().into_iter().zip(drawn).collect()
    }

    /// Our view, C×H×W, on the CPU or with tensor operations.
    fn ours(&self, path: Path) -> Vec<f32> {
        let [height, width] = self.input;
        let pixels = image(height, width);
        let size = ImageSize::new(height, width, 3);
        let (operations, drawn) = self.steps().into_iter().unzip();
        let arithmetic = if self.kind == "pil" { PixelArithmetic::Bytes } else { PixelArithmetic::Real };
        let pipeline = Pipeline::new(&self.operation, operations).unwrap().with_arithmetic(arithmetic);
        let view = View { key: key(0), drawn };
        let output = pipeline.output_size(size);
        assert_eq!([output.height, output.width, output.channels], [self.height, self.width, self.channels]);
        match path {
            Path::Cpu => {
                let mut ours = vec![f32::NAN; output.values()];
                pipeline.apply(&view, Image::new(size, &pixels).unwrap(), &mut ours).unwrap();
                ours
            }
            Path::Device => {
                let values = pixels.iter().map(|byte| f32::from(*byte) / 255.0).collect();
                let data = TensorData::new(values, [1, height, width, 3]);
                let batch = Tensor::<4>::from_data(data, &Device::flex()).permute([0, 3, 1, 2]);
                pipeline.apply_on_device(batch, &[view]).unwrap().into_data().try_to_vec::<f32>().unwrap()
            }
        }
    }

    /// Largest and mean difference between ours and theirs.
    fn difference(&self, data: &[u8], path: Path) -> (f32, f32) {
        let ours = self.ours(path);
        let mut expected = self.expected(data).into_iter();
        let (mut largest, mut sum, mut count) = (0.0_f32, 0.0, 0.0);
        for y in (0..self.height).step_by(self.stride) {
            for x in (0..self.width).step_by(self.stride) {
                for c in 0..self.channels {
                    let difference = ours[(c * self.height + y) * self.width + x] - expected.next().unwrap();
                    largest = largest.max(difference.abs());
                    sum += difference.abs();
                    count += 1.0;
                }
            }
        }
        assert!(expected.next().is_none());
        (largest, sum / count)
    }

    /// The difference that is allowed: a level, and rounding where torchvision computes in real numbers as we do.
    fn tolerance(&self) -> f32 {
        let rounding = 2e-5;
        match (self.kind.as_str(), self.operation.as_str()) {
            // A whole recipe: a level more or less before the hue is turned can be two behind it.
            ("pil", "moco_v2") => 2.0 * LEVEL,
            ("tensor", "resized_crop" | "resize") | ("pil", _) => LEVEL,
            // torchvision has a luma of 0.2989 red.
            ("tensor", "gray" | "contrast" | "saturation") => 2e-4,
            _ => rounding,
        }
    }

    /// A cubic overshoots. Pillow cuts that off between the axes, as we do on both paths, torchvision's tensors never.
    fn is_comparable(&self) -> bool {
        !(self.kind == "tensor" && self.parameters.filter == "bicubic")
    }
}

/// Which of the two implementations.
#[derive(Clone, Copy)]
enum Path {
    Cpu,
    Device,
}

fn jitter(adjustments: Vec<Adjustment>) -> (Operation, Drawn) {
    let jitter = Operation::ColorJitter { brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 0.5 };
    (jitter, Drawn::ColorJitter { adjustments })
}

#[test]
fn operations_are_torchvisions() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/torchvision.json")).unwrap();
    let data = include_bytes!("../fixtures/torchvision.bin");
    for (name, sum) in &fixture.image_sums {
        let (height, width) = name.split_once('x').unwrap();
        let pixels = image(height.parse().unwrap(), width.parse().unwrap());
        assert_eq!(pixels.iter().map(|byte| u64::from(*byte)).sum::<u64>(), *sum, "image of {name}");
    }
    let mut failures = Vec::new();
    for case in fixture.cases.iter().filter(|case| case.is_comparable()) {
        let (largest, mean) = case.difference(data, Path::Cpu);
        let p = &case.parameters;
        let line = format!(
            "{:7} {:12} {:3} px: {:6.3} levels at most, {:5.3} on average ({:?} {} {} {} {} {})",
            case.kind,
            case.operation,
            case.input[1],
            255.0 * largest,
            255.0 * mean,
            p.r#box,
            p.filter,
            p.degrees,
            p.factor,
            p.std,
            p.radius
        );
        println!("{line}");
        // Pillow's bytes are met almost everywhere; rotations between pixels are the ones not rounded to bytes.
        let exact = case.kind == "pil" && case.parameters.filter != "bilinear" || case.operation == "resized_crop";
        if largest > case.tolerance() || exact && case.kind == "pil" && mean > 0.02 / 255.0 {
            failures.push(line);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// On the device nothing is rounded to bytes: its crops are the tensor path's, and Pillow's to a level.
#[test]
fn tensor_operations_are_torchvisions() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/torchvision.json")).unwrap();
    let data = include_bytes!("../fixtures/torchvision.bin");
    let mut failures = Vec::new();
    for case in &fixture.cases {
        let resizes = ["resized_crop", "resize"].contains(&case.operation.as_str());
        let tolerance = match (case.kind.as_str(), case.operation.as_str()) {
            // Pillow rounds between the axes too, and the absolute weights of a cubic add up to 1.25.
            ("pil", _) if resizes && case.filter() == Filter::Bicubic => 1.13 * LEVEL,
            ("pil", _) if resizes => LEVEL,
            // Whose arithmetic is that of bytes.
            ("pil", _) => continue,
            // torchvision has a luma of 0.2989 red.
            (_, "gray" | "contrast" | "saturation") => 2e-4,
            _ if !case.is_comparable() => continue,
            _ => 2e-5,
        };
        let (largest, _) = case.difference(data, Path::Device);
        let p = &case.parameters;
        let (kind, what, side) = (&case.kind, &case.operation, case.input[1]);
        let line = format!("{kind} {what} {side} px: {largest} ({:?} {} {} {})", p.r#box, p.filter, p.factor, p.std);
        println!("{line}");
        if largest > tolerance {
            failures.push(line);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
