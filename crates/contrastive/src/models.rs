//! The networks of `slowburn-models` as encoders of the methods.

use burn::tensor::Tensor;
use slowburn_models::{Encoder, MlpHead, Projector};

use crate::{Encode, Predictor};

impl<E: Encoder> Encode for Projector<E> {
    type Input = Tensor<4>;

    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encoder.features(images)
    }

    fn splits(&self) -> usize {
        self.encoder.splits()
    }
}

impl Predictor for MlpHead {
    fn predict(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.forward(embeddings)
    }

    fn dims(&self) -> [usize; 2] {
        [self.feature_dim(), self.dim()]
    }
}
