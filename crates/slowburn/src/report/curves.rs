use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::picture::{self, Picture, undrawn};

/// What a curve is compared with.
pub const GREY: RGBColor = RGBColor(110, 110, 110);
/// A first curve.
pub const BLUE: RGBColor = RGBColor(31, 119, 180);
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
    const SIZE: (u32, u32) = (960, 400);

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, right) = area.split_horizontally(Self::SIZE.0 / 2);
        chart(&left, &self[0])?;
        chart(&right, &self[1])
    }
}

fn chart<B: DrawingBackend>(area: &DrawingArea<B, Shift>, panel: &Panel) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let curves = &panel.curves;
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let first = points().map(|point| point.0).fold(last, f64::min);
    let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.08).max(1e-3);
    // A training's curves leave the middle free; those of settings may not, so that room is made below them.
    let (below, legend) = match panel.across {
        Across::Steps => (margin, SeriesLabelPosition::MiddleRight),
        Across::Powers(_) | Across::Decays => (4.0 * margin, SeriesLabelPosition::LowerRight),
    };

    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(panel.across.range(first, last), (low - below)..(high + margin))
        .map_err(undrawn)?;
    chart
        .configure_mesh()
        .x_desc(panel.across.name())
        .x_labels(6)
        .x_label_formatter(&|&place| panel.across.tick(place))
        .y_labels(7)
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(undrawn)?;
    for curve in curves.iter().filter(|curve| !curve.points.is_empty()) {
        let color = curve.color;
        // Dots show the epochs, and a run of one epoch at all.
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), color.stroke_width(2)).point_size(2))
            .map_err(undrawn)?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(undrawn)
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
        assert_eq!((png.width(), png.height()), <[Panel; 2]>::SIZE);
    }

    #[test]
    fn ticks_say_what_was_set() {
        assert_eq!([0.0, 1.0, 4.0].map(|place| Across::Decays.tick(place)), ["0", "0.9", "0.9999"]);
        assert_eq!(Across::Powers("keys").tick(12.0), "4096");
    }

    #[test]
    fn an_empty_history_is_drawn_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        draw_curves(&[panel(vec![]), panel(vec![])], folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("written");
        assert_eq!(svg.matches("accuracy").count(), 2, "both titles");
        let png = image::open(folder.path().join("curves.png")).expect("a picture").into_rgb8();
        assert_eq!((png.width(), png.height()), <[Panel; 2]>::SIZE);
        let blue = |pixel: &&image::Rgb<u8>| pixel.0[2] > pixel.0[0].saturating_add(60);
        assert!(png.pixels().filter(blue).count() < 200, "a legend's line at most, and no curve");
    }
}
