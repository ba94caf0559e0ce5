use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::span;
use super::legend::{Entry, Legend, Mark};
use super::picture::{self, Picture, undrawn};

/// Width and height of the picture without its legend.
const PLOT: (u32, u32) = (680, 640);
/// Room above the legend, in pixels.
const LEGEND_TOP: u32 = 44;

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

impl Scatter<'_> {
    fn legend(&self) -> Legend {
        let entry =
            |(class, name): (usize, &String)| Entry { name: name.clone(), color: rgb(color(class)), mark: Mark::Dot };
        Legend::beside(self.classes.iter().enumerate().map(entry).collect(), PLOT.1 - 2 * LEGEND_TOP)
    }
}

impl Picture for Scatter<'_> {
    fn size(&self) -> (u32, u32) {
        (PLOT.0 + self.legend().size().0, PLOT.1)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let x = span(self.points.iter().map(|point| point.0), 0.03);
        let y = span(self.points.iter().map(|point| point.1), 0.03);
        let (plot, beside) = area.split_horizontally(PLOT.0);
        self.legend().draw(&beside.margin(LEGEND_TOP, 0, 0, 0))?;
        let mut chart = ChartBuilder::on(&plot)
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
        let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        // By class, so that the picture depends on the classes' order and not on that of the images.
        for class in 0..self.classes.len() {
            let color = rgb(color(class)).mix(0.7);
            let points = self.points.iter().zip(self.labels).filter(|(point, label)| **label == class && finite(point));
            chart.draw_series(points.map(|(point, _)| Circle::new(*point, 2, color.filled()))).map_err(undrawn)?;
        }
        Ok(())
    }
}

fn rgb(color: HSLColor) -> RGBColor {
    let (red, green, blue) = color.to_backend_color().rgb;
    RGBColor(red, green, blue)
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
        let svg = roxmltree::Document::parse(&svg).expect("well-formed");
        let number = |node: roxmltree::Node<'_, '_>| node.attribute("cx").and_then(|x| x.parse::<u32>().ok());
        let dots = svg.descendants().filter(|node| node.has_tag_name("circle")).filter_map(number);
        let (points, legend): (Vec<u32>, Vec<u32>) = dots.partition(|x| *x < PLOT.0);
        assert_eq!((points.len(), legend.len()), (3, 2), "points left of the legend, two names right of them");
        let png = image::open(folder.path().join("scatter.png")).expect("a picture");
        assert_eq!((png.width(), png.height()), scatter.size());
    }
}
