//! Curves of several runs in one picture.

use std::path::Path;

use anyhow::ensure;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{Chart, Line, Stroke, span};
use super::legend::{Entry, Legend, Mark};
use super::picture::{self, Picture, undrawn};
use super::text;
use super::{BLUE, ORANGE};

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (600, 380);
const MARGIN: u32 = 12;

/// Colours that differ for most eyes, the most different first.
const COLORS: [RGBColor; 8] = [
    BLUE,
    ORANGE,
    RGBColor(44, 140, 60),
    RGBColor(150, 70, 170),
    RGBColor(20, 20, 20),
    RGBColor(220, 60, 110),
    RGBColor(20, 160, 175),
    RGBColor(150, 120, 20),
];

/// Runs that share a colour differ in these.
const STROKES: [Stroke; 4] = [Stroke::Solid, Stroke::Dashed(10, 5), Stroke::Dashed(3, 4), Stroke::Dashed(18, 4)];

/// What one run did over its course.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCurve {
    /// The run's name in the legend. The same name has the same colour in all panels.
    pub name: String,
    /// Places on the horizontal axis and values, by place. Values that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// One figure, of all runs that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlayPanel {
    /// What the curves show, with its unit: "test accuracy, %".
    pub title: String,
    /// What the horizontal axis shows: "optimizer steps".
    pub across: String,
    /// A curve for each run.
    pub curves: Vec<RunCurve>,
}

/// Draws curves of several runs: a panel for each figure, two side by side, and one legend below all of them.
///
/// Eight colours are told apart; the runs after them have the same colours with dashes, and the 33rd begins again. The
/// name's end says what is written, `.png` or `.svg`.
///
/// # Errors
/// If no panel has a finite point, if the name ends otherwise, and errors of drawing and of writing.
pub fn draw_overlay(panels: &[OverlayPanel], path: &Path) -> anyhow::Result<()> {
    let overlay = Overlay::new(panels);
    ensure!(!overlay.names.is_empty(), "there is no curve to draw, allowed: runs with at least one finite value");
    picture::write_file(&overlay, path)
}

struct Overlay<'a> {
    panels: &'a [OverlayPanel],
    /// Runs that have a point, in the order of their first curve.
    names: Vec<&'a str>,
}

impl<'a> Overlay<'a> {
    fn new(panels: &'a [OverlayPanel]) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for curve in panels.iter().flat_map(|panel| &panel.curves) {
            let seen = curve.points.iter().any(|(x, y)| x.is_finite() && y.is_finite());
            if seen && !names.contains(&curve.name.as_str()) {
                names.push(&curve.name);
            }
        }
        Self { panels, names }
    }

    /// The colour and stroke of a run.
    fn look(&self, name: &str) -> (RGBColor, Stroke) {
        let place = self.names.iter().position(|other| *other == name).unwrap_or(0);
        (COLORS[place % COLORS.len()], STROKES[place / COLORS.len() % STROKES.len()])
    }

    /// Panels side by side, and rows of them.
    fn grid(&self) -> (usize, usize) {
        let columns = self.panels.len().clamp(1, 2);
        (self.panels.len().div_ceil(columns), columns)
    }

    fn legend(&self) -> Legend {
        let entry = |name: &&str| {
            let (color, stroke) = self.look(name);
            Entry { name: (*name).to_owned(), color, mark: Mark::Line(stroke) }
        };
        let width = self.grid().1 as u32 * PANEL.0 - 2 * MARGIN;
        Legend::strip(self.names.iter().map(entry).collect(), width)
    }

    fn chart(&self, panel: &'a OverlayPanel) -> Chart<'a> {
        let points = || panel.curves.iter().flat_map(|curve| &curve.points);
        let finite = || points().filter(|(x, y)| x.is_finite() && y.is_finite());
        let last = finite().map(|point| point.0).fold(0.0, f64::max);
        let first = finite().map(|point| point.0).fold(0.0, f64::min);
        let line = |curve: &'a RunCurve| {
            let (color, stroke) = self.look(&curve.name);
            Line { points: &curve.points, color, stroke }
        };
        Chart {
            across: &panel.across,
            x: first..if last > first { last + 0.02 * (last - first) } else { first + 1.0 },
            y: span(finite().map(|point| point.1), 0.08),
            tick: Box::new(|place| ((place * 100.0).round() / 100.0).to_string()),
            lines: panel.curves.iter().map(line).collect(),
        }
    }
}

