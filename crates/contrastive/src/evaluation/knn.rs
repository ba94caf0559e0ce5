use std::cmp::Ordering;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{FeatureSet, Representation};
use crate::{ContrastiveError, normalize};

/// Queries and bank rows whose similarities are in memory at a time: 256·16,384 numbers, 16 MiB on the device and 16 read.
const QUERY_BLOCK: usize = 256;
const BANK_BLOCK: usize = 16_384;
/// Bank rows that join the neighbours of a query at a time, which have 16 bytes each: 8 MiB for a block of queries where
/// k is 200.
const MERGE_BLOCK: usize = 1024;

/// The settings of weighted k-nearest-neighbour classification.
///
/// The k bank vectors most similar to a query by cosine vote for their classes with weights `exp(cos/τ)` (Wu et al.,
/// arXiv 1805.01978, §3.4).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `k` | 200 | neighbours that vote | [1, bank] |
/// | `temperature` | 0.1 | τ of the weights | > 0, finite |
///
/// k and τ change a score by points: compare scores of equal settings only. The defaults are those of MoCo's notebook
/// and of lightly; Wu et al. and solo-learn have τ = 0.07.
///
/// Ties: the nearer of equally similar bank vectors is that with the smaller index, of classes with equal votes the
/// smaller wins. A class that the bank lacks is never predicted: its queries count as misses, and the report names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KnnConfig {
    /// The number of neighbours that vote.
    pub k: usize,
    /// τ of the weights.
    pub temperature: f64,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 200, temperature: 0.1 }
    }
}

/// A kNN score and everything that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnnReport {
    /// The fraction of queries whose class was predicted.
    pub accuracy: f64,
    /// Neighbours that voted.
    pub k: usize,
    /// τ of the weights.
    pub temperature: f64,
    /// The similarity, always `cosine`.
    pub similarity: String,
    /// What was compared.
    pub representation: Representation,
    /// The length of a vector.
    pub dim: usize,
    /// Vectors in the bank.
    pub bank: usize,
    /// Queries.
    pub queries: usize,
    /// One more than the largest class of bank and queries.
    pub classes: usize,
    /// Classes of queries that the bank lacks.
    pub missing_classes: Vec<usize>,
}

impl KnnConfig {
    /// Checks the settings for a bank of this many vectors.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self, bank: usize) -> Result<(), ContrastiveError> {
        ContrastiveError::at_least_one("k", self.k)?;
        ContrastiveError::at_most("k", self.k, bank, "the number of bank vectors")?;
        ContrastiveError::positive("temperature", self.temperature)
    }

    /// The votes for each class: one row for each query, one number for each of `classes` classes, in units of the
    /// nearest neighbour's vote.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and if vectors differ in length or a class of the bank is not below
    /// `classes`.
    pub fn votes(
        &self,
        bank: &FeatureSet,
        queries: &FeatureSet,
        classes: usize,
    ) -> Result<Vec<Vec<f64>>, ContrastiveError> {
        self.validate(bank.samples())?;
        bank.check_beside(queries)?;
        let known = bank.classes();
        let range = format!("at least {known}, one more than the largest class of the bank");
        ContrastiveError::unless(known <= classes, "classes", classes as f64, range)?;
        let all = normalize(bank.features()); // [bank, D]
        let mut votes = Vec::with_capacity(queries.samples());
        for block in normalize(queries.features().to_device(&all.device())).split(QUERY_BLOCK, 0) {
            let nearest = self.nearest(&all, block)?;
            votes.extend(nearest.iter().map(|neighbours| self.vote(neighbours, bank.labels(), classes)));
        }
        Ok(votes)
    }

    /// The k nearest bank rows of each query, nearest first.
    fn nearest(&self, bank: &Tensor<2>, queries: Tensor<2>) -> Result<Vec<Vec<Neighbour>>, ContrastiveError> {
        let [rows, _] = queries.dims();
        let mut nearest: Vec<Vec<Neighbour>> = vec![Vec::new(); rows];
        let mut first = 0;
        for part in bank.clone().split(BANK_BLOCK, 0) {
            let [width, _] = part.dims();
            let similar = queries.clone().matmul(part.transpose()); // [queries, width]
            let similar: Vec<f32> = similar.into_data().iter::<f32>().collect();
            std::thread::scope(|scope| {
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let share = rows.div_ceil(threads);
                for (nearest, similar) in nearest.chunks_mut(share).zip(similar.chunks(share * width)) {
                    scope.spawn(move || {
                        for (nearest, similar) in nearest.iter_mut().zip(similar.chunks(width)) {
                            merge(nearest, similar, first, self.k);
                        }
                    });
                }
            });
            first += width;
        }
        nearest.iter_mut().for_each(|neighbours| neighbours.sort_unstable_by(Neighbour::order));
        Ok(nearest)
    }

    fn vote(&self, neighbours: &[Neighbour], labels: &[usize], classes: usize) -> Vec<f64> {
        let mut votes = vec![0.0; classes];
        let best = neighbours.first().map_or(0.0, |neighbour| f64::from(neighbour.similarity));
        for neighbour in neighbours {
            // Relative to the nearest: no temperature overflows, and the winner is the same.
            votes[labels[neighbour.index]] += ((f64::from(neighbour.similarity) - best) / self.temperature).exp();
        }
        votes
    }

    /// The class predicted for each query.
    ///
    /// # Errors
    /// Those of [`votes`](Self::votes).
    pub fn predict(&self, bank: &FeatureSet, queries: &FeatureSet) -> Result<Vec<usize>, ContrastiveError> {
        let votes = self.votes(bank, queries, bank.classes())?;
        Ok(votes.iter().map(|row| winner(row)).collect())
    }

    /// The accuracy on queries, with everything that it depends on.
    ///
    /// # Errors
    /// Those of [`votes`](Self::votes).
    pub fn evaluate(&self, bank: &FeatureSet, queries: &FeatureSet) -> Result<KnnReport, ContrastiveError> {
        let predicted = self.predict(bank, queries)?;
        let hits = predicted.iter().zip(queries.labels()).filter(|(ours, truth)| ours == truth).count();
        let mut missing: Vec<usize> = queries.labels().to_vec();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|class| !bank.labels().contains(class));
        Ok(KnnReport {
            accuracy: hits as f64 / queries.samples() as f64,
            k: self.k,
            temperature: self.temperature,
            similarity: "cosine".to_owned(),
            representation: bank.representation(),
            dim: bank.dim(),
            bank: bank.samples(),
            queries: queries.samples(),
            classes: bank.classes().max(queries.classes()),
            missing_classes: missing,
        })
    }
}

