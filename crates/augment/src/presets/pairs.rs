//! Weak and strong views of the same images.

use super::{CIFAR_MEAN, CIFAR_STD, FASHION_MEAN, FASHION_STD, fashion, flip, normalize, pipeline, translate};
use crate::{Augment, AugmentError, Magnitudes, MaskFill, Operation, Pipeline, Views, ViewsError};

/// A weak and a strong pipeline for the same images. The strong view does not start from the weak one: it has draws of its
/// own.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Of the view that gives the targets.
    pub weak: Pipeline,
    /// Of the view that is trained towards them.
    pub strong: Pipeline,
}

impl Pair {
    /// One view of each: view 0 is the weak one, view 1 the strong one.
    ///
    /// # Errors
    ///
    /// Those of [`Views::groups`]; none, as both groups have a view.
    pub fn views(self) -> Result<Views, ViewsError> {
        Views::groups(vec![(self.weak, 1), (self.strong, 1)])
    }
}

/// FixMatch on CIFAR-10 (arXiv 2001.07685), for 32×32 RGB: [`fixmatch_cifar_weak`] and [`fixmatch_cifar_strong`].
pub fn fixmatch_cifar() -> Pair {
    Pair { weak: fixmatch_cifar_weak(), strong: fixmatch_cifar_strong() }
}

/// FixMatch's weak view: flip, shift by up to 4 pixels (the border reflected), normalise by the data set's statistics. The
/// original scales to \[−1, 1\] instead.
pub fn fixmatch_cifar_weak() -> Pipeline {
    pipeline("fixmatch_cifar_weak", vec![flip(), translate(4), normalize(CIFAR_MEAN, CIFAR_STD)])
}

/// FixMatch's strong view: flip and shift as [`fixmatch_cifar_weak`], then two operations of
/// [RandAugment](Magnitudes::Fixmatch), then a square of 16×16 of mid-grey, always.
pub fn fixmatch_cifar_strong() -> Pipeline {
    let operations = vec![
        flip(),
        translate(4),
        Operation::fixmatch_rand_augment(2),
        Operation::Cutout { side: 16, fill: GRAY },
        normalize(CIFAR_MEAN, CIFAR_STD),
    ];
    pipeline("fixmatch_cifar_strong", operations)
}

/// Fashion-MNIST (28×28, one channel) in the manner of FixMatch: [`fixmatch_fashion_weak`] and [`fixmatch_fashion_strong`]. Not
/// from a paper.
pub fn fixmatch_fashion() -> Pair {
    Pair { weak: fixmatch_fashion_weak(), strong: fixmatch_fashion_strong() }
}

/// The views of [`fashion`], by this name: translate by up to 2 pixels, flip, normalise.
pub fn fixmatch_fashion_weak() -> Pipeline {
    fashion().with_name("fixmatch_fashion_weak")
}

/// Shift and flip as [`fashion`], two operations of RandAugment without `Color`, which does nothing on one channel, and a
/// square of 14×14 of mid-grey.
pub fn fixmatch_fashion_strong() -> Pipeline {
    let pool = Augment::ALL.into_iter().filter(|augment| *augment != Augment::Color).collect();
    let operations = vec![
        translate(2),
        flip(),
        Operation::RandAugment { ops: 2, pool, magnitudes: Magnitudes::Fixmatch },
        Operation::Cutout { side: 14, fill: GRAY },
        normalize(FASHION_MEAN, FASHION_STD),
    ];
    pipeline("fixmatch_fashion_strong", operations)
}

/// Half the range.
const GRAY: f32 = 0.5;

/// The pipeline with a mask behind it, for the queries of a masked contrastive method: a `share` of the patches of `patch`×`patch`
/// pixels becomes 0, which is the data set's mean behind a normalisation. Its name is that of `pipeline` and `_masked`.
///
/// # Errors
///
/// [`AugmentError::InvalidParameter`] for a share outside [0, 1] or a patch of 0 pixels.
pub fn masked(pipeline: Pipeline, share: f32, patch: u32) -> Result<Pipeline, AugmentError> {
    let name = format!("{}_masked", pipeline.name());
    let mut operations = pipeline.operations().to_vec();
    operations.push(Operation::MaskPatches { share, patch, fill: MaskFill::Value(0.0) });
    pipeline.with_name(name).with_operations(operations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::mean_teacher_cifar;
    use crate::{Drawn, ImageSize};

    #[test]
    fn the_strong_view_has_a_weak_draw_of_its_own() {
        let views = fixmatch_cifar().views().unwrap();
        assert_eq!(views.len(), 2);
        let size = ImageSize::new(32, 32, 3);
        let shifts = |drawn: &[Drawn]| drawn[..2].to_vec();
        let different = (0..100).filter(|sample| {
            let drawn = views.draw(1, 2, *sample, size).unwrap();
            shifts(&drawn[0].drawn) != shifts(&drawn[1].drawn)
        });
        // Both agree in one of 162.
        assert!(different.count() > 90);
        assert_eq!(fixmatch_fashion_weak().operations(), fashion().operations());
    }

    #[test]
    fn a_mask_is_behind_the_normalisation() {
        let pipeline = masked(mean_teacher_cifar(), 0.3, 4).unwrap();
        assert_eq!(pipeline.name(), "mean_teacher_cifar_masked");
        assert_eq!(pipeline.arithmetic(), mean_teacher_cifar().arithmetic());
        assert!(pipeline.to_string().ends_with("mask 0.3 of the patches of 4×4 px, filled with 0"), "{pipeline}");
        assert!(masked(mean_teacher_cifar(), 1.1, 4).is_err());
        assert_eq!(pipeline.evaluation().operations(), mean_teacher_cifar().evaluation().operations());
    }
}
