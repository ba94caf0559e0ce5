/// How often images of each class were taken for each: rows are true classes, columns those found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion(Vec<Vec<u64>>);

impl Confusion {
    /// Nothing yet of so many classes.
    pub fn new(classes: usize) -> Self {
        Self(vec![vec![0; classes]; classes])
    }

    /// Counts an image.
    pub fn count(&mut self, truth: usize, found: usize) {
        self.0[truth][found] += 1;
    }

    /// The counts, `[true class][class found]`.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.0
    }

    /// Images counted.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Images whose class was found.
    pub fn correct(&self) -> u64 {
        (0..self.0.len()).map(|class| self.0[class][class]).sum()
    }
}

impl std::fmt::Display for Confusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (correct, total) = (self.correct(), self.total());
        write!(f, "accuracy {:.2} %: {correct} of {total} images", 100.0 * correct as f64 / total.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagonal_is_right() {
        let mut confusion = Confusion::new(3);
        for (truth, found) in [(0, 0), (0, 2), (1, 1), (2, 1)] {
            confusion.count(truth, found);
        }
        assert_eq!(confusion.counts(), [[1, 0, 1], [0, 1, 0], [0, 1, 0]]);
        assert_eq!(confusion.to_string(), "accuracy 50.00 %: 2 of 4 images");
    }
}