/// The class with the most votes, the smallest of equals.
pub(crate) fn winner(votes: &[f64]) -> usize {
    let best = votes.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(class, _)| class)
}

/// A bank row and how similar it is to a query.
#[derive(Debug, Clone, Copy)]
struct Neighbour {
    similarity: f32,
    index: usize,
}

impl Neighbour {
    /// Nearest first, of equals the smaller index.
    fn order(a: &Self, b: &Self) -> Ordering {
        b.similarity.total_cmp(&a.similarity).then(a.index.cmp(&b.index))
    }
}

/// Keeps the `k` nearest of those found so far and of a stretch of the bank that begins at row `first`.
fn merge(nearest: &mut Vec<Neighbour>, similar: &[f32], first: usize, k: usize) {
    // At least k at a time, so that each selection drops about half of what it looks at, whatever k is.
    let length = k.max(MERGE_BLOCK);
    for (part, first) in similar.chunks(length).zip((first..).step_by(length)) {
        let found = part.iter().enumerate();
        // Adding zero makes −0 a +0: the two are equal, and a total order has them apart.
        nearest.extend(found.map(|(offset, &similar)| Neighbour { similarity: similar + 0.0, index: first + offset }));
        if nearest.len() > k {
            nearest.select_nth_unstable_by(k - 1, Neighbour::order);
            nearest.truncate(k);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_either_sign_are_equally_near() {
        for similar in [[-0.0, 0.0], [0.0, -0.0]] {
            let mut nearest = Vec::new();
            merge(&mut nearest, &similar, 5, 1);
            assert_eq!(nearest[0].index, 5, "{similar:?}: of equals the smaller index");
        }
    }

    /// Over several stretches and several parts of each, for a k below and above a part's length.
    #[test]
    fn merging_keeps_those_that_sorting_puts_first() {
        let similar: Vec<f32> = (0..7000_u32).map(|index| (index * 7919 % 1009) as f32).collect();
        let all = similar.iter().enumerate().map(|(index, &similarity)| Neighbour { similarity, index });
        let mut sorted: Vec<Neighbour> = all.collect();
        sorted.sort_unstable_by(Neighbour::order);
        for k in [1, 7, MERGE_BLOCK, 3000, 7000] {
            let mut nearest = Vec::new();
            for (stretch, part) in similar.chunks(2500).enumerate() {
                merge(&mut nearest, part, 2500 * stretch, k);
            }
            nearest.sort_unstable_by(Neighbour::order);
            let indices = |found: &[Neighbour]| found.iter().map(|neighbour| neighbour.index).collect::<Vec<_>>();
            assert_eq!(indices(&nearest), indices(&sorted[..k]), "k {k}");
        }
    }
}
