//! Tables of accuracies, mean ± standard deviation over seeds.

use serde::{Deserialize, Serialize};

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is varied; a name that is that of the row above is not printed again.
    pub group: String,
    /// The value that it has here.
    pub setting: String,
    /// A list of accuracies for each column, by seed, as fractions.
    pub scores: Vec<Vec<f64>>,
}

impl Row {
    /// A row with so many columns, without scores.
    pub fn new(group: impl Into<String>, setting: impl Into<String>, columns: usize) -> Self {
        Self { group: group.into(), setting: setting.into(), scores: vec![Vec::new(); columns] }
    }
}

/// Rows under the names of their columns.
///
/// ```
/// use slowburn_examples::table::{Row, table};
///
/// let row = |setting: &str, score| Row { group: "queue".into(), setting: setting.into(), scores: vec![vec![score; 2]] };
/// let text = table(&["kNN"], &[row("128", 0.5), row("512", 0.625)]);
/// assert!(text.contains("62.50 ± 0.00 %") && text.matches("queue").count() == 1, "{text}");
/// ```
pub fn table(columns: &[&str], rows: &[Row]) -> String {
    let width = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let (group, setting) = (width(|row| &row.group).max(15), width(|row| &row.setting).max(20));
    let mut text = format!("{:1$}", "", group + setting + 3);
    columns.iter().for_each(|column| text += &format!(" {column:>17}"));
    text.push('\n');
    let mut above = "";
    for row in rows {
        let shown = if row.group == above { "" } else { &row.group };
        above = &row.group;
        text += &format!("  {shown:<group$}{:<setting$} ", row.setting);
        row.scores.iter().for_each(|scores| text += &format!(" {:>17}", percent(scores)));
        text.push('\n');
    }
    text
}

/// Mean and sample standard deviation; the latter is 0 for one value.
pub fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 })
}

/// Mean and deviation of fractions, in percent.
pub fn percent(values: &[f64]) -> String {
    let (mean, deviation) = spread(values);
    format!("{:.2} ± {:.2} %", 100.0 * mean, 100.0 * deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(spread(&[0.5]), (0.5, 0.0));
        assert_eq!(spread(&[1.0, 2.0, 3.0]), (2.0, 1.0));
        assert_eq!(percent(&[0.5, 0.5]), "50.00 ± 0.00 %");
    }

    #[test]
    fn a_group_is_named_once_and_columns_are_aligned() {
        let row = |group: &str, setting: &str, scores: &[&[f64]]| Row {
            group: group.to_owned(),
            setting: setting.to_owned(),
            scores: scores.iter().map(|scores| scores.to_vec()).collect(),
        };
        let rows = [
            row("decay", "0.99 (default)", &[&[0.7557, 0.7563], &[1.0]]),
            row("decay", "0", &[&[0.5], &[0.25, 0.75]]),
            row("queue", "a setting with a long name", &[&[0.0], &[0.0]]),
        ];
        let text = table(&["kNN", "linear probe"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(text.matches("decay").count(), 1);
        assert!(lines[1].ends_with("75.60 ± 0.04 %   100.00 ± 0.00 %"), "{text}");
        assert!(lines[2].contains("50.00 ± 35.36 %"), "{text}");
        let ends: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|&end| end == ends[0]), "{text}");
    }
}
