//! The tensors that a traversal takes from a module, until kernels have moved them and another puts them back.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::plain;
use crate::detach::{Strategy, alongside};

/// A float tensor of the traversal: who has it, and how it goes back on autodiff.
enum Place {
    /// It is still in the module.
    Left,
    #[cfg(feature = "flex")]
    Flex(Strategy),
    #[cfg(feature = "__cube")]
    Cube(Strategy),
}

/// Tensors taken from a module in the order of a traversal, to be moved together.
pub(crate) struct Moves {
    decay: f64,
    places: VecDeque<Place>,
    #[cfg(feature = "flex")]
    flex: super::flex::Pairs,
    #[cfg(feature = "__cube")]
    cube: super::cube::Group,
}

impl Moves {
    /// Begins with nothing taken.
    pub(crate) fn new(decay: f64) -> Self {
        Self {
            decay,
            places: VecDeque::new(),
            #[cfg(feature = "flex")]
            flex: super::flex::Pairs::new(decay),
            #[cfg(feature = "__cube")]
            cube: super::cube::Group::new(decay),
        }
    }

    /// Leaves a tensor in the module.
    pub(crate) fn skip(&mut self) {
        self.places.push_back(Place::Left);
    }

    /// Takes the average's tensor and returns a stand-in, or returns it moved where no kernel is for it. It goes back on
    /// autodiff as `strategy` says.
    pub(crate) fn take<const D: usize>(
        &mut self,
        average: Tensor<D>,
        student: Tensor<D>,
        strategy: Strategy,
    ) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if super::flex::moves(&average, &student) {
            self.places.push_back(Place::Flex(strategy));
            return self.flex.take(average, student);
        }
        #[cfg(feature = "__cube")]
        if super::cube::moves(&average, &student) {
            self.places.push_back(Place::Cube(strategy));
            return self.cube.take(average, student);
        }
        self.skip();
        alongside(plain::average(average, student, self.decay), strategy)
    }

    /// Takes no more.
    pub(crate) fn finish(self) -> Moved {
        Moved {
            places: self.places,
            #[cfg(feature = "flex")]
            flex: self.flex.finish(),
            #[cfg(feature = "__cube")]
            cube: self.cube.finish(),
        }
    }
}

/// Tensors that were moved, in the order in which they were taken.
pub(crate) struct Moved {
    places: VecDeque<Place>,
    #[cfg(feature = "flex")]
    flex: super::flex::Moved,
    #[cfg(feature = "__cube")]
    cube: super::cube::Moved,
}

impl Moved {
    /// Whether the module still has all its tensors.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.iter().all(|place| matches!(place, Place::Left))
    }

    /// The tensor that the traversal is at, if it was taken.
    pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        match self.places.pop_front()? {
            Place::Left => None,
            #[cfg(feature = "flex")]
            Place::Flex(strategy) => Some(alongside(self.flex.give_back()?, strategy)),
            #[cfg(feature = "__cube")]
            Place::Cube(strategy) => Some(alongside(self.cube.give_back()?, strategy)),
        }
    }
}
