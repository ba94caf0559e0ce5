//! One figure of several runs in one picture.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use plotters::prelude::*;

use slowburn_train::run::write_atomically;

use super::{RunInfo, curves};

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
    draw(&figure, &lines, file)
}

fn default_figure(all: &[(String, Vec<Line>)]) -> Option<String> {
    let with = all.iter().filter(|(_, curves)| !curves.is_empty()).count();
    let having = |figure: &str| all.iter().filter(|(_, curves)| curves.iter().any(|(name, _)| name == figure)).count();
    let most = CHOICES.into_iter().find(|figure| having(figure) > 0 && 2 * having(figure) >= with);
    most.or_else(|| CHOICES.into_iter().find(|figure| having(figure) > 0)).map(str::to_owned)
}

/// Width and height in pixels.
const SIZE: (u32, u32) = (960, 540);
const COLORS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 98, 20),
    RGBColor(44, 140, 60),
    RGBColor(180, 40, 50),
    RGBColor(120, 90, 180),
    RGBColor(120, 80, 60),
    RGBColor(20, 150, 160),
    RGBColor(110, 110, 110),
];

/// Draws lines over steps and writes them as a PNG file.
fn draw(figure: &str, lines: &[Line], file: &Path) -> Result<()> {
    crate::report::register_font_once()?;
    let mut pixels = vec![255; (SIZE.0 * SIZE.1 * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area();
        draw_on(&area, figure, lines).map_err(|error| anyhow!("the picture cannot be drawn: {error}"))?;
        area.present().map_err(|error| anyhow!("the picture cannot be drawn: {error}"))?;
    }
    let image = image::RgbImage::from_raw(SIZE.0, SIZE.1, pixels).context("the picture has its size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    write_atomically(file, png.get_ref()).with_context(|| file.display().to_string())
}

fn draw_on<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    figure: &str,
    lines: &[Line],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|(_, points)| points);
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let margin = ((high - low) * 0.06).max(1e-3);
    let unit = if figure.ends_with("accuracy") { ", %" } else { "" };
    // Room for the legend at the right, beside the curves.
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{figure}{unit}"), ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last * 1.4, (low - margin)..(high + margin))?;
    chart
        .configure_mesh()
        .x_desc("optimizer steps")
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .label_style(("sans-serif", 13))
        .draw()?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(2))?
            .label(super::table::shorten(name, 30))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()
}
