//! The methods, and what each asks for that another does not.

use serde::{Deserialize, Serialize};
use slowburn_models::MlpHeadConfig;

use super::{Recipe, RecipeError, fashion};

/// Where keys or targets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A queue of keys from an average of the encoder.
    Moco,
    /// The other images of the batch, by an average of the encoder; with a predictor.
    #[value(name = "moco-v3")]
    #[serde(rename = "moco-v3")]
    MocoV3,
    /// No negatives: an average of the encoder gives the targets of a predictor.
    Byol,
    /// No negatives and no average: the encoder gives the targets of a predictor.
    #[value(name = "simsiam")]
    #[serde(rename = "simsiam")]
    SimSiam,
    /// The other images of the batch (SimCLR's form).
    EndToEnd,
    /// One remembered embedding for each image.
    MemoryBank,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Moco => "moco",
            Self::MocoV3 => "moco-v3",
            Self::Byol => "byol",
            Self::SimSiam => "simsiam",
            Self::EndToEnd => "end-to-end",
            Self::MemoryBank => "memory-bank",
        })
    }
}

/// Projector and predictor of a method that has both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heads {
    /// Behind the encoder.
    pub projector: MlpHeadConfig,
    /// Behind the projector.
    pub predictor: MlpHeadConfig,
}

impl Heads {
    /// Both, for embeddings of this length.
    pub(super) fn set_dim(&mut self, dim: usize) {
        self.projector.dim = dim;
        self.predictor.dim = dim;
    }
}

/// The hidden width of the heads, and the length of embeddings, where nobody says another: an eighth and a half of BYOL's on
/// ImageNet, as for other small images (lightly's CIFAR-10 benchmark has 1,024 and 256).
const HIDDEN: usize = 512;
const DIM: usize = 128;

/// The method where nobody says another: the best on the shipped images (docs/trials.md).
pub const DEFAULT: Method = Method::EndToEnd;

/// Where the settings of a pre-training with this method start, where no published recipe is asked for.
pub fn default_recipe(method: Method) -> Recipe {
    let mut recipe = fashion();
    change_method(&mut recipe, method);
    recipe
}

impl Method {
    /// Heads of the paper's form with this hidden width; none for methods without a predictor.
    ///
    /// SimSiam's projector has two layers, as the paper's on CIFAR-10, and its predictor a bottleneck of a quarter.
    pub(super) fn heads(self, hidden: usize, dim: usize) -> Option<Heads> {
        let (projector, predictor) = match self {
            Self::Byol => (MlpHeadConfig::byol(), MlpHeadConfig::byol()),
            Self::MocoV3 => (MlpHeadConfig::moco_v3_projector(), MlpHeadConfig::moco_v3_predictor()),
            Self::SimSiam => (MlpHeadConfig::simsiam_projector_cifar(), MlpHeadConfig::simsiam_predictor()),
            Self::Moco | Self::EndToEnd | Self::MemoryBank => return None,
        };
        let bottleneck = if self == Self::SimSiam { hidden.div_ceil(4) } else { hidden };
        Some(Heads {
            projector: projector.with_hidden(vec![hidden]).with_dim(dim),
            predictor: predictor.with_hidden(vec![bottleneck]).with_dim(dim),
        })
    }

    /// Whether every step takes each view as query and as target.
    pub(super) fn is_symmetric(self) -> bool {
        matches!(self, Self::MocoV3 | Self::Byol | Self::SimSiam | Self::EndToEnd)
    }

    /// Whether its loss tells the own key from others.
    pub(super) fn has_negatives(self) -> bool {
        !matches!(self, Self::Byol | Self::SimSiam)
    }

