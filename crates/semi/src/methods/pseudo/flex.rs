use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_ema::StateMatrix;

use super::selector::one_hot;
use super::settings::{FlexThresholds, ThresholdMapping};
use crate::SemiError;
use crate::methods::{first_rows, indices};

/// FlexMatch's state: the latest confident class of every sample, and how often each class is one.
#[derive(Module, Debug)]
pub(super) struct Slots {
    /// A class, or −1 for a sample that never had a confident prediction, `[samples, 1]`.
    slots: StateMatrix,
    /// σ: how many slots hold each class, `[1, classes]`. Kept beside the slots, so that no step counts all of them.
    /// In f32, exact up to 16 million samples.
    counts: StateMatrix,
    /// N.
    unlabeled: usize,
    #[module(skip)]
    settings: FlexThresholds,
}

impl Slots {
    pub(super) fn new(settings: &FlexThresholds, samples: usize, classes: usize, device: &Device) -> Self {
        Self {
            slots: StateMatrix::new(Tensor::full([samples, 1], -1.0, device)),
            counts: StateMatrix::new(Tensor::zeros([1, classes], device)),
            unlabeled: settings.unlabeled.unwrap_or(samples),
            settings: settings.clone(),
        }
    }

    /// No sample had a confident prediction.
    pub(super) fn restart(&self) {
        self.slots.update(|slots| slots.full_like(-1.0));
        self.counts.update(|counts| counts.zeros_like());
    }

    /// T, `[1, classes]`.
    pub(super) fn thresholds(&self) -> Tensor<2> {
        let counts = self.counts.value(); // [1, classes]
        // At least 1: before the first confident prediction every σ is 0, and so is every β.
        let highest = counts.clone().max_dim(1).clamp_min(1.0); // [1, 1]
        let divisor = match self.settings.warm_up {
            true => highest.max_pair(counts.clone().sum_dim(1).neg().add_scalar(self.unlabeled as f64)),
            false => highest,
        };
        let effect = counts / divisor; // β, [1, classes]
        let mapped = match self.settings.mapping {
            ThresholdMapping::Convex => effect.clone() / (effect.neg() + 2.0),
            ThresholdMapping::Linear => effect,
        };
        mapped.mul_scalar(self.settings.threshold)
    }

    /// Checks that every sample has a slot.
    pub(super) fn check(&self, samples: &[usize]) -> Result<(), SemiError> {
        let [slots, _] = self.slots.dims();
        match samples.iter().find(|&&sample| sample >= slots) {
            Some(&sample) => Err(slowburn_ema::EmaError::UnknownSample { sample, samples: slots }.into()),
            None => Ok(()),
        }
    }

    /// Writes the class of each confident sample into its slot; the others keep theirs. Of a sample that a batch holds twice
    /// the first row counts. `confidence` and `classes` are `[samples.len()]`.
    pub(super) fn write(&self, samples: &[usize], confidence: Tensor<1>, classes: Tensor<1>) -> Result<(), SemiError> {
        let (first, distinct) = first_rows(samples);
        let (mut confidence, mut classes) = (confidence, classes);
        if first.len() < samples.len() {
            let rows = indices(first.into_iter(), &classes.device());
            (confidence, classes) = (confidence.select(0, rows.clone()), classes.select(0, rows));
        }
        // The fixed threshold, not that of the class: a slot holds what was learned well.
        let confident = confidence.greater_equal_elem(self.settings.threshold).float().unsqueeze_dim::<2>(1); // [n, 1]
        let (old, new) = (self.slots.select(&distinct)?, classes.unsqueeze_dim::<2>(1)); // [n, 1]
        let classes = self.counts.dims()[1];
        // The row of an unused slot, −1, is all 0.
        let change = one_hot(new.clone(), classes) - one_hot(old.clone(), classes); // [n, classes]
        let change = (change * confident.clone()).sum_dim(0); // [1, classes]
        self.slots.add(&distinct, (new - old) * confident)?;
        self.counts.update(|counts| counts + change);
        Ok(())
    }
}
