use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use slowburn_train::run::write_atomically;

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// Something that can be drawn, as vectors or as pixels.
pub(super) trait Picture {
    /// Width and height in pixels. The font has been registered.
    fn size(&self) -> (u32, u32);

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
    ["svg", "png"].into_iter().try_for_each(|kind| write_file(picture, &folder.join(format!("{name}.{kind}"))))
}

/// Writes a picture as SVG or PNG, as the name's end says.
pub(super) fn write_file<P: Picture>(picture: &P, path: &Path) -> anyhow::Result<()> {
    register_font_once()?;
    let content = match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => svg(picture)?.into_bytes(),
        Some("png") => png(picture)?,
        _ => bail!("{} is no name of a picture, allowed: names that end in .png or .svg", path.display()),
    };
    write_atomically(path, &content).with_context(|| format!("cannot write {}", path.display()))
}

fn svg<P: Picture>(picture: &P) -> anyhow::Result<String> {
    let mut svg = String::new();
    on_white(picture, &SVGBackend::with_string(&mut svg, picture.size()).into_drawing_area())?;
    Ok(svg)
}

fn png<P: Picture>(picture: &P) -> anyhow::Result<Vec<u8>> {
    let size = picture.size();
    let mut pixels = vec![0; size.0 as usize * size.1 as usize * 3];
    on_white(picture, &BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area())?;
    encode_png(size, pixels)
}

/// A PNG of `size` (width, height) from its RGB bytes, row by row.
pub(crate) fn encode_png((width, height): (u32, u32), pixels: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let image = image::RgbImage::from_raw(width, height, pixels).context("the picture has its size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// The only place that calls `present`: it ends an SVG, and what is drawn after it would stand behind `</svg>`.
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
