use burn::module::{Module, ModuleDisplay, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::{ContrastiveError, Encode};

/// A predictor: maps the embedding of one view to that of another, in BYOL, SimSiam and MoCo v3.
///
/// With the feature `models`, an `MlpHead` of `slowburn-models` is one.
pub trait Predictor: Module + ModuleDisplay {
    /// Predictions `[batch, dim]` of embeddings `[batch, dim]`.
    fn predict(&self, embeddings: Tensor<2>) -> Tensor<2>;

    /// The lengths of an embedding and of a prediction, which must be equal.
    fn dims(&self) -> [usize; 2];
}

/// What the optimizer trains in a method with a predictor: the encoder with its projector, and the predictor.
///
/// What is scored and exported is the encoder alone. Paths of parameters begin with `encoder.` and `predictor.`.
#[derive(Module, Debug)]
pub struct Online<E: Module, P: Module> {
    /// The encoder, with its projector.
    pub encoder: E,
    /// The predictor.
    pub predictor: P,
}

impl<E: Encode, P: Predictor> Online<E, P> {
    /// Both, if the predictor maps embeddings of length `dim` to such.
    pub(crate) fn new(encoder: E, predictor: P, dim: usize) -> Result<Self, ContrastiveError> {
        match predictor.dims() == [dim, dim] {
            true => Ok(Self { encoder, predictor }),
            false => Err(ContrastiveError::Predictor { found: predictor.dims(), expected: dim }),
        }
    }

    /// The embeddings of a view, `[batch, dim]`.
    pub(crate) fn embed(&self, view: E::Input, dim: usize) -> Result<Tensor<2>, ContrastiveError> {
        let embeddings = self.encoder.embed(view);
        ContrastiveError::dims(embeddings.dims()[1], dim)?;
        Ok(embeddings)
    }

    /// The predictions of a view, `[batch, dim]`, neither they nor the embeddings of unit length.
    pub(crate) fn predict(&self, view: E::Input, dim: usize) -> Result<Tensor<2>, ContrastiveError> {
        Ok(self.predictor.predict(self.embed(view, dim)?))
    }
}

/// Fails where gradients were taken of the encoder alone.
///
/// # Panics
/// Then: the predictor would stay as it is, and nothing would tell.
#[track_caller]
pub(crate) fn require_gradients_of<P: Module>(predictor: &P, gradients: &GradientsParams) {
    struct Learned<'a> {
        gradients: &'a GradientsParams,
        learned: usize,
        found: usize,
    }
    impl ModuleVisitor for Learned<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.learned += 1;
                self.found += usize::from(self.gradients.get::<D>(param.id).is_some());
            }
        }
    }
    let mut visitor = Learned { gradients, learned: 0, found: 0 };
    predictor.visit(&mut visitor);
    assert!(
        visitor.learned == 0 || visitor.found > 0,
        "the predictor has no gradients: take them with `Contrastive::gradients`, or of `Contrastive::trained`, not of `query`"
    );
}
