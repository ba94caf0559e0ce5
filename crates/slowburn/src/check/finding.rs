use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Training stops at it, or its scores are wrong.
    Problem,
    /// Probably not meant.
    Warning,
    /// Good to know.
    Note,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A file that a finding is about, or several that belong together: copies of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Names below the folder.
    pub files: Vec<String>,
    /// What is said of them beside the finding: why a file cannot be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Subject {
    pub(super) fn file(name: impl Into<String>) -> Self {
        Self { files: vec![name.into()], detail: None }
    }

    pub(super) fn with(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { files: vec![name.into()], detail: Some(detail.into()) }
    }
}

/// Something found in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is, as one word for scripts: `broken`, `test-in-train`.
    pub kind: &'static str,
    /// What it is, as a sentence.
    pub message: String,
    /// The files.
    pub subjects: Vec<Subject>,
}

/// A number and a noun: `1 image`, `2 images`.
pub(super) fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('s')) {
        (1, _) => format!("1 {noun}"),
        // class, classes
        (_, Some(_)) => format!("{number} {noun}es"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// `is` or `are`, `has` or `have`: the second where the number is not 1.
pub(super) fn verb<'a>(number: usize, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}
