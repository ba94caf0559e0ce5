use anyhow::Context;
use slowburn_ema::Timeline;
use slowburn_semi::{Mix, TwoStream, choose_balanced};

use slowburn_train::data::labels_digest;
use slowburn_train::task::hold_out;

use super::recipe::{Labels, Method, Recipe};
use crate::data::{Dataset, read_labels};

/// Which images are used how, and for how many steps.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The label of every training image whose label is used.
    pub labels: Vec<Option<usize>>,
    /// The label of every image whose label is held back, to choose the best epoch by.
    pub held_out: Vec<Option<usize>>,
    /// Images in the unlabelled stream.
    pub unlabeled: usize,
    /// The batches.
    pub stream: TwoStream,
    /// How many.
    pub steps: Timeline,
}

impl Plan {
    /// Chooses labels and batches.
    ///
    /// # Errors
    /// For labels that the data cannot give and files that do not fit them.
    pub fn new(recipe: &Recipe, data: &Dataset) -> anyhow::Result<Self> {
        let (labels, held_out) = hold_out(&chosen_labels(recipe, data)?, recipe.validation, recipe.seed)?;
        let labeled: Vec<usize> = (0..labels.len()).filter(|&image| labels[image].is_some()).collect();
        let unlabeled =
            |image: &usize| held_out[*image].is_none() && (labels[*image].is_none() || recipe.labeled_in_unlabeled);
        let unlabeled: Vec<usize> = (0..labels.len()).filter(unlabeled).collect();
        let unlabeled_count = unlabeled.len();
        let mix = match recipe.mix {
            // With few labels a supervised natural batch would often be empty.
            Mix::Natural if recipe.method == Method::Supervised => Mix::Fixed { labeled: recipe.batch },
            mix => mix,
        };
        let stream = TwoStream::new(labeled, unlabeled, recipe.batch, mix, recipe.seed)?;
        let per_epoch = stream.batches();
        let steps = Timeline::new(per_epoch, recipe.length);
        Ok(Self { labels, held_out, unlabeled: unlabeled_count, stream, steps })
    }

    /// The number of labels used.
    pub fn labeled(&self) -> usize {
        self.labels.iter().flatten().count()
    }
}

/// The label of every image whose label is held back: as in [`Plan::held_out`], before there are batches.
///
/// # Errors
/// As [`Plan::new`].
pub(super) fn held_out(recipe: &Recipe, data: &Dataset) -> anyhow::Result<Vec<Option<usize>>> {
    Ok(hold_out(&chosen_labels(recipe, data)?, recipe.validation, recipe.seed)?.1)
}

/// The digest of a label file's labels; nothing where labels come from the folders.
///
/// # Errors
/// Those of the file.
pub(super) fn label_file_digest(recipe: &Recipe, data: &Dataset) -> anyhow::Result<Option<String>> {
    match recipe.labels {
        Labels::File(_) => Ok(Some(labels_digest(&chosen_labels(recipe, data)?))),
        Labels::All | Labels::Count(_) => Ok(None),
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
