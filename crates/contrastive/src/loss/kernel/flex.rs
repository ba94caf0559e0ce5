//! The pass on Burn's CPU backend: chunks of negatives side by side, put together at the end; where there are more cores
//! than chunks, groups of queries too.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Device, Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;

use super::panel::{Chunk, Matrix, Pairs, Part};
use super::{Operands, Pass, Settings};
use crate::loss::LEAD;

/// The fewest negatives of a chunk, and the most chunks: as many cores have work with all queries, four with a queue of
/// 4,096. Both are independent of the number of cores, so that the result is; each chunk holds sums of the size of the
/// queries.
const LEAST: usize = 1024;
const MOST: usize = 16;

/// Queries of the smallest group: whole panels of every width.
const GROUP: usize = 32;

/// One pass, if the tensors are this backend's and of its kernel's type.
pub(super) fn pass(operands: &Operands, settings: Settings) -> Option<Pass> {
    let [_, dim] = operands.queries.dims();
    if dim == 0 || operands.queries.dtype() != DType::F32 {
        return None;
    }
    let device = operands.queries.device();
    let (queries, positives) = (host(&operands.queries)?, host(&operands.positives)?);
    let negatives = host(&operands.negatives)?;
    let matrix = |tensor| Some(Matrix { values: values(tensor)?, dim });
    let (queries, positives) = (matrix(&queries)?, matrix(&positives)?);
    let negatives = matrix(&negatives)?;

    let scale = (1.0 / settings.temperature) as f32;
    let gradient = settings.gradient;
    let arch = Arch::new();
    let positive = arch.dispatch(Pairs { queries, keys: positives, scale });
    let length = negatives.rows().div_ceil(MOST).max(LEAST);
    let group = group(queries.rows(), negatives.rows().div_ceil(length));
    let chunk = |queries, negatives| arch.dispatch(Chunk { queries, negatives, scale, gradient });
    let groups = queries
        .values
        .par_chunks(group * dim)
        .map(|queries| {
            let chunks = negatives.values.par_chunks(length * dim);
            chunks.map(|values| chunk(Matrix { values: queries, dim }, Matrix { values, dim })).collect()
        })
        .collect();
    Some(Totals { groups, group, positive: &positive, positives, settings }.pass(&device))
}

/// Queries of a group, such that all cores have work. The sums of a query are its own, so that the result does not
/// depend on it.
fn group(queries: usize, chunks: usize) -> usize {
    queries.max(1).div_ceil(rayon::current_num_threads().div_ceil(chunks)).next_multiple_of(GROUP)
}

/// The memory of a tensor of this backend, in the order of its rows.
fn host(tensor: &Tensor<2>) -> Option<FloatTensor<Flex>> {
    let tensor = tensor.clone().try_into_primitive::<Flex>().ok()?;
    match tensor.layout().contiguous_offsets() {
        Some(_) => Some(tensor),
        None => Some(tensor.to_contiguous()),
    }
}

fn values(tensor: &FloatTensor<Flex>) -> Option<&[f32]> {
    tensor.as_slice()
}

/// The parts of all chunks and what they are compared with.
struct Totals<'a> {
    /// For each group of queries, the parts of all chunks.
    groups: Vec<Vec<Part>>,
    /// Queries of a group.
    group: usize,
    /// The positive logits.
    positive: &'a [f32],
    positives: Matrix<'a>,
    settings: Settings,
}

impl Totals<'_> {
    fn pass(&self, device: &Device) -> Pass {
        let (n, dim) = (self.positive.len(), self.positives.dim);
        let (mut loss, mut hits) = (0.0, 0usize);
        let mut gradient = vec![0.0; if self.settings.gradient { n * dim } else { 0 }];
        let mut rows = gradient.chunks_exact_mut(dim);
        for query in 0..n {
            let (own, hit) = self.query(query, rows.next());
            loss += own;
            hits += usize::from(hit);
        }
        let scalar = |value: f64| Tensor::from_data([value as f32], device);
        let gradient = self.settings.gradient.then(|| Tensor::from_data(TensorData::new(gradient, [n, dim]), device));
        Pass { loss: scalar(loss / n as f64), accuracy: scalar(hits as f64 / n as f64), gradient }
    }

    /// The loss of a query and whether it was right; its gradient goes to `gradient`.
    fn query(&self, query: usize, gradient: Option<&mut [f32]>) -> (f64, bool) {
        let positive = f64::from(self.positive[query]);
        let (parts, row) = (&self.groups[query / self.group], query % self.group);
        // A NaN anywhere is in a sum, whatever the maximum makes of it.
        let best = parts.iter().map(|part| f64::from(part.max[row])).fold(f64::NEG_INFINITY, f64::max);
        let max = if self.settings.decoupled { best } else { best.max(positive) };
        let shrink = |part: &Part| (f64::from(part.max[row]) - max).exp();
        let negative: f64 = parts.iter().map(|part| shrink(part) * f64::from(part.sum[row])).sum();
        let own = if self.settings.decoupled { 0.0 } else { (positive - max).exp() };
        let whole = negative + own;
        // Where the positive is the largest, ln(1 + x) keeps an x that 1 + x would lose.
        let log = if own == 1.0 { negative.ln_1p() } else { whole.ln() };
        if let Some(gradient) = gradient {
            let unit = 1.0 / (whole * self.settings.temperature * self.positive.len() as f64);
            let dim = gradient.len();
            let key = &self.positives.values[query * dim..][..dim];
            // p₊ − 1 is −negative/whole: no difference of numbers that are nearly equal.
            let away = (-negative * unit) as f32;
            gradient.iter_mut().zip(key).for_each(|(gradient, key)| *gradient = away * key);
            for part in parts {
                let share = (shrink(part) * unit) as f32;
                let pulled = &part.weighted[row * dim..][..dim];
                gradient.iter_mut().zip(pulled).for_each(|(gradient, pulled)| *gradient += share * pulled);
            }
        }
        (log + (max - positive), positive > best + best.abs() * LEAD)
    }
}
