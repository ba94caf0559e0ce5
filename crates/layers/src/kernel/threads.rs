//! Work on rayon's threads.

/// Does `work` on a thread of the pool. Each parallel loop that is started outside the pool is handed over to it and waited for,
/// which takes ten times as long as starting inside. A kernel, or several, therefore goes there once.
pub(crate) fn together<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match rayon::current_thread_index() {
        Some(_) => work(),
        None => rayon::scope(|_| work()),
    }
}
