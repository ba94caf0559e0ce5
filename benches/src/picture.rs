//! Pictures as vectors or as pixels, by the ending of the file's name.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

const FONT: &[u8] = include_bytes!("../../crates/slowburn/assets/DejaVuSans-subset.ttf");

/// Of bars and points.
pub(crate) const BLUE: RGBColor = RGBColor(31, 119, 180);
/// Of what is slower than the other side, and of fits.
pub(crate) const ORANGE: RGBColor = RGBColor(214, 98, 20);
/// Of lines to compare with.
pub(crate) const GREY: RGBColor = RGBColor(170, 170, 170);

/// Something that can be drawn.
pub(crate) trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws on a white area of that size.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B::ErrorType: 'static;
}

/// The plotting library's errors have the backend in their type.
pub(crate) fn undrawn<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("the picture cannot be drawn: {error}")
}

/// Writes an `.svg`, or a `.png` where the name ends so.
pub(crate) fn write(picture: &impl Picture, path: &Path) -> Result<()> {
    // The font travels in the program: a machine without fonts draws the same picture.
    let registered = register_font("sans-serif", FontStyle::Normal, FONT).is_ok();
    ensure!(registered, "the font for charts cannot be read");
    let (width, height) = picture.size();
    let written = if path.extension().is_some_and(|ending| ending == "png") {
        let mut pixels = vec![0; (width * height * 3) as usize];
        on_white(picture, &BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area())?;
        image::RgbImage::from_raw(width, height, pixels).context("the picture has its size")?.save(path)?;
        Ok(())
    } else {
        let mut svg = String::new();
        on_white(picture, &SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area())?;
        std::fs::write(path, svg)
    };
    written.with_context(|| path.display().to_string())
}

fn on_white<B: DrawingBackend>(picture: &impl Picture, area: &DrawingArea<B, Shift>) -> Result<()>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE).map_err(undrawn)?;
    picture.draw(area)?;
    area.present().map_err(undrawn)
}
