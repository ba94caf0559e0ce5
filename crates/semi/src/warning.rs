/// What a method has noticed while it trained and was probably not meant. The text is for people.
///
/// Returned by [`SemiSupervised::diagnose`](crate::SemiSupervised::diagnose).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SemiWarning {
    /// No unlabelled sample was kept so far.
    #[error(
        "no unlabelled sample has passed its threshold so far: training goes by the labels alone; lower the threshold, or \
         train longer before you judge"
    )]
    NothingKept,
    /// Some classes give no target.
    #[error(
        "no unlabelled sample has passed its threshold as class {} so far: the student learns {} from the labels \
         alone, and forgets what is never asked for", names(classes), if classes.len() == 1 { "it" } else { "them" }
    )]
    NeverKept {
        /// The classes, in order.
        classes: Vec<usize>,
    },
}

fn names(classes: &[usize]) -> String {
    classes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
