//! What moves an average: the kernel of a backend where there is one, otherwise plain operations.

#[cfg(feature = "flex")]
mod flex;
pub(crate) mod plain;

#[cfg(feature = "flex")]
pub(crate) use flex::Moves;
#[cfg(not(feature = "flex"))]
pub(crate) use none::Moves;

/// In a program without the CPU backend all is plain.
#[cfg(not(feature = "flex"))]
mod none {
    use burn::tensor::Tensor;

    use super::plain;

    #[derive(Default)]
    pub(crate) struct Moves;

    impl Moves {
        pub(crate) fn is_empty(&self) -> bool {
            true
        }

        pub(crate) fn skip(&mut self) {}

        pub(crate) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
            plain::average(average, student, decay)
        }

        pub(crate) fn run(&mut self, _decay: f64) {}

        pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
            None
        }
    }
}
