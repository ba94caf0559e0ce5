use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use crate::run::{BASELINE_PHASE, EpochMetrics, write_atomically};

const SIZE: (u32, u32) = (960, 400);
const GREY: RGBColor = RGBColor(110, 110, 110);
const BLUE: RGBColor = RGBColor(31, 119, 180);
const ORANGE: RGBColor = RGBColor(214, 98, 20);
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// One line of a chart.
struct Curve {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws accuracies and costs over the steps as `curves.svg` and `curves.png` in `folder`.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw_curves(metrics: &[EpochMetrics], folder: &Path) -> anyhow::Result<()> {
    register_font_once()?;
    let mut svg = String::new();
    draw(metrics, &SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
    let path = folder.join("curves.svg");
    write_atomically(&path, svg.as_bytes()).with_context(|| path.display().to_string())?;

    let (width, height) = SIZE;
    let mut pixels = vec![0; (width * height * 3) as usize];
    draw(metrics, &BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area())?;
    let image = image::RgbImage::from_raw(width, height, pixels).context("the picture has its size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    let path = folder.join("curves.png");
    write_atomically(&path, png.get_ref()).with_context(|| path.display().to_string())
}

/// The font travels in the program: a machine without fonts draws the same picture.
pub(crate) fn register_font_once() -> anyhow::Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let registered = *DONE.get_or_init(|| register_font("sans-serif", FontStyle::Normal, FONT).is_ok());
    anyhow::ensure!(registered, "the font for charts cannot be read");
    Ok(())
}

fn draw<B: DrawingBackend>(metrics: &[EpochMetrics], area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    chart(&left, "test accuracy, %", &accuracies(metrics))?;
    chart(&right, "mean cost of an epoch", &costs(metrics))
}

fn accuracies(metrics: &[EpochMetrics]) -> Vec<Curve> {
    let of = |baseline: bool, value: fn(&EpochMetrics) -> Option<f64>| {
        metrics
            .iter()
            .filter(|row| (row.phase == BASELINE_PHASE) == baseline)
            .filter_map(|row| value(row).map(|value| (row.step as f64, 100.0 * value)))
            .collect()
    };
    vec![
        Curve { name: "labels alone", color: GREY, points: of(true, |row| Some(row.student_accuracy)) },
        Curve { name: "student", color: BLUE, points: of(false, |row| Some(row.student_accuracy)) },
        Curve { name: "teacher", color: ORANGE, points: of(false, |row| row.teacher_accuracy) },
    ]
}

fn costs(metrics: &[EpochMetrics]) -> Vec<Curve> {
    let of = |value: fn(&EpochMetrics) -> f64| {
        metrics
            .iter()
            .filter(|row| row.phase != BASELINE_PHASE)
            .map(|row| (row.step as f64, value(row)))
            .collect::<Vec<_>>()
    };
    let mut curves = vec![Curve { name: "class cost", color: BLUE, points: of(|row| row.class_cost) }];
    let weighted = of(|row| row.consistency_cost * row.consistency_weight);
    if weighted.iter().any(|(_, value)| *value > 0.0) {
        curves.push(Curve { name: "consistency, weighted", color: ORANGE, points: weighted });
    }
    curves
}

fn chart<B: DrawingBackend>(area: &DrawingArea<B, Shift>, title: &str, curves: &[Curve]) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let wrong = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("the chart cannot be drawn: {error}");
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let steps = points().map(|point| point.0).fold(1.0, f64::max);
    let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.08).max(1e-3);

    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..steps * 1.02, (low - margin)..(high + margin))
        .map_err(wrong)?;
    chart
        .configure_mesh()
        .x_desc("optimizer steps")
        .x_labels(6)
        .x_label_formatter(&|steps| format!("{steps:.0}"))
        .y_labels(7)
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(wrong)?;
    for curve in curves.iter().filter(|curve| !curve.points.is_empty()) {
        let color = curve.color;
        // Dots show the epochs, and a run of one epoch at all.
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), color.stroke_width(2)).point_size(2))
            .map_err(wrong)?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(wrong)?;
    area.present().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phase: &str, step: u64, accuracy: f64) -> EpochMetrics {
        EpochMetrics {
            phase: phase.to_owned(),
            epoch: step / 10,
            step,
            loss: 1.0,
            class_cost: 0.5,
            consistency_cost: 0.01,
            logit_distance: 0.0,
            consistency_weight: 5.0,
            decay: Some(0.99),
            learning_rate: 0.003,
            student_accuracy: accuracy,
            teacher_accuracy: Some(accuracy),
        }
    }

    #[test]
    fn both_pictures_are_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let metrics = [row(BASELINE_PHASE, 10, 0.5), row("mean-teacher", 10, 0.6), row("mean-teacher", 20, 0.7)];
        draw_curves(&metrics, folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("written");
        assert!(svg.contains("labels alone") && svg.contains("teacher"), "the legend names the curves");
        let png = image::open(folder.path().join("curves.png")).expect("a picture");
        assert_eq!((png.width(), png.height()), SIZE);
    }

    #[test]
    fn an_empty_history_is_drawn_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        draw_curves(&[], folder.path()).expect("drawn");
    }
}
