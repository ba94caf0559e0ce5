//! What is exported, and in which form.

/// What the graph returns for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// A feature vector.
    Features,
    /// What a contrastive loss compares, not normalised.
    Embeddings,
    /// Unnormalised log-probabilities of the classes.
    Logits,
    /// Probabilities of the classes. The network returns logits; the graph ends with their softmax.
    Probabilities,
}

impl Output {
    /// The name of the graph's output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Embeddings => "embeddings",
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
        }
    }
}

/// Where pixel values in \[0, 1\] become what the network was trained on, `(x − mean)/std` for each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalise {
    /// In the graph, with the mean and the deviation that the metadata state: its input is pixel values in \[0, 1\].
    Inside,
    /// By whoever runs the graph, whose input is normalised already.
    Outside,
}

impl Normalise {
    /// What the graph reads, in the words of its metadata.
    pub(super) fn input(self) -> &'static str {
        match self {
            Self::Inside => "pixels in [0, 1]",
            Self::Outside => "normalised",
        }
    }
}

/// The form of an exported graph. By default the normalisation is inside and batch normalisation is not folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Where images are normalised.
    pub normalise: Normalise,
    /// Whether the batch normalisation after a convolution becomes part of its weights and bias.
    ///
    /// It is faster and changes the results by rounding, some 1e-6 of the largest. Where no convolution comes right before it, as
    /// at the start of a block of `WideResNet`, batch normalisation stays.
    pub fold_batch_norm: bool,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self { normalise: Normalise::Inside, fold_batch_norm: false }
    }
}
