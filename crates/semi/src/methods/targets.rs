//! Targets for a part of a batch.

use burn::tensor::{FloatDType, Tensor, TensorData};

use super::indices;
use crate::{InputRows, Objective, SemiError, Targets};

/// The rows that have a consistency cost: those without a label, or all.
pub(super) fn target_rows(labels: &[Option<usize>], objective: &Objective) -> Result<Vec<usize>, SemiError> {
    let rows: Vec<usize> =
        (0..labels.len()).filter(|&row| objective.consistency_on_labeled || labels[row].is_none()).collect();
    match rows.is_empty() {
        true => Err(SemiError::NoUnlabeled { rows: labels.len() }),
        false => Ok(rows),
    }
}

/// The views of these rows of a batch: from views of all of it, or of these rows alone.
pub(super) fn target_view<I: InputRows>(view: I, rows: &[usize], batch: usize) -> Result<I, SemiError> {
    match view.rows() {
        found if found == rows.len() => Ok(view),
        found if found == batch => Ok(view.pick(rows)),
        found => Err(SemiError::Rows { what: "teacher views", found, expected: batch }),
    }
}

impl Targets {
    /// Targets `[rows.len(), classes]` of these rows of a batch; the others have none.
    pub(super) fn of_rows(probabilities: Tensor<2>, kept: Option<Tensor<1>>, rows: &[usize], batch: usize) -> Self {
        if rows.len() == batch {
            return Self { probabilities, known: None, kept };
        }
        let device = probabilities.device();
        // Rows without a target repeat the first one, and are marked as unknown.
        let (mut source, mut known) = (vec![0; batch], vec![0f32; batch]);
        for (index, &row) in rows.iter().enumerate() {
            (source[row], known[row]) = (index, 1.0);
        }
        let source = indices(source.into_iter(), &device);
        let known = Tensor::<1>::from_data(TensorData::new(known, [batch]), &device).cast(FloatDType::F32);
        Self {
            probabilities: probabilities.select(0, source.clone()),
            known: Some(known),
            kept: kept.map(|kept| kept.select(0, source)),
        }
    }
}
