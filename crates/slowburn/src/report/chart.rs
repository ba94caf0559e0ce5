//! Curves over one axis, with their legend in a strip above the plot.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::picture::undrawn;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Without gaps.
    Solid,
    /// Dashes and gaps of so many pixels.
    Dashed(u32, u32),
}

impl Stroke {
    /// A straight piece of a curve.
    pub(super) fn draw<B: DrawingBackend>(
        self,
        area: &DrawingArea<B, Shift>,
        color: RGBColor,
        ends: [(i32, i32); 2],
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let style = color.stroke_width(2);
        match self {
            Self::Solid => area.draw(&PathElement::new(ends, style)),
            Self::Dashed(dash, gap) => area.draw(&DashedPathElement::new(ends, dash, gap, style)),
        }
        .map_err(undrawn)
    }
}

/// One curve.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) points: &'a [(f64, f64)],
    pub(super) color: RGBColor,
    pub(super) stroke: Stroke,
}

/// A chart without its title and legend.
pub(super) struct Chart<'a> {
    /// What the horizontal axis shows.
    pub(super) across: &'a str,
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    /// A place of the horizontal axis in words.
    pub(super) tick: Box<dyn Fn(f64) -> String + 'a>,
    pub(super) lines: Vec<Line<'a>>,
}

/// The smallest and largest of the finite values, with `share` of their distance on both sides; 0 to 1 without any.
pub(super) fn span(values: impl Iterator<Item = f64>, share: f64) -> Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    // Equal values, however large, are a line in the middle.
    let margin = ((high - low) * share).max(1e-3).max(high.abs().max(low.abs()) * 1e-9);
    low - margin..high + margin
}

impl Chart<'_> {
    /// Fills the area.
    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .map_err(undrawn)?;
        chart
            .configure_mesh()
            .x_desc(self.across)
            .x_labels(6)
            .x_label_formatter(&|&place| (self.tick)(place))
            .y_labels(7)
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(228, 228, 228))
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(undrawn)?;
        for line in &self.lines {
            let style = line.color.stroke_width(2);
            let points = || line.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
            match line.stroke {
                Stroke::Solid => chart.draw_series(LineSeries::new(points(), style)).map_err(undrawn)?,
                Stroke::Dashed(dash, gap) => {
                    chart.draw_series(DashedLineSeries::new(points(), dash, gap, style)).map_err(undrawn)?
                }
            };
            // Dots show the epochs, and a run of one epoch at all.
            let dots = points().map(|point| Circle::new(point, 3, line.color.filled()));
            chart.draw_series(dots).map_err(undrawn)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_leaves_room_and_is_never_empty() {
        assert_eq!(span([1.0, 2.0, f64::NAN].into_iter(), 0.5), 0.5..2.5);
        for values in [&[][..], &[7.0], &[f64::INFINITY], &[1e12, 1e12], &[-3.0, -3.0]] {
            let range = span(values.iter().copied(), 0.08);
            assert!(range.start < range.end && range.end.is_finite(), "{values:?}: {range:?}");
        }
    }
}
