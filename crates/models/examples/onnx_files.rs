//! Exports every network at its full size, for a check by other programs.
//!
//! `benches/pytorch/check_onnx.py` says how to run both. FOLDER has real images in `images.safetensors`; the files `*.onnx` are
//! put beside them, and what the networks compute here and in tract in `outputs.safetensors`.

use std::error::Error;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use slowburn_models::onnx::{Normalise, Onnx, OnnxOptions, export_classifier, export_encoder, export_projector};
use slowburn_models::weights::{Metadata, WeightsFile, save_tensors};
use slowburn_models::{
    ClassifierConfig, ConvNet13Config, Encoder, HeadVersion, Normalization, ProjectionConfig, ProjectionInput,
    ResNetConfig, SmallConvNetConfig, StateDict, Stem, WideResNetConfig, load_state_dict, state_dict,
};
use tract_onnx::prelude::{self as tract, Framework, InferenceModelExt, IntoRunnable, tvec};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CLASSES: usize = 10;
/// Running statistics come near those of the images in a few passes.
const MOMENTUM: f64 = 0.5;
const PASSES: usize = 8;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: onnx_files FOLDER")?);
    let device = Device::flex().autodiff();
    device.seed(0);
    let mut files =
        Files { images: WeightsFile::open(folder.join("images.safetensors"))?, folder, outputs: StateDict::new() };

    let small = SmallConvNetConfig::new().with_momentum(MOMENTUM).init(&device)?;
    files.network("small_conv_net", [1, 28, 28], small)?;
    let convnet = ConvNet13Config::new().with_input_noise(0.0).with_dropout(0.0).with_momentum(MOMENTUM);
    files.network("conv_net13", [3, 32, 32], convnet.init(&device)?)?;
    let weight_norm = convnet.with_normalization(Normalization::WeightNormMeanOnly).init(&device)?;
    let images = files.normalised([3, 32, 32])?;
    files.network("conv_net13_weight_norm", [3, 32, 32], weight_norm.init_from_batch(images))?;
    for (name, projection) in [
        ("wide_res_net_28_2", ProjectionInput::Activated),
        ("wide_res_net_28_2_first_block", ProjectionInput::ActivatedInFirstBlock),
    ] {
        let config = WideResNetConfig::wrn_28_2().with_momentum(MOMENTUM).with_projection_input(projection);
        files.network(name, [3, 32, 32], config.init(&device)?)?;
    }
    let cifar = ResNetConfig::resnet18().with_momentum(MOMENTUM).with_stem(Stem::Cifar);
    files.network("resnet18_cifar", [3, 32, 32], cifar.init(&device)?)?;
    files.network("resnet18", [3, 224, 224], ResNetConfig::resnet18().with_momentum(MOMENTUM).init(&device)?)?;
    files.network("resnet50", [3, 224, 224], ResNetConfig::resnet50().with_momentum(MOMENTUM).init(&device)?)?;
    save_tensors(&files.outputs, files.folder.join("outputs.safetensors"), &Metadata::default())?;
    Ok(())
}

struct Files {
    images: WeightsFile,
    folder: PathBuf,
    /// By the name of the file; tract's have `tract/` in front.
    outputs: StateDict,
}

