//! One figure of several runs in one picture.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{RunInfo, curves};
use crate::report::{OverlayPanel, RunCurve, draw_overlay};

/// Which figure is drawn if nobody says: the first that at least half of the runs with curves have, else the first at all.
const CHOICES: [&str; 6] =
    ["teacher accuracy", "validation accuracy", "student accuracy", "knn accuracy", "contrast accuracy", "loss"];

/// A run's name and its points, (optimizer steps, value).
type Line = (String, Vec<(f64, f64)>);

/// Draws a figure of all runs that have it.
pub(super) fn plot(runs: &[RunInfo], figure: Option<&str>, file: &Path) -> Result<()> {
    let all: Vec<(String, Vec<Line>)> = runs.iter().map(|run| (run.name.clone(), curves(run))).collect();
    let figure = match figure {
        Some(figure) => figure.to_owned(),
        None => default_figure(&all).context("no run has a curve: metrics.jsonl comes with the first epoch")?,
    };
    let lines: Vec<Line> = all
        .iter()
        .filter_map(|(run, curves)| {
            let (_, points) = curves.iter().find(|(name, _)| *name == figure)?;
            Some((run.clone(), points.clone()))
        })
        .collect();
    if lines.is_empty() {
        let mut names: Vec<&str> =
            all.iter().flat_map(|(_, curves)| curves.iter().map(|(name, _)| name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        bail!("--figure {figure}: no run has it, allowed: {}", names.join(", "));
    }
    let unit = if figure.ends_with("accuracy") { ", %" } else { "" };
    let curves = lines.into_iter().map(|(name, points)| RunCurve { name, points }).collect();
    let panel = OverlayPanel { title: format!("{figure}{unit}"), across: "optimizer steps".to_owned(), curves };
    draw_overlay(&[panel], file)
}

fn default_figure(all: &[(String, Vec<Line>)]) -> Option<String> {
    let with = all.iter().filter(|(_, curves)| !curves.is_empty()).count();
    let having = |figure: &str| all.iter().filter(|(_, curves)| curves.iter().any(|(name, _)| name == figure)).count();
    let most = CHOICES.into_iter().find(|figure| having(figure) > 0 && 2 * having(figure) >= with);
    most.or_else(|| CHOICES.into_iter().find(|figure| having(figure) > 0)).map(str::to_owned)
}
