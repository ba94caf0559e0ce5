//! The classifiers of `slowburn-models` as students and teachers.

use burn::tensor::Tensor;
use slowburn_models::{Classifier, Encoder};

use crate::{Logits, Predict};

impl<E: Encoder> Predict for Classifier<E> {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Logits {
        let (class, consistency) = self.forward_heads(images);
        Logits { class, consistency }
    }
}
