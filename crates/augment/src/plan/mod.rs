//! What both paths, CPU and device, compute from the parameters of a view before any pixel is touched: where pixels
//! come from, and with which weights.

mod affine;
mod blur;
mod cutout;
mod moves;
mod patches;
mod resample;
mod rotation;

use crate::{Augmented, Drawn, Operation, View};

pub(crate) use affine::Affine;
pub(crate) use blur::{BlurBorder, BlurPlan};
pub(crate) use cutout::square;
pub(crate) use moves::{SourceMap, moves_pixels};
pub use patches::PatchGrid;
pub(crate) use resample::{Taps, center_start, height_first};
pub(crate) use rotation::Rotation;

/// Luma of red, green and blue: Y of ITU-R BT.601, Pillow's `L`.
pub(crate) const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// An operation and what it drew.
pub(crate) type Step<'a> = (&'a Operation, &'a Drawn);

/// What a single operation drew, if it is one of those of `RandAugment`.
pub(crate) fn augmented(drawn: &Drawn) -> Option<Augmented> {
    match drawn {
        Drawn::AutoContrast { stretch: true } => Some(Augmented::AutoContrast),
        Drawn::Equalize { equalize: true } => Some(Augmented::Equalize),
        Drawn::Posterize { bits } => bits.map(Augmented::Posterize),
        Drawn::Sharpness { factor } => factor.map(Augmented::Sharpness),
        _ => None,
    }
}

/// The operations that are applied, in order, those of a `RandomApply` in its place.
pub(crate) fn steps<'a>(operations: &'a [Operation], view: &'a View) -> Vec<Step<'a>> {
    let mut steps = Vec::with_capacity(operations.len());
    push_steps(operations, &view.drawn, &mut steps);
    steps
}

fn push_steps<'a>(operations: &'a [Operation], drawn: &'a [Drawn], steps: &mut Vec<Step<'a>>) {
    for (operation, drawn) in operations.iter().zip(drawn) {
        match (operation, drawn) {
            (Operation::RandomApply { operations, .. }, Drawn::RandomApply { drawn: Some(drawn) }) => {
                push_steps(operations, drawn, steps);
            }
            (Operation::RandomApply { .. }, _) => {}
            step => steps.push(step),
        }
    }
}
