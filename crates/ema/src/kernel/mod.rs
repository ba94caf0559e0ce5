//! What moves an average: the kernel of a backend where there is one, otherwise plain operations.

#[cfg(feature = "flex")]
mod flex;
pub(crate) mod plain;

#[cfg(feature = "flex")]
pub(crate) use flex::{Moves, among_workers};
#[cfg(not(feature = "flex"))]
pub(crate) use none::{Moves, among_workers};

/// In a program without the CPU backend all is plain.
#[cfg(not(feature = "flex"))]
mod none {
    use burn::tensor::Tensor;

    use super::plain;

    pub(crate) fn among_workers<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    pub(crate) struct Moves {
        decay: f64,
    }

    impl Moves {
        pub(crate) fn new(decay: f64) -> Self {
            Self { decay }
        }

        pub(crate) fn is_empty(&self) -> bool {
            true
        }

        pub(crate) fn skip(&mut self) {}

        pub(crate) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>) -> Tensor<D> {
            plain::average(average, student, self.decay)
        }

        pub(crate) fn finish(&mut self) {}

        pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
            None
        }
    }
}
