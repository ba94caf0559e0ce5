use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which labels are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// So many in all, the same number from each class, chosen by seed.
    Count(usize),
    /// Every label there is.
    All,
    /// Those that a file lists, one `image label` a line.
    File(PathBuf),
}

impl FromStr for Labels {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match (text, text.parse()) {
            ("all", _) => Self::All,
            (_, Ok(count)) => Self::Count(count),
            (path, Err(_)) => Self::File(PathBuf::from(path)),
        })
    }
}

impl std::fmt::Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::All => write!(f, "all"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
