use super::distinct::Distinct;
use super::{Choice, ChooseError, Rows, kmeans};

/// So many times the wanted images are looked at, the least certain first.
const LOOKED_AT: usize = 10;
/// The weight of an image that is certain, so that none is without.
const LEAST: f32 = 1e-3;

/// Images that the classifier is not sure of and that are unlike each other, after Zhdanov 2019 (arXiv 1901.05954, section 4).
///
/// The margin of an image is the difference of its two largest probabilities, p₁ − p₂. The 10 · `count` images without label that
/// have the smallest are put into `count` clusters by k-means on their features, weighted by 1 − margin, and of each cluster the
/// image with the smallest margin is chosen. The paper takes the one nearest to the cluster's centre instead. Images with equal
/// features count once.
///
/// | Name | Purpose | Range |
/// |---|---|---|
/// | `features` | one row an image | finite |
/// | `probabilities` | one row an image, one column a class | 0 to 1 |
/// | `classes` | names, for the reasons | one per column |
/// | `labeled` | images that have a label: they are not chosen | rows of `features` |
/// | `count` | images to choose; all that have no label, if there are fewer | |
/// | `seed` | of the clusters | |
///
/// The least certain comes first. With one seed the same is chosen, whatever the number of threads.
///
/// # Errors
/// [`ChooseError::Counts`], [`ChooseError::Classes`], [`ChooseError::Probability`], [`ChooseError::NoSuchImage`].
pub fn uncertain(
    features: Rows<'_>,
    probabilities: Rows<'_>,
    classes: &[String],
    labeled: &[usize],
    count: usize,
    seed: u64,
) -> Result<Vec<Choice>, ChooseError> {
    let guesses = guesses(features, probabilities, classes)?;
    let points = Distinct::new(features, labeled)?;
    let margin = |point: usize| guesses[points.images[point][0]].margin();
    let by_margin = |a: &usize, b: &usize| margin(*a).total_cmp(&margin(*b)).then(a.cmp(b));
    let mut free: Vec<usize> = (0..points.len()).filter(|&point| !points.labeled[point]).collect();
    free.sort_by(by_margin);
    free.truncate(count.saturating_mul(LOOKED_AT));

    let weights: Vec<f32> = free.iter().map(|&point| (1.0 - margin(point)).max(LEAST)).collect();
    let clusters = if count == 0 { Vec::new() } else { kmeans::clusters(&points, &free, Some(&weights), count, seed) };
    let mut seen = std::collections::BTreeSet::new();
    // In the order of margins, the first of each cluster; then the others, where a cluster has stayed empty.
    let (mut chosen, others): (Vec<usize>, Vec<usize>) = free
        .iter()
        .zip(&clusters)
        .map(|(&point, &cluster)| (point, seen.insert(cluster)))
        .fold((Vec::new(), Vec::new()), |(mut firsts, mut others), (point, first)| {
            if first { &mut firsts } else { &mut others }.push(point);
            (firsts, others)
        });
    let missing = count.saturating_sub(chosen.len());
    chosen.extend(others.into_iter().take(missing));
    chosen.sort_by(by_margin);
    let mut choices: Vec<Choice> = chosen
        .into_iter()
        .map(|point| {
            let index = points.images[point][0];
            Choice { index, reason: guesses[index].reason(classes), score: 1.0 - guesses[index].margin() }
        })
        .collect();
    points.fill_with_copies(&mut choices, count);
    Ok(choices)
}

/// The two likeliest classes and their probabilities.
struct Guess {
    classes: [usize; 2],
    probabilities: [f32; 2],
}

impl Guess {
    fn margin(&self) -> f32 {
        self.probabilities[0] - self.probabilities[1]
    }

    fn reason(&self, classes: &[String]) -> String {
        let [first, second] = self.classes.map(|class| &classes[class]);
        let [more, less] = self.probabilities.map(|probability| 100.0 * probability);
        format!("{first} ({more:.0} %) or {second} ({less:.0} %)")
    }
}

fn guesses(features: Rows<'_>, probabilities: Rows<'_>, classes: &[String]) -> Result<Vec<Guess>, ChooseError> {
    if features.len() != probabilities.len() {
        return Err(ChooseError::Counts { features: features.len(), probabilities: probabilities.len() });
    }
    if probabilities.dim() != classes.len() || classes.len() < 2 {
        return Err(ChooseError::Classes { columns: probabilities.dim(), classes: classes.len() });
    }
    let guess = |row: usize| {
        let values = probabilities.row(row);
        if let Some(&value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(ChooseError::Probability { row, value });
        }
        let best = |but: Option<usize>| {
            let others = (0..values.len()).filter(|&class| Some(class) != but);
            others.reduce(|best, class| if values[class] > values[best] { class } else { best }).unwrap_or_default()
        };
        let first = best(None);
        let second = best(Some(first));
        Ok(Guess { classes: [first, second], probabilities: [values[first], values[second]] })
    };
    (0..features.len()).map(guess).collect()
}