impl Files {
    /// Exports a network in all forms: encoder, classifier and, in one of them, with a projection head.
    fn network<E: Encoder>(&mut self, name: &str, image: [usize; 3], encoder: E) -> Result<()> {
        println!("{name}");
        let encoder = used(encoder, self.normalised(image)?)?;
        let device = Device::flex();
        let plain = encoder.valid();
        let classifier = ClassifierConfig::new(CLASSES).init(plain.clone(), &device)?;
        let projector = ProjectionConfig::new(HeadVersion::V2).init(plain.clone(), &device)?;
        let images = self.normalised(image)?.inner();
        let features = plain.features(images.clone()).into_data();
        let probabilities = softmax(classifier.forward(images.clone()), 1).into_data();
        let embeddings = projector.forward(images).into_data();

        let metadata = metadata(name, image);
        for fold_batch_norm in [false, true] {
            for normalise in [Normalise::Inside, Normalise::Outside] {
                let options = OnnxOptions { normalise, fold_batch_norm };
                let fold = if fold_batch_norm { "folded" } else { "plain" };
                let inside = if normalise == Normalise::Inside { "inside" } else { "outside" };
                let form = |what: &str| format!("{name}.{what}.{fold}.{inside}.onnx");
                let input = self.pixels(image, normalise)?;
                let onnx = export_encoder(&encoder, &options, &metadata)?;
                self.file(form("encoder"), &onnx, &input, &features)?;
                let onnx = export_classifier(&classifier, &options, &metadata)?;
                self.file(form("classifier"), &onnx, &input, &probabilities)?;
                if options == OnnxOptions::default() {
                    let onnx = export_projector(&projector, &options, &metadata)?;
                    self.file(form("projector"), &onnx, &input, &embeddings)?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, name: String, onnx: &Onnx, input: &TensorData, expected: &TensorData) -> Result<()> {
        let path = self.folder.join(&name);
        onnx.write(&path)?;
        let found = in_tract(&path, input)?;
        self.outputs.insert(format!("tract/{name}"), found);
        self.outputs.insert(name, expected.clone());
        Ok(())
    }

    /// What the graph reads: `[N, C, H, W]`.
    fn pixels(&self, image: [usize; 3], normalise: Normalise) -> Result<TensorData> {
        Ok(match normalise {
            Normalise::Inside => self.images.read(&image.map(|length| length.to_string()).join("x"))?,
            Normalise::Outside => self.normalised(image)?.into_data(),
        })
    }

    /// The images as networks see them, on autodiff.
    fn normalised(&self, image: [usize; 3]) -> Result<Tensor<4>> {
        let Metadata { mean, std, .. } = metadata("", image);
        let device = Device::flex().autodiff();
        let pixels = Tensor::<4>::from_data(self.pixels(image, Normalise::Inside)?, &device);
        let each = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, image[0], 1, 1]);
        Ok((pixels - each(mean)) / each(std))
    }
}

/// The encoder with scales and shifts that are not 1 and 0, and the statistics of images. The last scale of a bottleneck is small, as
/// training makes it: with large ones a ResNet-50 of random weights multiplies every rounding, in PyTorch too, to some 3e-5.
fn used<E: Encoder>(encoder: E, images: Tensor<4>) -> Result<E> {
    let mut state = state_dict(&encoder);
    let mut number = 0.0_f32;
    for (name, data) in &mut state {
        let (low, range) = match name {
            name if name.ends_with("bn3.weight") => (0.1, 0.2),
            name if name.ends_with("weight") => (0.75, 0.5),
            _ => (-0.25, 0.5),
        };
        if data.shape().num_dims() == 1 && (name.ends_with("weight") || name.ends_with("bias")) {
            let values = (0..data.num_elements()).map(|_| {
                number = (number + 0.618_034).fract();
                low + range * number
            });
            *data = TensorData::new(values.collect::<Vec<f32>>(), data.shape().clone());
        }
    }
    let encoder = load_state_dict(encoder, &state)?;
    for _ in 0..PASSES {
        drop(encoder.features(images.clone()));
    }
    Ok(encoder)
}

fn metadata(name: &str, image: [usize; 3]) -> Metadata {
    let (mean, std) = match image[0] {
        1 => (vec![0.2860], vec![0.3530]),
        _ => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
    };
    Metadata { network: Some(name.to_owned()), image: Some(image), mean, std, ..Metadata::default() }
}

/// What tract computes from the file.
fn in_tract(path: &Path, input: &TensorData) -> Result<TensorData> {
    let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?.into_runnable()?;
    let images =
        tract::Tensor::from_shape(input.shape(), input.as_slice::<f32>().map_err(|error| format!("{error:?}"))?)?;
    let outputs = model.run(tvec!(images.into()))?;
    let output = outputs[0].to_plain_array_view::<f32>()?;
    Ok(TensorData::new(output.iter().copied().collect::<Vec<f32>>(), output.shape().to_vec()))
}
