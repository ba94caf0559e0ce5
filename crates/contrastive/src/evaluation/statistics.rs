use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use slowburn_ema::{detached_copy, sync_running_state};

use crate::{Batch, ContrastiveError, Encode};

/// An independent copy of an encoder whose running statistics are those of these batches alone.
///
/// For an encoder whose statistics are of other images than those that it will see: of masked queries
/// ([`MocoConfig::masked`](crate::MocoConfig::masked)), say. Give it a few batches of images as they are evaluated, as large as
/// batches of training. They pass in training mode, without gradients:
///
/// ```text
/// μ  = Σᵢ nᵢ·μᵢ / n                      nᵢ samples of batch i with mean μᵢ and variance σᵢ², n of all
/// σ² = Σᵢ nᵢ·(σᵢ² + (μᵢ − μ)²) / n
/// ```
///
/// In a network's first normalisation these are the statistics of all samples together, however they are divided into
/// batches; layers above it see activations that were normalised batch by batch. Variances are biased, as Burn keeps them.
/// PyTorch's `update_bn` averages the variances instead, without the second term. Of split batch normalisation, σᵢ² is the mean
/// within the splits.
///
/// The first batch passes three times: to see which statistics move (those of frozen layers stay as they are), how much
/// weight their layers give a new batch, which a layer does not say, and to count. A layer that is used twice in a pass counts
/// both uses, the later one more. The encoder given is not changed. The copy is without gradients and on autodiff, as that of
/// [`Moco::export`](crate::Moco::export).
///
/// # Errors
/// [`ContrastiveError::Empty`] without batches or with an empty one; [`ContrastiveError::StatisticsStay`] where there are
/// statistics and none moves: the encoder is in evaluation mode or off autodiff. [`ContrastiveError::Splits`] where splits do
/// not divide a batch, [`ContrastiveError::NotFinite`] where statistics are not finite.
pub fn renew_statistics<E: Encode>(
    encoder: &E,
    batches: impl IntoIterator<Item = E::Input>,
) -> Result<E, ContrastiveError> {
    let mut copy = Copy::of(encoder);
    let mut merged: Option<Merged> = None;
    for batch in batches {
        let rows = batch.rows();
        check(encoder, rows)?;
        let mut sum = match merged.take() {
            Some(sum) => sum,
            None => Merged::new(&mut copy, &batch)?,
        };
        let seen = copy.pass(batch, &sum.start(0.0));
        sum.count(&seen, rows as f64);
        merged = Some(sum);
    }
    match merged {
        Some(merged) => copy.finish(&merged),
        None => Err(ContrastiveError::Empty { what: "the set of batches" }),
    }
}

fn check<E: Encode>(encoder: &E, rows: usize) -> Result<(), ContrastiveError> {
    let splits = encoder.splits();
    match (rows, rows.is_multiple_of(splits.max(1))) {
        (0, _) => Err(ContrastiveError::Empty { what: "the batch" }),
        (_, true) => Ok(()),
        (_, false) => Err(ContrastiveError::Splits { batch: rows, splits }),
    }
}

/// The values of every running statistic, in the order of a traversal.
type Values = Vec<Vec<f64>>;

/// A copy of an encoder, and which of its tensors are running statistics.
struct Copy<E> {
    encoder: E,
    ids: HashSet<ParamId>,
}

impl<E: Encode> Copy<E> {
    fn of(encoder: &E) -> Self {
        let copy = detached_copy(encoder);
        // Fresh ids went to all but running statistics.
        let ids = ids(encoder).intersection(&ids(&copy)).copied().collect();
        Self { encoder: copy, ids }
    }

    fn read(&self) -> (Vec<String>, Values) {
        let mut visitor = Read { ids: &self.ids, path: Vec::new(), paths: Vec::new(), values: Vec::new() };
        self.encoder.visit(&mut visitor);
        (visitor.paths, visitor.values)
    }

    fn write(self, values: &Values) -> Self {
        let mut mapper = Write { ids: &self.ids, values: values.iter() };
        Self { encoder: self.encoder.map(&mut mapper), ids: self.ids }
    }

    /// The statistics after a pass that finds them with these values.
    fn pass(&mut self, batch: E::Input, start: &Values) -> Values {
        // A clone shares the running states, and `map` writes them in place: this reaches `self.encoder`.
        drop(Self { encoder: self.encoder.clone(), ids: self.ids.clone() }.write(start));
        drop(self.encoder.embed(batch));
        sync_running_state(&self.encoder);
        self.read().1
    }

    fn finish(self, merged: &Merged) -> Result<E, ContrastiveError> {
        let values = merged.values();
        match values.iter().flatten().all(|value| value.is_finite()) {
            true => Ok(self.write(&values).encoder),
            false => Err(ContrastiveError::NotFinite { what: "the running statistics" }),
        }
    }
}

/// A running statistic while batches are counted.
struct Statistic {
    /// As the encoder given has it.
    before: Vec<f64>,
    /// Of all batches so far.
    value: Vec<f64>,
    /// The weight of the new batch; 0 for one that stays.
    weight: f64,
    /// The mean of which this is the variance.
    mean: Option<usize>,
}

