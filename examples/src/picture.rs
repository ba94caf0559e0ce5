//! Drawing with plotters into an SVG file.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use slowburn_train::run::write_atomically;

/// A part of a picture.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What is compared with something else.
pub(crate) const BLUE: RGBColor = RGBColor(31, 119, 180);
/// What it is compared with.
pub(crate) const ORANGE: RGBColor = RGBColor(214, 98, 20);
/// What is in the background.
pub(crate) const GREY: RGBColor = RGBColor(110, 110, 110);
/// Lines of a mesh.
pub(crate) const LIGHT: RGBColor = RGBColor(228, 228, 228);

const FONT: &[u8] = include_bytes!("../../crates/slowburn/assets/DejaVuSans-subset.ttf");

/// Writes what `draw` draws on a white area of `size` pixels.
pub(crate) fn write(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
    // Text is measured with a font of our own, so that every machine draws the same picture.
    static DONE: OnceLock<bool> = OnceLock::new();
    let registered = *DONE.get_or_init(|| register_font("sans-serif", FontStyle::Normal, FONT).is_ok());
    ensure!(registered, "the font for pictures cannot be read");
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(undrawn)?;
        draw(&area)?;
        area.present().map_err(undrawn)?;
    }
    write_atomically(path, svg.as_bytes()).with_context(|| path.display().to_string())
}

/// Writes a title that begins at the left edge.
pub(crate) fn title(area: &Area<'_>, text: &str, size: i32) -> Result<()> {
    area.draw(&Text::new(text.to_owned(), (10, 8), ("sans-serif", size).into_font())).map_err(undrawn)
}

/// The library's errors hold the backend's.
pub(crate) fn undrawn<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("the picture cannot be drawn: {error}")
}
