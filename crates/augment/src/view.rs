use std::fmt;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::{Error, ImageSize, Key, Operation, Pipeline, operation::check_shift};

/// What one operation drew for one view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Drawn {
    /// The operation has nothing random.
    Deterministic,
    /// Of [`Operation::HorizontalFlip`].
    HorizontalFlip {
        /// Mirrored or not.
        flip: bool,
    },
    /// Of [`Operation::Translate`]: the content moves by this many pixels.
    Translate {
        /// To the right, in pixels.
        dx: i32,
        /// Downwards, in pixels.
        dy: i32,
    },
    /// Of [`Operation::GaussianNoise`]: too many values to print, so where they come from.
    GaussianNoise {
        /// Stream of the ChaCha8 generator under the view's key.
        stream: u64,
    },
}

/// The parameters of one view of one image: what a [`Pipeline`] drew, one entry per operation.
///
/// A view can be printed, stored and replayed: applying it to the same image gives the same values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The key the parameters were drawn with.
    pub key: Key,
    /// What each operation of the pipeline drew, in its order.
    pub drawn: Vec<Drawn>,
}

impl Pipeline {
    /// Draws the parameters of the view `key` of an image of `size`: a pure function of its arguments.
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for).
    pub fn draw(&self, key: Key, size: ImageSize) -> Result<View, Error> {
        self.validate_for(size)?;
        Ok(self.draw_valid(key))
    }

    /// Draws one view per key, for images of one `size`; as [`draw`](Pipeline::draw) for each.
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for).
    pub fn draw_batch(&self, keys: &[Key], size: ImageSize) -> Result<Vec<View>, Error> {
        self.validate_for(size)?;
        Ok(keys.iter().map(|key| self.draw_valid(*key)).collect())
    }

    fn draw_valid(&self, key: Key) -> View {
        let drawn = self
            .operations
            .iter()
            .enumerate()
            .map(|(position, operation)| draw_one(operation, key, position as u64))
            .collect();
        View { key, drawn }
    }

    /// Checks that `view` can be applied to an image of `size` by this pipeline.
    pub(crate) fn check_view(&self, view: &View, size: ImageSize) -> Result<(), Error> {
        let foreign = |reason| Error::ForeignView { pipeline: self.name.clone(), reason };
        if view.drawn.len() != self.operations.len() {
            return Err(foreign(format!(
                "it has {} entries, the pipeline {} operations",
                view.drawn.len(),
                self.operations.len()
            )));
        }
        for (position, (operation, drawn)) in self.operations.iter().zip(&view.drawn).enumerate() {
            let matches = match (operation, drawn) {
                (Operation::HorizontalFlip { .. }, Drawn::HorizontalFlip { .. })
                | (Operation::GaussianNoise { .. }, Drawn::GaussianNoise { .. })
                | (Operation::Normalize { .. } | Operation::Standardize { .. }, Drawn::Deterministic) => true,
                (Operation::Translate { .. }, Drawn::Translate { dx, dy }) => {
                    let shift = dx.unsigned_abs().max(dy.unsigned_abs());
                    check_shift(position, shift as usize, size)?;
                    true
                }
                _ => false,
            };
            if !matches {
                return Err(foreign(format!("operation {position} is {}, the view has {drawn:?}", operation.name())));
            }
        }
        Ok(())
    }
}

fn draw_one(operation: &Operation, key: Key, position: u64) -> Drawn {
    let mut generator = key.stream(2 * position);
    match operation {
        Operation::HorizontalFlip { probability } => {
            Drawn::HorizontalFlip { flip: generator.random_bool(f64::from(*probability)) }
        }
        Operation::Translate { max_pixels } => Drawn::Translate {
            dx: draw_shift(&mut generator, *max_pixels),
            dy: draw_shift(&mut generator, *max_pixels),
        },
        Operation::GaussianNoise { .. } => Drawn::GaussianNoise { stream: 2 * position + 1 },
        Operation::Normalize { .. } | Operation::Standardize { .. } => Drawn::Deterministic,
    }
}

/// Uniform in [−max, max]. The pipeline is valid for an image, so `max` is shorter than its sides.
fn draw_shift(generator: &mut ChaCha8Rng, max: u32) -> i32 {
    let max = max as i32;
    generator.random_range(-max..=max)
}

/// The noise of a view: standard normal values, in the order C×H×W of the output.
pub(crate) fn noise(key: Key, stream: u64) -> impl Iterator<Item = f32> {
    StandardNormal.sample_iter(key.stream(stream))
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deterministic => write!(f, "fixed"),
            Self::HorizontalFlip { flip: true } => write!(f, "flip"),
            Self::HorizontalFlip { flip: false } => write!(f, "no flip"),
            Self::Translate { dx, dy } => write!(f, "shift ({dx:+}, {dy:+}) px"),
            Self::GaussianNoise { stream } => write!(f, "noise of stream {stream}"),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { seed, epoch, sample, view } = self.key;
        write!(f, "view {view} of sample {sample} in epoch {epoch} of seed {seed}:")?;
        for (position, drawn) in self.drawn.iter().enumerate() {
            let separator = if position == 0 { " " } else { ", " };
            write!(f, "{separator}{drawn}")?;
        }
        Ok(())
    }
}
