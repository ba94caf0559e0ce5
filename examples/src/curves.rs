//! The picture of `ablation`: accuracy against a number that is varied.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use crate::picture::{Area, BLUE, LIGHT, ORANGE, title, undrawn, write};
use crate::table::spread;

/// A horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// Sizes, each place twice the one before.
    Sizes,
    /// Decays, each place ten times as near to 1 as the one before.
    Decays,
}

impl Across {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Sizes => value.log2(),
            Self::Decays => -(1.0 - value).log10(),
        }
    }

    /// What is written at a place that is a whole number.
    fn tick(self, place: f64) -> String {
        let whole = place.round();
        match self {
            _ if (place - whole).abs() > 1e-6 => String::new(),
            Self::Sizes => format!("{:.0}", whole.exp2()),
            Self::Decays => format!("{:.*}", whole.max(0.0) as usize, 1.0 - 10f64.powf(-whole)),
        }
    }
}

/// A chart: values with accuracies by seed, as fractions, for two curves.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What is above it.
    pub title: &'static str,
    /// What is below it.
    pub axis: &'static str,
    /// How values become places.
    pub across: Across,
    /// The names of the curves.
    pub curves: [&'static str; 2],
    /// A value, and the accuracies of both curves.
    pub points: Vec<(f64, [Vec<f64>; 2])>,
}

/// Width and height of a panel.
const SIZE: (u32, u32) = (480, 400);
/// The height of title and legend, which stand above the chart and so hide no point.
const HEAD: u32 = 62;

/// Draws panels side by side: means as lines, a standard deviation above and below each as a bar.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw(panels: &[Panel], path: &Path) -> Result<()> {
    let drawn: Vec<&Panel> = panels.iter().filter(|panel| !panel.points.is_empty()).collect();
    let count = drawn.len().max(1);
    write(path, (SIZE.0 * count as u32, SIZE.1), |area| {
        let areas = area.split_evenly((1, count));
        areas.iter().zip(drawn).try_for_each(|(area, panel)| panel.draw(area))
    })
}

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let (head, body) = area.split_vertically(HEAD);
        title(&head, self.title, 18)?;
        let curves = self.curves.iter().zip([BLUE, ORANGE]).enumerate();
        for (place, (name, color)) in curves.clone() {
            let x = 60 + 160 * place as i32;
            head.draw(&PathElement::new([(x, 48), (x + 24, 48)], color.stroke_width(2))).map_err(undrawn)?;
            let text = Text::new((*name).to_owned(), (x + 30, 41), ("sans-serif", 14).into_font());
            head.draw(&text).map_err(undrawn)?;
        }

        let places = || self.points.iter().map(|(value, _)| self.across.place(*value));
        let (first, last) = (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
        let ends = || {
            let scores = self.points.iter().flat_map(|(_, scores)| scores);
            scores.map(|scores| spread(scores)).flat_map(|(mean, std)| [100.0 * (mean - std), 100.0 * (mean + std)])
        };
        let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        let margin = 0.05 * (high - low).max(1.0);
        let mut chart = ChartBuilder::on(&body)
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d((first - 0.3)..(last + 0.3), (low - margin)..(high + margin))
            .map_err(undrawn)?;
        chart
            .configure_mesh()
            .x_desc(self.axis)
            .x_labels(8)
            .x_label_formatter(&|&place| self.across.tick(place))
            .y_labels(7)
            .light_line_style(WHITE)
            .bold_line_style(LIGHT)
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(undrawn)?;
        for (curve, (_, color)) in curves {
            let means: Vec<_> = self.points.iter().map(|(value, scores)| (*value, spread(&scores[curve]))).collect();
            let at = |(value, (mean, _)): &(f64, (f64, f64))| (self.across.place(*value), 100.0 * mean);
            let line = LineSeries::new(means.iter().map(at), color.stroke_width(2)).point_size(3);
            chart.draw_series(line).map_err(undrawn)?;
            let bars = means.iter().map(|point| {
                let ((x, y), std) = (at(point), 100.0 * point.1.1);
                PathElement::new([(x, y - std), (x, y + std)], color.stroke_width(1))
            });
            chart.draw_series(bars).map_err(undrawn)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        let scores = |value: f64| [vec![value, value + 0.02], vec![value + 0.1]];
        Panel {
            title: "large",
            axis: "keys in the queue",
            across: Across::Sizes,
            curves: ["kNN", "linear probe"],
            points: [(128.0, 0.7), (512.0, 0.75), (2048.0, 0.74)].map(|(size, score)| (size, scores(score))).into(),
        }
    }

    #[test]
    fn ticks_say_what_was_set() {
        assert_eq!([0.0, 1.0, 4.0].map(|place| Across::Decays.tick(place)), ["0", "0.9", "0.9999"]);
        assert_eq!([12.0, 12.5].map(|place| Across::Sizes.tick(place)), ["4096", ""]);
        for (across, value) in [(Across::Sizes, 512.0), (Across::Decays, 0.999)] {
            assert_eq!(across.tick(across.place(value)), value.to_string());
        }
    }

    #[test]
    fn every_point_lies_below_the_legend() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("curves.svg");
        let empty = Panel { title: "nothing was varied", points: Vec::new(), ..panel() };
        draw(&[panel(), empty, panel()], &path).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        for (text, times) in [("large", 2), ("kNN", 2), ("linear probe", 2), ("512", 2), ("nothing", 0)] {
            assert_eq!(svg.matches(text).count(), times, "{text}");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
        let heights: Vec<u32> = svg
            .split("<circle ")
            .skip(1)
            .map(|circle| circle.split("cy=\"").nth(1).expect("a place").split('"').next().expect("a number"))
            .map(|height| height.parse().expect("a number"))
            .collect();
        assert_eq!(heights.len(), 12, "three points of two curves in two panels");
        assert!(heights.iter().all(|&height| height > HEAD && height < SIZE.1), "{heights:?}");
    }
}
