use serde::{Deserialize, Serialize};

/// What one start comes to, as fractions of all test images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accuracies {
    /// Trained on the labels alone.
    pub supervised: f64,
    /// Trained with Mean Teacher: the teacher's accuracy.
    pub mean_teacher: Option<f64>,
}

/// The end of a run, as `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// From random weights.
    pub scratch: Accuracies,
    /// From the pre-trained encoder.
    pub pretrained: Accuracies,
    /// kNN accuracy of the pre-trained encoder with the labels of all training images, if it was trained here.
    pub knn_accuracy: Option<f64>,
    /// The same of a linear probe.
    pub linear_accuracy: Option<f64>,
    /// The number of labels used.
    pub labels: usize,
    /// The seed.
    pub seed: u64,
    /// Steps of each training with labels.
    pub steps: u64,
    /// Seconds of pre-training.
    pub pretrain_seconds: f64,
    /// Seconds of all training with labels.
    pub train_seconds: f64,
    /// The device.
    pub device: String,
    /// The test images that the accuracies are from.
    pub test_images: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scratch, pretrained, .. } = self;
        writeln!(f, "test accuracy, {} images, {} labels, seed {}", self.test_images, self.labels, self.seed)?;
        writeln!(f, "  {:<26} {:>12} {:>12} {:>9}", "", "from scratch", "pre-trained", "gain")?;
        let teachers = scratch.mean_teacher.zip(pretrained.mean_teacher);
        let rows = [
            Some(("labels alone", (scratch.supervised, pretrained.supervised))),
            teachers.map(|t| ("Mean Teacher", t)),
        ];
        for (name, (without, with)) in rows.into_iter().flatten() {
            let (without, with) = (100.0 * without, 100.0 * with);
            writeln!(f, "  {name:<26} {without:>10.2} % {with:>10.2} % {:>+9.2}", with - without)?;
        }
        if let Some((without, with)) = teachers {
            let gains = [without - scratch.supervised, with - pretrained.supervised].map(|gain| 100.0 * gain);
            writeln!(f, "  {:<26} {:>+12.2} {:>+12.2}", "gain of Mean Teacher", gains[0], gains[1])?;
        }
        let (before, after) = (self.pretrain_seconds, self.train_seconds);
        write!(f, "{} steps each; {before:.0} s of pre-training, {after:.0} s of training with labels", self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_each_part_brings() {
        let summary = Summary {
            scratch: Accuracies { supervised: 0.70, mean_teacher: Some(0.72) },
            pretrained: Accuracies { supervised: 0.75, mean_teacher: Some(0.745) },
            knn_accuracy: None,
            linear_accuracy: None,
            labels: 100,
            seed: 3,
            steps: 10,
            pretrain_seconds: 0.0,
            train_seconds: 2.0,
            device: "cpu".to_owned(),
            test_images: 40,
        };
        let lines: Vec<Vec<String>> =
            summary.to_string().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        assert_eq!(lines[2], ["labels", "alone", "70.00", "%", "75.00", "%", "+5.00"]);
        assert_eq!(lines[3], ["Mean", "Teacher", "72.00", "%", "74.50", "%", "+2.50"]);
        assert_eq!(lines[4], ["gain", "of", "Mean", "Teacher", "+2.00", "-0.50"]);
    }
}
