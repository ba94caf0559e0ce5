//! Networks with weights that all matter, and tract, which reads and runs what is exported.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use slowburn_models::onnx::Onnx;
use slowburn_models::weights::Metadata;
use slowburn_models::{StateDict, load_state_dict, parameters};
use tract_onnx::prelude::{self as tract, Framework, InferenceModelExt, IntoRunnable, tvec};

/// Numbers in [0, 1), the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }
}

/// The module with weights, biases and running statistics that differ from each other and from where they start.
pub(crate) fn varied<M: Module>(module: M) -> M {
    let mut numbers = Numbers(1);
    let mut state = StateDict::new();
    for parameter in parameters(&module) {
        let shape = parameter.shape;
        let fan_in: usize = shape[1..].iter().product();
        let range = match parameter.name.rsplit('.').next().unwrap() {
            "running_var" => (0.5, 2.0),
            "weight" if shape.len() == 1 => (0.5, 1.5),
            "g" => (0.5, 1.5),
            "weight" | "v" => (-(3.0 / fan_in as f32).sqrt(), (3.0 / fan_in as f32).sqrt()),
            _ => (-0.3, 0.3),
        };
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| numbers.between(range.0, range.1)).collect();
        state.insert(parameter.name, TensorData::new(values, shape));
    }
    load_state_dict(module, &state).unwrap()
}

/// What the metadata of networks here say.
pub(crate) fn metadata(image: [usize; 3]) -> Metadata {
    Metadata {
        network: Some("tested".to_owned()),
        image: Some(image),
        mean: [0.485, 0.456, 0.406][..image[0]].to_vec(),
        std: [0.229, 0.224, 0.225][..image[0]].to_vec(),
        classes: vec!["cat".to_owned(), "dog".to_owned(), "horse".to_owned()],
        ..Metadata::default()
    }
}

/// Pixel values in [0, 1].
pub(crate) fn pixels(batch: usize, [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let mut numbers = Numbers(7 + batch as u64);
    (0..batch * channels * height * width).map(|_| numbers.next()).collect()
}

/// `(x − mean)/std` for each channel.
pub(crate) fn normalised(pixels: &[f32], [_, height, width]: [usize; 3], metadata: &Metadata) -> Vec<f32> {
    let channel = |place: usize| place / (height * width) % metadata.mean.len();
    let one = |(place, value): (usize, &f32)| (value - metadata.mean[channel(place)]) / metadata.std[channel(place)];
    pixels.iter().enumerate().map(one).collect()
}

/// What tract computes with a batch whose size the file leaves open.
pub(crate) fn run(onnx: &Onnx, images: &[f32], [channels, height, width]: [usize; 3]) -> (Vec<usize>, Vec<f32>) {
    let batch = images.len() / (channels * height * width);
    let bytes = onnx.to_bytes().unwrap();
    let model = tract_onnx::onnx().model_for_read(&mut &bytes[..]).unwrap().into_optimized().unwrap();
    let images = tract::Tensor::from_shape(&[batch, channels, height, width], images).unwrap();
    let outputs = model.into_runnable().unwrap().run(tvec!(images.into())).unwrap();
    let output = outputs[0].to_plain_array_view::<f32>().unwrap();
    (output.shape().to_vec(), output.iter().copied().collect())
}

/// The values of a tensor.
pub(crate) fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The largest difference, as a part of the largest value.
pub(crate) fn error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0_f32, |largest, difference| {
        assert!(!difference.is_nan());
        largest.max(difference)
    });
    difference / largest
}