    /// Checks that a flag says something to the method. For flags that were given: a preset's recipe may well hold what
    /// its method does not read.
    ///
    /// # Errors
    /// [`RecipeError::Meaningless`], with the reason.
    pub(super) fn check_flag(self, flag: &'static str) -> Result<(), RecipeError> {
        let why = match (self, flag) {
            (Self::EndToEnd | Self::MocoV3, "--queue") => "its negatives are the batch's other images; change --batch",
            (Self::Byol | Self::SimSiam, "--queue" | "--temperature") => "it has no negatives",
            (Self::EndToEnd | Self::SimSiam, "--decay") => {
                "nothing is averaged, one encoder makes both sides of the loss"
            }
            (Self::MemoryBank, "--no-shuffle") => "its keys come from earlier batches, and are never shuffled",
            (Self::MocoV3 | Self::Byol | Self::SimSiam, "--no-shuffle") => "it never shuffles",
            (Self::MocoV3 | Self::Byol | Self::SimSiam, "--version") => {
                "its heads are of its own paper; change --hidden"
            }
            (Self::Moco | Self::EndToEnd | Self::MemoryBank, "--hidden") => {
                "its head has the width of the features; --version chooses between one layer and two"
            }
            (
                Self::MocoV3 | Self::Byol | Self::SimSiam | Self::EndToEnd | Self::MemoryBank,
                "--mask" | "--mask-patch",
            ) => "masked views are for queries whose keys are whole, as --method moco has them",
            _ => return Ok(()),
        };
        Err(RecipeError::Meaningless { flag, method: self, why })
    }
}

/// Takes another method, with the heads and averages of its paper. Nothing changes for the method that a recipe has.
pub fn change_method(recipe: &mut Recipe, method: Method) {
    if recipe.method == method {
        return;
    }
    let before = recipe.method;
    recipe.method = method;
    let default = fashion();
    if before == Method::MemoryBank {
        recipe.decay = default.decay;
    }
    if before.heads(HIDDEN, DIM).is_some() {
        (recipe.network.dim, recipe.network.splits) = (default.network.dim, default.network.splits);
        recipe.network.fit_splits();
    }
    match method {
        // The paper's decay of slots (arXiv 1805.01978): one of weights would be far too slow.
        Method::MemoryBank => recipe.decay = 0.5,
        Method::MocoV3 | Method::Byol | Method::SimSiam => {
            let dim = if method == Method::SimSiam { HIDDEN } else { DIM };
            recipe.network.dim = dim;
            // Their statistics are those of the whole batch.
            recipe.network.splits = 1;
        }
        Method::Moco | Method::EndToEnd => {}
    }
    recipe.network.heads = method.heads(HIDDEN, recipe.network.dim);
}

#[cfg(test)]
mod tests {
    use slowburn_models::OutputNorm;

    use super::*;

    const ALL: [Method; 6] =
        [Method::Moco, Method::MocoV3, Method::Byol, Method::SimSiam, Method::EndToEnd, Method::MemoryBank];

    #[test]
    fn every_method_has_a_valid_default() {
        for method in ALL {
            let mut recipe = fashion();
            change_method(&mut recipe, method);
            recipe.validate().unwrap_or_else(|error| panic!("{method}: {error}"));
            assert_eq!(recipe.network.heads.is_some(), recipe.network.splits == 1, "{method}");
            let text = serde_json::to_string(&recipe).expect("serialises");
            assert_eq!(serde_json::from_str::<Recipe>(&text).expect("and comes back"), recipe, "{method}");
        }
    }

    #[test]
    fn a_settings_file_without_a_predictor_is_refused() {
        for method in ALL {
            let mut recipe = default_recipe(method);
            let other = if recipe.network.heads.is_some() { Method::Moco } else { Method::Byol };
            recipe.network.heads = default_recipe(other).network.heads;
            let error = recipe.validate().expect_err("heads of another method").to_string();
            assert!(error.contains("network.heads") && error.contains(&method.to_string()), "{error}");
        }
    }

    #[test]
    fn no_method_leaves_its_numbers_to_another() {
        for before in ALL {
            for method in ALL {
                let mut recipe = default_recipe(before);
                change_method(&mut recipe, method);
                assert_eq!(recipe, default_recipe(method), "{before}, then {method}");
            }
        }
    }

    #[test]
    fn heads_have_the_form_of_their_papers() {
        let heads = |method: Method| method.heads(64, 16).expect("a predictor");
        let byol = heads(Method::Byol);
        assert_eq!(byol.projector, byol.predictor);
        assert!(byol.projector.hidden_bias && byol.projector.output_norm == OutputNorm::None);
        let siamese = heads(Method::SimSiam);
        assert_eq!((&siamese.projector.hidden[..], &siamese.predictor.hidden[..]), (&[64][..], &[16][..]));
        assert!(siamese.projector.output_norm == OutputNorm::Plain && siamese.predictor.output_bias);
        let third = heads(Method::MocoV3);
        assert_eq!((third.projector.output_norm, third.predictor.output_norm), (OutputNorm::Plain, OutputNorm::None));
        assert!(Method::Moco.heads(64, 16).is_none());
    }
}
