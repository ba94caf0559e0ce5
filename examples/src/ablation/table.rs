use serde::{Deserialize, Serialize};

use super::Group;
use crate::spread::{percent, spread};
use slowburn::moco;
use slowburn::report::{Across, BLUE, Curve, ORANGE, Panel};

/// Accuracies of one setting, by seed, as fractions of the test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is varied.
    pub group: Group,
    /// The value, in words.
    pub name: String,
    /// The value, where it is a number.
    pub value: Option<f64>,
    /// Whether it is the default of what is varied.
    pub default: bool,
    /// Weighted kNN.
    pub knn: Vec<f64>,
    /// The linear probe.
    pub linear: Vec<f64>,
}

/// The end of all runs, as `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Epochs of each run.
    pub epochs: u64,
    /// Settings in the order of the groups.
    pub rows: Vec<Row>,
    /// kNN of the random encoder, by seed.
    pub random_knn: Vec<f64>,
    /// Linear probe of the random encoder, by seed.
    pub random_linear: Vec<f64>,
    /// Seconds of training in all runs.
    pub train_seconds: f64,
}

impl Summary {
    /// Takes a run's scores in.
    pub(super) fn random(&mut self, run: &moco::Summary) {
        self.random_knn.push(run.random_knn_accuracy);
        self.random_linear.push(run.random_linear_accuracy);
    }

    /// Accuracy against queue size, and against decay.
    pub(super) fn panels(&self) -> [Panel; 2] {
        let curve = |name, color, group, place: &dyn Fn(f64) -> f64, of: &dyn Fn(&Row) -> &[f64]| {
            let rows = self.rows.iter().filter(|row| row.group == group);
            let points = rows.filter_map(|row| Some((place(row.value?), 100.0 * spread(of(row)).0)));
            Curve { name, color, points: points.collect() }
        };
        let panel = |title: &str, group, place: &dyn Fn(f64) -> f64, across| {
            let curves = vec![
                curve("linear probe", ORANGE, group, place, &|row| &row.linear),
                curve("kNN", BLUE, group, place, &|row| &row.knn),
            ];
            Panel { title: String::from(title), curves, across }
        };
        [
            panel("large: test accuracy, %", Group::Queue, &f64::log2, Across::Powers("keys in the queue")),
            panel("consistent: test accuracy, %", Group::Decay, &|decay| -(1.0 - decay).log10(), Across::Decays),
        ]
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "test accuracy, {} epochs, seeds {:?}, mean ± standard deviation", self.epochs, self.seeds)?;
        writeln!(f, "  {:<12} {:<22} {:>18} {:>18}", "", "", "kNN", "linear probe")?;
        writeln!(
            f,
            "  {:<35} {:>18} {:>18}",
            "random encoder",
            percent(&self.random_knn),
            percent(&self.random_linear)
        )?;
        let mut above = None;
        for row in &self.rows {
            let group = format!("{:?}", row.group).to_lowercase();
            let shown = if above == Some(row.group) { "" } else { group.as_str() };
            above = Some(row.group);
            let name = format!("{}{}", row.name, if row.default { " (default)" } else { "" });
            writeln!(f, "  {shown:<12} {name:<22} {:>18} {:>18}", percent(&row.knn), percent(&row.linear))?;
        }
        write!(f, "{:.0} s of training", self.train_seconds)
    }
}
