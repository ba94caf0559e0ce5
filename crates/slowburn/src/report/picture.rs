use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use slowburn_train::run::write_atomically;

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// Something that can be drawn, as vectors or as pixels.
pub(super) trait Picture {
    /// Width and height in pixels.
    const SIZE: (u32, u32);

    /// Draws on an area of that size, which is white.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static;
}

/// The plotting library's errors have the backend in their type.
pub(super) fn undrawn<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> anyhow::Error {
    anyhow!("the picture cannot be drawn: {error}")
}

/// Writes a picture as `<name>.svg` and `<name>.png` in `folder`.
pub(super) fn write<P: Picture>(picture: &P, name: &str, folder: &Path) -> anyhow::Result<()> {
    register_font_once()?;
    let mut svg = String::new();
    on_white(picture, &SVGBackend::with_string(&mut svg, P::SIZE).into_drawing_area())?;
    let path = folder.join(format!("{name}.svg"));
    write_atomically(&path, svg.as_bytes()).with_context(|| path.display().to_string())?;

    let (width, height) = P::SIZE;
    let mut pixels = vec![0; (width * height * 3) as usize];
    on_white(picture, &BitMapBackend::with_buffer(&mut pixels, P::SIZE).into_drawing_area())?;
    let image = image::RgbImage::from_raw(width, height, pixels).context("the picture has its size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    let path = folder.join(format!("{name}.png"));
    write_atomically(&path, png.get_ref()).with_context(|| path.display().to_string())
}

fn on_white<P: Picture, B: DrawingBackend>(picture: &P, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE).map_err(undrawn)?;
    picture.draw(area)?;
    area.present().map_err(undrawn)
}

/// The font travels in the program: a machine without fonts draws the same picture.
pub(crate) fn register_font_once() -> anyhow::Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let registered = *DONE.get_or_init(|| register_font("sans-serif", FontStyle::Normal, FONT).is_ok());
    anyhow::ensure!(registered, "the font for charts cannot be read");
    Ok(())
}
