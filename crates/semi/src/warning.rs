/// What a method has noticed while it trained and was probably not meant. The text is for people.
///
/// Returned by [`SemiSupervised::diagnose`](crate::SemiSupervised::diagnose).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SemiWarning {
    /// No unlabelled sample was kept lately.
    #[error(
        "no unlabelled sample passes its threshold: training goes by the labels alone; lower the threshold, or \
         train longer before you judge"
    )]
    NothingKept,
    /// Some classes give no target.
    #[error("{}", not_kept(&numbers(classes)))]
    NotKept {
        /// The classes, in order.
        classes: Vec<usize>,
    },
}

impl SemiWarning {
    /// The same, with classes called by these names.
    pub fn named(&self, classes: &[String]) -> String {
        match self {
            Self::NothingKept => self.to_string(),
            Self::NotKept { classes: left } => {
                let name = |class: &usize| classes.get(*class).cloned().unwrap_or_else(|| class.to_string());
                not_kept(&left.iter().map(name).collect::<Vec<_>>())
            }
        }
    }
}

fn not_kept(classes: &[String]) -> String {
    let them = if classes.len() == 1 { "it" } else { "them" };
    let classes = classes.join(", ");
    format!(
        "no unlabelled sample is kept as class {classes}: the student learns {them} from the labels \
         alone, and forgets what is never asked for"
    )
}

fn numbers(classes: &[usize]) -> Vec<String> {
    classes.iter().map(usize::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_called_by_their_names_where_they_are_known() {
        let warning = SemiWarning::NotKept { classes: vec![1, 7] };
        assert!(warning.to_string().contains("as class 1, 7: the student learns them"));
        let names = ["bag", "coat"].map(str::to_owned);
        assert!(warning.named(&names).contains("as class coat, 7: "));
        let one = SemiWarning::NotKept { classes: vec![0] };
        assert!(one.named(&names).contains("as class bag: the student learns it"));
        assert_eq!(SemiWarning::NothingKept.named(&names), SemiWarning::NothingKept.to_string());
    }
}
