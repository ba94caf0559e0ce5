//! Work on rayon's threads.

/// Does `work` on a thread of the pool. Each parallel loop that begins outside hands itself over to the pool and waits,
/// which takes ten times as long as to begin inside; so a kernel, or several, goes there once.
pub(crate) fn together<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match rayon::current_thread_index() {
        Some(_) => work(),
        None => rayon::scope(|_| work()),
    }
}