/// The statistics of several batches.
struct Merged {
    statistics: Vec<Statistic>,
    rows: f64,
}

/// What is left of it after a pass tells the weight of the new batch: what the batch adds is small beside it.
const LARGE: f64 = (1 << 20) as f64;

/// Weights are rounded to so many parts: f32 tells no more of them.
const PARTS: f64 = 1e6;

impl Merged {
    fn new<E: Encode>(copy: &mut Copy<E>, batch: &E::Input) -> Result<Self, ContrastiveError> {
        sync_running_state(&copy.encoder);
        let (paths, before) = copy.read();
        let after = copy.pass(batch.clone(), &before);
        let moves: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
        if !moves.is_empty() && !moves.contains(&true) {
            return Err(ContrastiveError::StatisticsStay { layers: moves.len() });
        }
        let places: HashMap<&str, usize> =
            paths.iter().enumerate().map(|(place, path)| (path.as_str(), place)).collect();
        let mean_of = |path: &String| path.strip_suffix("running_var").map(|layer| format!("{layer}running_mean"));
        let statistics = before
            .into_iter()
            .zip(&paths)
            .zip(moves)
            .map(|((before, path), moves)| Statistic {
                value: vec![0.0; before.len()],
                before,
                weight: f64::from(u8::from(moves)),
                mean: mean_of(path).and_then(|mean| places.get(mean.as_str()).copied()),
            })
            .collect();
        let mut merged = Self { statistics, rows: 0.0 };
        // (1 − w)·LARGE + w·b and w·b, b the batch's own.
        let (large, small) = (merged.start(LARGE), merged.start(0.0));
        let (large, small) = (copy.pass(batch.clone(), &large), copy.pass(batch.clone(), &small));
        for ((statistic, large), small) in merged.statistics.iter_mut().zip(large).zip(small) {
            let kept = large.iter().zip(&small).map(|(large, small)| (large - small) / LARGE);
            let kept = kept.sum::<f64>() / large.len().max(1) as f64;
            statistic.weight *= ((1.0 - kept) * PARTS).round() / PARTS;
        }
        match merged.statistics.iter().all(|statistic| statistic.weight.is_finite()) {
            true => Ok(merged),
            false => Err(ContrastiveError::NotFinite { what: "the running statistics" }),
        }
    }

    /// What a pass is to find: one number where a statistic moves. With 0 only the batch's part is left after it.
    fn start(&self, number: f64) -> Values {
        let value = |statistic: &Statistic| match statistic.weight > 0.0 {
            true => vec![number; statistic.before.len()],
            false => statistic.before.clone(),
        };
        self.statistics.iter().map(value).collect()
    }

    /// Adds a batch of `rows`, from what its pass left.
    fn count(&mut self, seen: &Values, rows: f64) {
        let all = self.rows + rows;
        let (old, new) = (self.rows / all, rows / all);
        let own = |statistic: &Statistic, seen: &[f64]| -> Vec<f64> {
            // Of one that stays nothing is counted.
            seen.iter().map(|seen| if statistic.weight > 0.0 { seen / statistic.weight } else { 0.0 }).collect()
        };
        let batch: Values = self.statistics.iter().zip(seen).map(|(statistic, seen)| own(statistic, seen)).collect();
        let moved = |place: usize| -> Vec<f64> {
            batch[place].iter().zip(&self.statistics[place].value).map(|(new, old)| new - old).collect()
        };
        let differences: Values = (0..batch.len()).map(moved).collect();
        for (place, statistic) in self.statistics.iter_mut().enumerate() {
            for (index, value) in statistic.value.iter_mut().enumerate() {
                *value += new * differences[place][index];
                // The variance of two groups together has that of their means in it.
                let apart = statistic.mean.map_or(0.0, |mean| differences[mean][index]);
                *value += old * new * apart * apart;
            }
        }
        self.rows = all;
    }

    fn values(&self) -> Values {
        let value = |statistic: &Statistic| match statistic.weight > 0.0 {
            true => statistic.value.clone(),
            false => statistic.before.clone(),
        };
        self.statistics.iter().map(value).collect()
    }
}

/// The ids of a module's float tensors.
fn ids<M: Module>(module: &M) -> HashSet<ParamId> {
    struct Ids(HashSet<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.insert(param.id);
        }
    }
    let mut visitor = Ids(HashSet::new());
    module.visit(&mut visitor);
    visitor.0
}

struct Read<'a> {
    ids: &'a HashSet<ParamId>,
    path: Vec<String>,
    paths: Vec<String>,
    values: Values,
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.ids.contains(&param.id) {
            self.paths.push(self.path.join("."));
            self.values.push(param.val().into_data().iter::<f64>().collect());
        }
    }
}

struct Write<'a> {
    ids: &'a HashSet<ParamId>,
    values: std::slice::Iter<'a, Vec<f64>>,
}

impl ModuleMapper for Write<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.ids.contains(&param.id) {
            return param;
        }
        let Some(values) = self.values.next() else {
            return param;
        };
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        param.map(|own| {
            let new: Tensor<D> = Tensor::from_data(TensorData::new(values, own.dims()), &own.device());
            new.cast(own.dtype())
        })
    }
}
