use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{Chart, Line, Stroke, span};
use super::legend::{Entry, Legend, Mark};
use super::picture::{self, Picture, undrawn};

/// Room above and below a legend, together, in pixels.
const STRIP_MARGIN: u32 = 8;
/// Where the plot begins, right of its axis, and the legend with it.
const INDENT: u32 = 52;

/// What a curve is compared with.
pub const GREY: RGBColor = RGBColor(110, 110, 110);
/// A first curve.
pub const BLUE: RGBColor = RGBColor(31, 119, 180);
/// A third curve.
pub const GREEN: RGBColor = RGBColor(44, 140, 60);
/// A second curve.
pub const ORANGE: RGBColor = RGBColor(214, 98, 20);

/// One line of a chart.
#[derive(Debug)]
pub struct Curve {
    /// Its name in the legend.
    pub name: &'static str,
    /// Its colour.
    pub color: RGBColor,
    /// Places on the horizontal axis and values, by place.
    pub points: Vec<(f64, f64)>,
}

/// A horizontal axis.
#[derive(Debug, Clone, Copy)]
pub enum Across {
    /// Optimizer steps, from 0.
    Steps,
    /// Powers of two of what it names: places are exponents.
    Powers(&'static str),
    /// Decays `1 − 10⁻ˣ` at the places x.
    Decays,
}

impl Across {
    fn name(self) -> &'static str {
        match self {
            Self::Steps => "optimizer steps",
            Self::Powers(name) => name,
            Self::Decays => "decay of the average",
        }
    }

    fn tick(self, place: f64) -> String {
        match self {
            Self::Steps => format!("{place:.0}"),
            Self::Powers(_) => format!("{:.0}", place.exp2()),
            Self::Decays => format!("{:.*}", place.round() as usize, 1.0 - 10f64.powf(-place)),
        }
    }

    /// From where to where, for places up to `last`.
    fn range(self, first: f64, last: f64) -> std::ops::Range<f64> {
        match self {
            Self::Steps => 0.0..last * 1.02,
            Self::Powers(_) | Self::Decays => first - 0.2..last.max(first) + 0.2,
        }
    }
}

/// A chart.
#[derive(Debug)]
pub struct Panel {
    /// What is above it.
    pub title: String,
    /// Its curves; one without points is left out.
    pub curves: Vec<Curve>,
    /// What they are drawn over.
    pub across: Across,
}

/// Draws two charts side by side as `curves.svg` and `curves.png` in `folder`.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw_curves(panels: &[Panel; 2], folder: &Path) -> anyhow::Result<()> {
    picture::write(panels, "curves", folder)
}

impl Picture for [Panel; 2] {
    fn size(&self) -> (u32, u32) {
        (960, 400)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, right) = area.split_horizontally(self.size().0 / 2);
        let areas = [left, right].map(|area| area.margin(12, 12, 12, 12));
        let legends = [0, 1].map(|place| Legend::strip(self[place].entries(), areas[place].dim_in_pixel().0 - INDENT));
        // As high in both, so that the plots stand side by side.
        let height = legends.iter().map(|legend| legend.size().1).max().unwrap_or(0);
        for ((panel, area), legend) in self.iter().zip(&areas).zip(&legends) {
            let below = area.titled(&panel.title, ("sans-serif", 18)).map_err(undrawn)?;
            let (strip, plot) = below.split_vertically(height + STRIP_MARGIN);
            legend.draw(&strip.margin(STRIP_MARGIN / 2, 0, INDENT, 0))?;
            panel.chart().draw(&plot)?;
        }
        Ok(())
    }
}

impl Panel {
    /// Curves that have points.
    fn shown(&self) -> impl Iterator<Item = &Curve> {
        self.curves.iter().filter(|curve| !curve.points.is_empty())
    }

    fn entries(&self) -> Vec<Entry> {
        let entry =
            |curve: &Curve| Entry { name: curve.name.to_owned(), color: curve.color, mark: Mark::Line(Stroke::Solid) };
        self.shown().map(entry).collect()
    }

    fn chart<'a>(&'a self) -> Chart<'a> {
        let points = || self.shown().flat_map(|curve| &curve.points);
        let last = points().map(|point| point.0).fold(1.0, f64::max);
        let first = points().map(|point| point.0).fold(last, f64::min);
        let line = |curve: &'a Curve| Line { points: &curve.points, color: curve.color, stroke: Stroke::Solid };
        Chart {
            across: self.across.name(),
            x: self.across.range(first, last),
            y: span(points().map(|point| point.1), 0.08),
            tick: Box::new(|place| self.across.tick(place)),
            lines: self.shown().map(line).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> Panel {
        Panel {
            title: "accuracy".to_owned(),
            curves: vec![Curve { name: "the teacher's", color: BLUE, points }],
            across: Across::Steps,
        }
    }

    #[test]
    fn both_pictures_are_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let panels = [panel(vec![(10.0, 50.0), (20.0, 60.0)]), panel(vec![(10.0, 1.0)])];
        draw_curves(&panels, folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("written");
        assert!(svg.contains("the teacher") && svg.contains("accuracy"), "title and legend");
        let png = image::open(folder.path().join("curves.png")).expect("a picture");
        assert_eq!((png.width(), png.height()), panels.size());
    }

    /// A curve through every corner of its plot: a legend within would hide a part of it.
    #[test]
    fn the_legend_is_above_the_plot() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let corners = || vec![(0.0, 0.0), (0.0, 1.0), (100.0, 1.0), (100.0, 0.0), (50.0, 0.5)];
        draw_curves(&[panel(corners()), panel(corners())], folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("written");
        let svg = roxmltree::Document::parse(&svg).expect("well-formed");
        let number = |node: roxmltree::Node<'_, '_>, name| node.attribute(name).and_then(|n| n.parse::<f64>().ok());
        let named = |tag: &'static str| svg.descendants().filter(move |node| node.has_tag_name(tag));
        let highest = named("circle").filter_map(|dot| number(dot, "cy")).fold(f64::INFINITY, f64::min);
        let names = named("text").filter(|text| text.text().is_some_and(|text| text.contains("the teacher")));
        let lowest = names.filter_map(|name| number(name, "y")).fold(0.0, f64::max);
        assert!(lowest > 0.0 && lowest + 13.0 < highest, "the legend ends at {lowest}, the data begin at {highest}");
    }

    #[test]
    fn ticks_say_what_was_set() {
        assert_eq!([0.0, 1.0, 4.0].map(|place| Across::Decays.tick(place)), ["0", "0.9", "0.9999"]);
        assert_eq!(Across::Powers("keys").tick(12.0), "4096");
    }

    #[test]
    fn an_empty_history_is_drawn_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let panels = [panel(vec![]), panel(vec![])];
        draw_curves(&panels, folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("written");
        assert_eq!(svg.matches("accuracy").count(), 2, "both titles");
        let png = image::open(folder.path().join("curves.png")).expect("a picture").into_rgb8();
        assert_eq!((png.width(), png.height()), panels.size());
        let blue = |pixel: &&image::Rgb<u8>| pixel.0[2] > pixel.0[0].saturating_add(60);
        assert_eq!(png.pixels().filter(blue).count(), 0, "neither a curve nor a name of one");
    }
}
