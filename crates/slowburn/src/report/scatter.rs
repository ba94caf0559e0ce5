use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::picture::{self, Picture, undrawn};

/// Test features as points of a plane, coloured by class.
#[derive(Debug)]
pub struct Scatter<'a> {
    /// What is above the picture.
    pub title: String,
    /// The share of the variance along each axis.
    pub shares: [f64; 2],
    /// One point for each sample.
    pub points: &'a [(f64, f64)],
    /// The class of each.
    pub labels: &'a [usize],
    /// The names of the classes.
    pub classes: &'a [String],
}

/// Writes `scatter.svg` and `scatter.png`.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw_scatter(scatter: &Scatter<'_>, folder: &Path) -> anyhow::Result<()> {
    picture::write(scatter, "scatter", folder)
}

/// A colour for each class: hues a golden angle apart.
fn color(class: usize) -> HSLColor {
    HSLColor((class as f64 * 0.381_966).fract(), 0.75, if class.is_multiple_of(2) { 0.42 } else { 0.58 })
}

impl Picture for Scatter<'_> {
    const SIZE: (u32, u32) = (860, 640);

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            if low < high { low - 0.03 * (high - low)..high + 0.03 * (high - low) } else { -1.0..1.0 }
        };
        let x = range(&mut self.points.iter().map(|point| point.0));
        let y = range(&mut self.points.iter().map(|point| point.1));
        // Room for the legend, right of the points.
        let x = x.start..x.end + 0.3 * (x.end - x.start);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(x, y)
            .map_err(undrawn)?;
        let axis = |share: f64| format!("{:.0} % of the variance", 100.0 * share);
        chart
            .configure_mesh()
            .x_desc(axis(self.shares[0]))
            .y_desc(axis(self.shares[1]))
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(228, 228, 228))
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(undrawn)?;
        for (class, name) in self.classes.iter().enumerate() {
            let color = color(class);
            let points = self.points.iter().zip(self.labels).filter(|(_, label)| **label == class);
            chart
                .draw_series(points.map(|(point, _)| Circle::new(*point, 2, color.mix(0.7).filled())))
                .map_err(undrawn)?
                .label(name)
                .legend(move |(x, y)| Circle::new((x + 9, y), 4, color.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .label_font(("sans-serif", 13))
            .draw()
            .map_err(undrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_in_the_legend() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let classes = ["boot", "bag"].map(String::from);
        let points = [(0.0, 1.0), (2.0, -1.0), (0.5, 0.5)];
        let title = "features".to_owned();
        let scatter = Scatter { title, shares: [0.6, 0.2], points: &points, labels: &[0, 1, 1], classes: &classes };
        draw_scatter(&scatter, folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("scatter.svg")).expect("written");
        assert!(svg.contains("boot") && svg.contains("bag") && svg.contains("60 % of the variance"));
        assert_eq!(image::open(folder.path().join("scatter.png")).expect("a picture").width(), 860);
    }
}
