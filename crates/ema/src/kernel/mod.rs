//! What moves an average: the kernel of a backend where there is one, otherwise plain operations.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod plain;

#[cfg(feature = "flex")]
pub(crate) use flex::{Moves, among_workers};
#[cfg(not(feature = "flex"))]
pub(crate) use none::{Moves, among_workers};

use burn::tensor::Tensor;

/// One tensor moved at once, wherever it is: `d·θ̄ + (1−d)·θ`.
fn average<const D: usize>(average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
    #[cfg(feature = "cube")]
    if cube::moves(&average, &student) {
        return cube::average(average, student, decay);
    }
    plain::average(average, student, decay)
}

/// In a program without the CPU backend nothing is put off.
#[cfg(not(feature = "flex"))]
mod none {
    use burn::tensor::{Device, Tensor};

    use crate::detach::{Strategy, alongside};

    pub(crate) fn among_workers<R>(_device: Option<Device>, work: impl FnOnce() -> R) -> R {
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

        pub(crate) fn take<const D: usize>(
            &mut self,
            average: Tensor<D>,
            student: Tensor<D>,
            strategy: Strategy,
        ) -> Tensor<D> {
            alongside(super::average(average, student, self.decay), strategy)
        }

        pub(crate) fn finish(&mut self) {}

        pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
            None
        }
    }
}
