//! What changes while a network is trained: how an average forgets, how costs and learning rates rise and fall.
//!
//! [`Decay`] counts updates of an average, [`Ramp`] counts steps. The writer of a recipe knows neither the number of steps of an
//! epoch nor of the whole training: a [`RampShape`] and a [`Schedule`] speak of epochs and of shares of the training, and
//! become ramps on a [`Timeline`].

mod decay;
mod learning_rate;
mod length;
mod ramp;
mod shape;

pub use decay::Decay;
pub use learning_rate::Schedule;
pub use length::{Length, Timeline};
pub use ramp::Ramp;
pub use shape::RampShape;
