use std::path::PathBuf;

use slowburn_models::ModelError;
use slowburn_models::weights::WeightsError;
use slowburn_train::run::RunError;

use crate::network::Arch;

/// Why a checkpoint cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Neither a run nor a file.
    #[error("{path} does not exist: name a run folder or a weights file")]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// A run without the network that was asked for.
    #[error("{path} is not there: the run has not ended, or its method has no such network")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A bare file does not say which network it is.
    #[error("{path} does not say which network it is: name it by --arch{fitting}")]
    NoArch {
        /// The file.
        path: PathBuf,
        /// In brackets, those that its tensors fit.
        fitting: String,
    },
    /// The file's metadata are not as this program writes them.
    #[error("{path}: what it says of its network cannot be read: {source}")]
    Facts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A branch of a run folder.
    #[error("--branch names one of several networks in a file, but {path} is a run folder")]
    BranchOfRun {
        /// The run.
        path: PathBuf,
    },
    /// The file's head tells other classes apart.
    #[error(
        "the head in {path} tells {theirs} apart, these images have {ours}: put a head of random weights in its place by \
         --fresh-head"
    )]
    OtherHead {
        /// The file.
        path: PathBuf,
        /// Its classes.
        theirs: String,
        /// Those of the images.
        ours: String,
    },
    /// A bare file does not say how its colour images were normalised.
    #[error(
        "{path} does not say how its images were normalised: name their recipe by --views (imagenet_evaluation, \
         moco_cifar, mean_teacher_cifar, …; `slowburn views --list` shows all)"
    )]
    NoViews {
        /// The file.
        path: PathBuf,
    },
    /// Whitened images have gone through more than views.
    #[error("--views cannot be given for {path}: its images were whitened before its own views, `{own}`")]
    WhitenedViews {
        /// The run.
        path: PathBuf,
        /// The run's views.
        own: String,
    },
    /// Whitening is fitted on the training images of a run, which are not at hand.
    #[error(
        "the images of {path} were whitened by what was fitted on its training images: those at {data} are not the \
         ones that it began with"
    )]
    OtherImages {
        /// The run.
        path: PathBuf,
        /// Where the images are.
        data: PathBuf,
    },
    /// No such views, or none of these images.
    #[error(transparent)]
    Views(#[from] slowburn_augment::AugmentError),
    /// The weights are not those that a run began with.
    #[error("{path} has changed since the run began: its SHA-256 is {found}, it was {expected}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest of the file.
        found: String,
        /// The run's.
        expected: String,
    },
    /// Another network than the run's was named.
    #[error("--arch is {asked:?}, but {path} says that it is {found:?}")]
    OtherArch {
        /// The file.
        path: PathBuf,
        /// The flag.
        asked: Arch,
        /// The run's.
        found: Arch,
    },
    /// An embedding was asked for and there is no head.
    #[error("{path} has no projection head: score its features, without --embedding")]
    NoHead {
        /// The file.
        path: PathBuf,
    },
    /// Classes were asked for and there is no classifier.
    #[error(
        "{path} has no classifier: it was trained without labels. Train one from it: `slowburn train --from` it with --labels"
    )]
    NoClassifier {
        /// The file.
        path: PathBuf,
    },
    /// A bare file does not say which images to take.
    #[error("{path} does not say which images to take: name them by --data")]
    NoData {
        /// The file.
        path: PathBuf,
    },
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A network of that kind cannot be.
    #[error(transparent)]
    Model(#[from] ModelError),
}
