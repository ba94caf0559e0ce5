use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A network's output for a batch, before softmax.
#[derive(Debug, Clone)]
pub struct Logits {
    /// The classification head, `[batch, classes]`.
    pub class: Tensor<2>,
    /// A second head that follows the teacher, `[batch, classes]`; without one the first head does.
    pub consistency: Option<Tensor<2>>,
}

impl From<Tensor<2>> for Logits {
    fn from(class: Tensor<2>) -> Self {
        Self { class, consistency: None }
    }
}

/// The one thing a network must do to be trained here: predict logits.
///
/// Implement it for your own `Module`; `Input` is whatever your network reads, a batch of images or of anything else.
pub trait Predict: Module + ModuleDisplay {
    /// A batch.
    type Input: Clone + Send + 'static;

    /// Logits for each sample of the batch.
    fn predict(&self, input: Self::Input) -> Logits;
}

/// One batch of a semi-supervised method: two views of the same samples, labels for some.
#[derive(Debug, Clone)]
pub struct SemiBatch<I> {
    /// The view that the student sees. FixMatch: weak of labelled samples, strong of the others.
    pub student: I,
    /// Another view of the same samples, for the teacher. FixMatch: weak; it and ICT also take views of the
    /// unlabelled samples alone, in their order.
    pub teacher: I,
    /// The label of each sample that has one.
    pub labels: Vec<Option<usize>>,
    /// Which samples of the data set these are, below the number given to temporal ensembling and to FixMatch and its kin.
    pub samples: Vec<usize>,
}
