use anyhow::Context;
use slowburn_semi::{Mix, TwoStream, choose_balanced};

use crate::data::{Dataset, read_labels};
use crate::recipe::{Labels, Method, Recipe};

/// Which images are used how, and for how many steps.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The label of every training image whose label is used.
    pub labels: Vec<Option<usize>>,
    /// Images in the unlabelled stream.
    pub unlabeled: usize,
    /// The batches.
    pub stream: TwoStream,
    /// Optimizer steps from one epoch to the next.
    pub steps_per_epoch: usize,
    /// Optimizer steps in all.
    pub total_steps: u64,
}

impl Plan {
    /// Chooses labels and batches.
    ///
    /// # Errors
    /// For labels that the data cannot give and files that do not fit them.
    pub fn new(recipe: &Recipe, data: &Dataset) -> anyhow::Result<Self> {
        let labels = chosen_labels(recipe, data)?;
        let labeled: Vec<usize> = (0..labels.len()).filter(|&image| labels[image].is_some()).collect();
        let unlabeled: Vec<usize> =
            (0..labels.len()).filter(|&image| labels[image].is_none() || recipe.labeled_in_unlabeled).collect();
        let unlabeled_count = unlabeled.len();
        let mix = match recipe.mix {
            // With few labels a supervised natural batch would often be empty.
            Mix::Natural if recipe.method == Method::Supervised => Mix::Fixed { labeled: recipe.batch },
            mix => mix,
        };
        let stream = TwoStream::new(labeled, unlabeled, recipe.batch, mix, recipe.seed)?;
        let steps_per_epoch = stream.batches();
        let total_steps = recipe.length.steps(steps_per_epoch).max(1);
        Ok(Self { labels, unlabeled: unlabeled_count, stream, steps_per_epoch, total_steps })
    }

    /// The number of labels used.
    pub fn labeled(&self) -> usize {
        self.labels.iter().flatten().count()
    }

    /// The number of epochs; the last may be cut short.
    pub fn epochs(&self) -> u64 {
        self.total_steps.div_ceil(self.steps_per_epoch as u64)
    }

    /// The number of steps in an epoch, counted from 0.
    pub fn steps_in(&self, epoch: u64) -> u64 {
        let done = epoch * self.steps_per_epoch as u64;
        (self.total_steps - done.min(self.total_steps)).min(self.steps_per_epoch as u64)
    }
}

fn chosen_labels(recipe: &Recipe, data: &Dataset) -> anyhow::Result<Vec<Option<usize>>> {
    let known = &data.train.labels;
    let chosen: Vec<(usize, usize)> = match &recipe.labels {
        Labels::File(path) => read_labels(path, data)?,
        Labels::All => choose(recipe, data, known.iter().flatten().count())?,
        Labels::Count(count) => choose(recipe, data, *count)?,
    };
    let mut labels = vec![None; known.len()];
    for (image, label) in chosen {
        labels[image] = Some(label);
    }
    Ok(labels)
}

fn choose(recipe: &Recipe, data: &Dataset, count: usize) -> anyhow::Result<Vec<(usize, usize)>> {
    let known = &data.train.labels;
    let every = count == known.iter().flatten().count() && count > 0;
    let images = match every {
        // All of them, balanced or not.
        true => (0..known.len()).filter(|&image| known[image].is_some()).collect(),
        false => choose_balanced(known, data.classes.len(), count, recipe.seed)
            .with_context(|| format!("--labels {}", recipe.labels))?,
    };
    Ok(images.into_iter().filter_map(|image| known[image].map(|label| (image, label))).collect())
}
