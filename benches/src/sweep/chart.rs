//! Each series over its size, both axes logarithmic, with its fit.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use slowburn_benches::stats::brief;

use super::series::{Line, Series};
use crate::picture::{BLUE, ORANGE, Picture, undrawn};

/// Two panels a row.
pub(super) struct Chart<'a>(pub(super) &'a [Series]);

impl Picture for Chart<'_> {
    fn size(&self) -> (u32, u32) {
        (960, 340 * self.0.len().div_ceil(2) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let panels = area.split_evenly((self.0.len().div_ceil(2), 2));
        self.0.iter().zip(&panels).try_for_each(|(series, panel)| draw(panel, series))
    }
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, series: &Series) -> Result<()>
where
    B::ErrorType: 'static,
{
    let all: Vec<(f64, f64)> = series.lines.iter().flat_map(points).collect();
    let fits = series.lines.iter().flat_map(|line| points(line).map(|point| line.fitted(point.0)));
    let ends = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        (low, values.into_iter().fold(low, f64::max))
    };
    let (left, right) = ends(all.iter().map(|point| point.0).collect());
    let (low, high) = ends(all.iter().map(|point| point.1).chain(fits).collect());
    let mut chart = ChartBuilder::on(area)
        .caption(caption(series), ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(70)
        .build_cartesian_2d(
            (left / 1.2..right * 1.2).log_scale().base(2.0),
            (decade(low)..10.0 * decade(high)).log_scale(),
        )
        .map_err(undrawn)?;
    chart
        .configure_mesh()
        .x_desc(series.words.size)
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&|size| whole(*size))
        .y_label_formatter(&|seconds| brief(*seconds))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(undrawn)?;
    for (line, color) in series.lines.iter().zip(COLORS) {
        let fit = [left, right].map(|size| (size, line.fitted(size)));
        let drawn = chart.draw_series(LineSeries::new(fit, color.stroke_width(2))).map_err(undrawn)?;
        if let Some(way) = line.way {
            let mark = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2));
            drawn.label(format!("{way}: {:.2}", line.exponent)).legend(mark);
        }
        let dots = points(line).map(|point| Circle::new(point, 4, color.filled()));
        chart.draw_series(dots).map_err(undrawn)?;
    }
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).label_font(("sans-serif", 13)).draw().map_err(undrawn)
}

/// Of the ways to do the work.
const COLORS: [RGBColor; 2] = [BLUE, ORANGE];

fn caption(series: &Series) -> String {
    let name = series.words.name;
    match &series.lines[..] {
        [line] => format!("{name}: exponent {:.2}", line.exponent),
        _ => format!("{name}: exponents"),
    }
}

fn points(line: &Line) -> impl Iterator<Item = (f64, f64)> {
    line.points.iter().map(|point| (point.size as f64, point.median_seconds))
}

/// The power of ten at or below a value, so that every axis has marks.
fn decade(value: f64) -> f64 {
    10f64.powf(value.log10().floor())
}

/// A size in few characters.
fn whole(size: f64) -> String {
    match size {
        size if size >= 1e6 => format!("{:.1} M", size / 1e6),
        size if size >= 1e4 => format!("{:.0} k", size / 1e3),
        size => format!("{size:.0}"),
    }
}
