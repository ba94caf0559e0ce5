//! Which tensors of a file belong to one network, and what they are called there.

use std::collections::BTreeSet;
use std::fmt;

use super::WeightsFile;

/// What stands before a network's names in the files of programs.
enum Prefix {
    /// A dictionary's key or a wrapper: it says nothing of the network.
    Plain,
    /// The network that the optimizer trained, which programs evaluate.
    Trained,
    /// Its average.
    Average,
}

/// Every prefix that is known, between dots.
const PREFIXES: [(&str, Prefix); 24] = [
    // Keys of dictionaries.
    ("state_dict", Prefix::Plain),
    ("model_state_dict", Prefix::Plain),
    ("model", Prefix::Plain),
    ("net", Prefix::Plain),
    ("network", Prefix::Plain),
    ("weights", Prefix::Plain),
    // timm, and others that keep an average beside.
    ("state_dict_ema", Prefix::Average),
    ("model_ema", Prefix::Average),
    ("ema_state_dict", Prefix::Average),
    ("ema_model", Prefix::Average),
    ("ema", Prefix::Average),
    // `DataParallel` and `torch.compile`.
    ("module", Prefix::Plain),
    ("_orig_mod", Prefix::Plain),
    // MoCo v1 and v2, MoCo v3.
    ("encoder_q", Prefix::Trained),
    ("encoder_k", Prefix::Average),
    ("base_encoder", Prefix::Trained),
    ("momentum_encoder", Prefix::Average),
    // solo-learn, lightly.
    ("backbone", Prefix::Trained),
    ("momentum_backbone", Prefix::Average),
    ("backbone_momentum", Prefix::Average),
    ("encoder", Prefix::Trained),
    // Mean Teacher, BYOL.
    ("student", Prefix::Trained),
    ("teacher", Prefix::Average),
    ("online_encoder", Prefix::Trained),
];

/// How a branch calls the parts of a residual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// As torchvision: `conv1`, `bn1`, `layer1`.
    Own,
    /// The numbers of `Sequential(*resnet.children())`, torchvision's network.
    Children,
    /// The same of lightly's network, which has no modules for rectifier and pooling, and calls `downsample` `shortcut`.
    LightlyChildren,
}

impl Naming {
    pub(super) const ALL: [Self; 3] = [Self::Own, Self::Children, Self::LightlyChildren];

    /// What a network's tensor is called; nothing for one that has no number.
    fn name(self, name: &str) -> Option<String> {
        let blocks = match self {
            Self::Own => return Some(name.to_owned()),
            Self::Children => 4,
            Self::LightlyChildren => 2,
        };
        let (first, rest) = name.split_once('.')?;
        let number = match first {
            "conv1" => 0,
            "bn1" => 1,
            _ => blocks + first.strip_prefix("layer")?.parse::<usize>().ok()?.checked_sub(1)?,
        };
        let rest = match self {
            Self::LightlyChildren => rest.replace("downsample", "shortcut"),
            Self::Own | Self::Children => rest.to_owned(),
        };
        Some(format!("{number}.{rest}"))
    }
}

/// A network in a file: what stands before its names there, and how they are spelt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// With the dot behind it; empty where names have no prefix.
    pub(super) prefix: String,
    pub(super) naming: Naming,
}

impl Branch {
    /// What a network's tensor is called in the file; nothing where the file's spelling has no word for it.
    pub fn name(&self, name: &str) -> Option<String> {
        Some(format!("{}{}", self.prefix, self.naming.name(name)?))
    }

    /// What stands before the names, without the dot behind it; empty where names have no prefix.
    pub fn prefix(&self) -> &str {
        self.prefix.trim_end_matches('.')
    }

    /// Whether the prefix says that this is an average of another network.
    pub fn is_average(&self) -> bool {
        self.has(|prefix| matches!(prefix, Prefix::Average))
    }

    /// Whether the prefix says that the optimizer trained it.
    pub(super) fn is_trained(&self) -> bool {
        !self.is_average() && self.has(|prefix| matches!(prefix, Prefix::Trained))
    }

    /// What is different in the program that it comes from, and no name or shape shows.
    pub(super) fn caution(&self) -> Option<&'static str> {
        let caution = "lightly trains `Sequential(*children)` of its own network without the rectifier behind bn1: these features \
                       are others";
        (self.naming == Naming::LightlyChildren).then_some(caution)
    }

    fn has(&self, kind: impl Fn(&Prefix) -> bool) -> bool {
        self.prefix.split('.').any(|part| known(part).is_some_and(&kind))
    }

    /// Whether a user who writes `asked` means this one: the whole prefix, or its end.
    fn is_called(&self, asked: &str) -> bool {
        let (prefix, asked) = (self.prefix(), asked.trim_end_matches('.'));
        prefix == asked || prefix.ends_with(&format!(".{asked}"))
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix() {
            "" => f.write_str("names without a prefix")?,
            prefix => write!(f, "branch `{prefix}`")?,
        }
        match self.naming {
            Naming::Own => Ok(()),
            Naming::Children => f.write_str(", children of torchvision's network by number"),
            Naming::LightlyChildren => f.write_str(", children of lightly's network by number"),
        }
    }
}

fn known(part: &str) -> Option<&'static Prefix> {
    PREFIXES.iter().find(|(name, _)| *name == part).map(|(_, prefix)| prefix)
}

/// The prefixes that are known in a file, the shortest first; without any, the empty one.
pub(super) fn prefixes(file: &WeightsFile) -> BTreeSet<String> {
    let mut found = BTreeSet::from([String::new()]);
    for name in file.tensors().keys() {
        let mut end = 0;
        while let Some((part, _)) = name[end..].split_once('.').filter(|(part, _)| known(part).is_some()) {
            end += part.len() + 1;
            found.insert(name[..end].to_owned());
        }
    }
    found
}

/// The branches that `asked` can mean; where no known prefix is called so, the names that begin with it.
pub(super) fn asked_for(file: &WeightsFile, asked: &str) -> BTreeSet<String> {
    let called = |prefix: &String| {
        let branch = Branch { prefix: prefix.clone(), naming: Naming::Own };
        !prefix.is_empty() && branch.is_called(asked)
    };
    let found: BTreeSet<String> = prefixes(file).into_iter().filter(called).collect();
    if !found.is_empty() {
        return found;
    }
    let prefix = format!("{}.", asked.trim_end_matches('.'));
    let there = file.tensors().keys().any(|name| name.starts_with(&prefix));
    there.then_some(prefix).into_iter().collect()
}
