//! How the tensors of a file fit a network, told by names and shapes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::branch::{Branch, Naming, asked_for, prefixes};
use super::{TensorInfo, WeightsError, WeightsFile};
use crate::ParameterInfo;

/// First parts of the names of heads: the layers behind the features, which another task replaces.
const HEADS: [&str; 9] = [
    "fc",
    "fc_consistency",
    "head",
    "classifier",
    "linear",
    "projector",
    "projection_head",
    "predictor",
    "prediction_head",
];

/// Whether a tensor of this name belongs to a head.
pub(super) fn is_head(name: &str) -> bool {
    HEADS.contains(&name.split('.').next().unwrap_or(name))
}

/// PyTorch counts batches in each normalisation; nothing here reads it.
fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// How weights differ from those that a network needs: names with types and shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// What the network needs and the file lacks.
    pub missing: Vec<String>,
    /// What the file has and the network does not know.
    pub unexpected: Vec<String>,
    /// What has another shape in the file, or holds no floats.
    pub reshaped: Vec<String>,
}

/// Differences of a kind that a message shows.
const SHOWN: usize = 6;

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.reshaped.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("missing", &self.missing), ("unexpected", &self.unexpected), ("another shape", &self.reshaped)];
        for (kind, names) in kinds {
            for name in names.iter().take(SHOWN) {
                write!(f, "\n  {kind}: {name}")?;
            }
            if names.len() > SHOWN {
                write!(f, "\n  {kind}: and {} more", names.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

/// How a file fits a network: which of its branches, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The branch.
    pub branch: Branch,
    /// The network's names, with those in the file.
    pub taken: BTreeMap<String, String>,
    /// What does not fit below the head.
    pub body: Differences,
    /// What does not fit of the head.
    pub head: Differences,
    /// Other branches that fit the network as well.
    pub others: Vec<Branch>,
    /// Tensors of the file outside the branch: other networks, queues, the state of optimizers.
    pub outside: usize,
}

impl Fit {
    /// Whether everything below the head is there, and nothing else.
    pub fn is_whole(&self) -> bool {
        self.body.is_empty() && !self.taken.is_empty()
    }

    fn of(file: &WeightsFile, branch: Branch, wanted: &[ParameterInfo]) -> Self {
        let (mut taken, mut body, mut head) = (BTreeMap::new(), Differences::default(), Differences::default());
        let mut expected = BTreeSet::new();
        for ParameterInfo { name, shape, .. } in wanted {
            let differences = if is_head(name) { &mut head } else { &mut body };
            let there = branch.name(name).filter(|there| file.tensors().contains_key(there));
            let Some(there) = there else {
                differences.missing.push(format!("`{name}` {shape:?}"));
                continue;
            };
            let info = &file.tensors()[&there];
            expected.insert(there.clone());
            match info.shape == *shape && info.float().is_some() {
                true => drop(taken.insert(name.clone(), there)),
                false => differences.reshaped.push(format!("`{name}` is {info}, wanted: floats of {shape:?}")),
            }
        }
        let inside = |name: &&String| name.starts_with(&branch.prefix);
        for (name, info) in file.tensors().iter().filter(|(name, _)| inside(name)) {
            let rest = &name[branch.prefix.len()..];
            if expected.contains(name) || is_counter(rest) {
                continue;
            }
            let differences = if is_head(rest) { &mut head } else { &mut body };
            differences.unexpected.push(format!("`{rest}` {info}"));
        }
        let outside = file.tensors().keys().filter(|name| !name.starts_with(&branch.prefix)).count();
        Self { branch, taken, body, head, others: Vec::new(), outside }
    }

    /// What is best: most tensors below the head, then least that is unknown, then the network that was trained.
    fn rank(&self) -> (usize, std::cmp::Reverse<usize>, bool, bool) {
        let body = self.taken.keys().filter(|name| !is_head(name)).count();
        let unknown = std::cmp::Reverse(self.body.unexpected.len());
        (body, unknown, !self.branch.is_average(), self.branch.is_trained())
    }
}

impl WeightsFile {
    /// Looks for a network's tensors: under `branch`, or under every prefix that is known. The shapes are compared; no values are
    /// read.
    ///
    /// Where several branches fit, the one that was trained is taken and not its average; [`Fit::others`] lists the rest.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Branch`] if there is no such branch or several, [`WeightsError::NotRecognised`] if not one tensor fits.
    pub fn fit(&self, wanted: &[ParameterInfo], branch: Option<&str>) -> Result<Fit, WeightsError> {
        let prefixes = match branch {
            None => prefixes(self),
            Some(asked) => self.asked(asked)?,
        };
        let branches = prefixes
            .iter()
            .flat_map(|prefix| Naming::ALL.into_iter().map(|naming| Branch { prefix: prefix.clone(), naming }));
        let mut fits: Vec<Fit> = branches.map(|branch| Fit::of(self, branch, wanted)).collect();
        // Stable: of equals, the shortest prefix and torchvision's names come first.
        fits.sort_by_key(|fit| std::cmp::Reverse(fit.rank()));
        let mut fits = fits.into_iter();
        let best = fits.next().filter(|best| best.taken.keys().any(|name| !is_head(name)));
        let Some(mut best) = best else {
            return Err(self.not_recognised(wanted));
        };
        let body = best.rank().0;
        best.others = fits.filter(|fit| fit.rank().0 == body).map(|fit| fit.branch).collect();
        Ok(best)
    }

    fn asked(&self, asked: &str) -> Result<BTreeSet<String>, WeightsError> {
        let found = asked_for(self, asked);
        let count = match found.len() {
            1 => return Ok(found),
            0 => "no",
            _ => "more than one",
        };
        let there = if found.is_empty() { prefixes(self) } else { found };
        let there: Vec<&str> =
            there.iter().map(|prefix| prefix.trim_end_matches('.')).filter(|p| !p.is_empty()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Err(WeightsError::Branch { path: self.path().to_owned(), count, asked: asked.to_owned(), there })
    }

    fn not_recognised(&self, wanted: &[ParameterInfo]) -> WeightsError {
        fn first(names: impl Iterator<Item = String>) -> String {
            names.take(4).collect::<Vec<_>>().join(", ")
        }
        let line = |name: &String, info: &TensorInfo| format!("{name} {:?}", info.shape);
        WeightsError::NotRecognised {
            path: self.path().to_owned(),
            found: first(self.tensors().iter().map(|(name, info)| line(name, info))),
            wanted: first(wanted.iter().map(|parameter| format!("{} {:?}", parameter.name, parameter.shape))),
        }
    }
}
