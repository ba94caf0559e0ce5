//! One training step, six sources of targets.

mod ict;
mod learner;
mod mean_teacher;
mod pi_model;
mod pseudo;
mod supervised;
mod targets;
mod temporal;
#[cfg(feature = "train")]
mod train;

use std::collections::HashSet;

use burn::tensor::{Device, Int, Tensor, TensorData};

pub use ict::{Ict, IctConfig, Interpolation, MixDraw, MixDraws, Mixing};
pub use learner::{Passes, SemiSupervised, StepContext, Teacher};
pub use mean_teacher::{MeanTeacher, MeanTeacherConfig};
pub use pi_model::{PiModel, PiModelConfig, SelfTeacher};
pub use pseudo::{
    Alignment, FixMatch, FlexThresholds, FreeThresholds, LabelForm, LabelSource, PseudoLabelConfig,
    PseudoLabelSettings, PseudoLabels, Selected, Selection, SelectionReport, Selector, ThresholdMapping,
};
pub use supervised::{NoTeacher, Supervised, SupervisedConfig};
pub use temporal::{PredictionBank, TemporalConfig, TemporalEnsemble};

#[cfg(feature = "train")]
pub use train::{SemiOutput, TestBatch};

/// The first row of each sample, and these samples: a batch may hold one twice.
pub(crate) fn first_rows(samples: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut met = HashSet::new();
    samples.iter().copied().enumerate().filter(|&(_, sample)| met.insert(sample)).unzip()
}

/// Indices on a device.
pub(crate) fn indices(values: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.map(|value| value as i32).collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
