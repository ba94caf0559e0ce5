use crate::network::Arch;

/// A setting that cannot be, or does not fit the others or the data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A number out of its range.
    #[error("{flag} is {value}: it must be {range}")]
    OutOfRange {
        /// The flag.
        flag: &'static str,
        /// The number.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// Fewer images than a batch has.
    #[error("--batch is {batch}, but there are {images} training images: it must be at most that")]
    FewImages {
        /// Images in a batch.
        batch: usize,
        /// Training images.
        images: usize,
    },
    /// A batch that splits do not divide.
    #[error("--batch is {batch}: it must be a multiple of --splits, {splits}")]
    Splits {
        /// Images in a batch.
        batch: usize,
        /// Groups with batch statistics of their own.
        splits: usize,
    },
    /// Splits for an encoder that has none.
    #[error(
        "--splits is {splits}: {arch:?} has no split batch normalisation, so it must be 1 (small and resnets have)"
    )]
    Unsplit {
        /// Groups asked for.
        splits: usize,
        /// The encoder.
        arch: Arch,
    },
    /// A queue that a step's keys would wrap around.
    #[error("--queue is {queue}: it must hold the {keys} keys of one step")]
    SmallQueue {
        /// Keys in the queue.
        queue: usize,
        /// Keys of a step.
        keys: usize,
    },
    /// More keys than other images: most images would meet a negative of their own.
    #[error(
        "--queue is {queue}: of {images} training images in batches of {batch} it must hold at most {allowed} keys; with \
         more, about half of the images or more have an earlier key of their own among their negatives (with fewer keys \
         some have, as each epoch has an order of its own)"
    )]
    LargeQueue {
        /// Keys in the queue.
        queue: usize,
        /// Training images.
        images: usize,
        /// Images in a batch.
        batch: usize,
        /// The most keys.
        allowed: usize,
    },
    /// A symmetric loss for another method than MoCo.
    #[error("--symmetric is for --method moco: {method} {}", directions(*method))]
    Symmetric {
        /// The method.
        method: super::Method,
    },
    /// More negatives than a memory bank has slots of images that are not in the batch.
    #[error(
        "--queue is {negatives}: a memory bank of {images} training images in batches of {batch} has {allowed} slots to \
         draw negatives from, those of images outside the batch"
    )]
    ManyNegatives {
        /// Negatives drawn at each step.
        negatives: usize,
        /// Training images.
        images: usize,
        /// Images in a batch.
        batch: usize,
        /// The most negatives.
        allowed: usize,
    },
    /// A flag that the method does not use.
    #[error("{flag} means nothing to --method {method}: {why}")]
    Meaningless {
        /// The flag.
        flag: &'static str,
        /// The method.
        method: super::Method,
        /// What the method has instead.
        why: &'static str,
    },
    /// Too few labelled images to tell what was learned.
    #[error("{images} training images have labels: kNN with k = {k} needs at least {needed} to score by")]
    FewLabels {
        /// Labelled training images.
        images: usize,
        /// Neighbours that vote.
        k: usize,
        /// The fewest.
        needed: usize,
    },
    /// A recipe without its images.
    #[error("--recipe {name} needs --data: the folder with its images")]
    NoData {
        /// The preset.
        name: String,
    },
}

fn directions(method: super::Method) -> &'static str {
    match method.is_symmetric() {
        true => "always has both directions",
        false => "has no second direction",
    }
}

impl RecipeError {
    /// `Ok` where a number is in its range.
    pub(super) fn unless(holds: bool, flag: &'static str, value: f64, range: &'static str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::OutOfRange { flag, value, range }) }
    }
}