impl Picture for Overlay<'_> {
    fn size(&self) -> (u32, u32) {
        let (rows, columns) = self.grid();
        (columns as u32 * PANEL.0, rows as u32 * PANEL.1 + self.legend().size().1 + MARGIN)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (rows, columns) = self.grid();
        let (plots, legend) = area.split_vertically(rows as u32 * PANEL.1);
        for (panel, area) in self.panels.iter().zip(plots.split_evenly((rows, columns))) {
            let area = area.margin(MARGIN, MARGIN, MARGIN, MARGIN);
            let title = text::shorten(&text::plain(&panel.title), 18, area.dim_in_pixel().0);
            self.chart(panel).draw(&area.titled(&title, ("sans-serif", 18)).map_err(undrawn)?)?;
        }
        self.legend().draw(&legend.margin(0, 0, MARGIN, MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &str, runs: usize) -> OverlayPanel {
        let curve = |run: usize| RunCurve {
            name: format!("runs/<{run}> & more"),
            points: (0..5).map(|step| (step as f64 * 100.0, (run + step) as f64)).collect(),
        };
        let curves = (0..runs).map(curve).collect();
        OverlayPanel { title: title.to_owned(), across: "optimizer steps".to_owned(), curves }
    }

    #[test]
    fn a_run_looks_the_same_in_all_panels_and_unlike_the_others() {
        let mut panels = [panel("accuracy, %", 32), panel("loss", 32)];
        panels[1].curves.reverse();
        let overlay = Overlay::new(&panels);
        for (place, name) in overlay.names.iter().enumerate() {
            for other in &overlay.names[..place] {
                assert_ne!(overlay.look(name), overlay.look(other), "{name} and {other}");
            }
        }
        let look = |panel: usize, curve: usize| {
            let Line { color, stroke, .. } = &overlay.chart(&panels[panel]).lines[curve];
            (*color, *stroke)
        };
        assert_eq!(look(0, 3), look(1, 28));
    }

    #[test]
    fn the_legend_is_below_every_panel() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("runs.svg");
        draw_overlay(&[panel("accuracy, %", 9), panel("loss", 2), panel("rate", 1)], &path).expect("drawn");
        let svg = std::fs::read_to_string(path).expect("written");
        let svg = roxmltree::Document::parse(&svg).expect("well-formed");
        let texts: Vec<_> = svg.descendants().filter(|node| node.has_tag_name("text")).collect();
        for run in 0..9 {
            let name = format!("runs/<{run}> & more");
            let named: Vec<_> = texts.iter().filter(|text| text.text().is_some_and(|t| t.contains(&name))).collect();
            assert_eq!(named.len(), 1, "{name} stands in the legend, once");
            let y = named[0].attribute("y").and_then(|y| y.parse::<u32>().ok()).expect("a number");
            assert!(y > 2 * PANEL.1, "{name} at {y}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_left_out_and_nothing_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("runs.png");
        let curve = |points: &[(f64, f64)]| OverlayPanel {
            title: "loss".to_owned(),
            across: "epochs".to_owned(),
            curves: vec![RunCurve { name: "写真\u{1}".repeat(80), points: points.to_vec() }],
        };
        let drawn = |points: &[(f64, f64)]| draw_overlay(&[curve(points)], &path);
        drawn(&[(1.0, f64::NAN), (2.0, 3.0), (3.0, f64::INFINITY)]).expect("one point");
        drawn(&[(0.0, 0.0)]).expect("at the beginning");
        image::open(&path).expect("a picture");
        let error = drawn(&[(1.0, f64::NAN)]).expect_err("no point").to_string();
        assert!(error.contains("no curve"), "{error}");
        let error = draw_overlay(&[panel("loss", 1)], &folder.path().join("runs.gif")).expect_err("no GIF").to_string();
        assert!(error.contains("runs.gif") && error.contains(".png or .svg"), "{error}");
    }
}
