use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use plotters::prelude::*;
use slowburn_augment::{Image, ImageSize};

use crate::report::{encode_png, register_font_once, text};
use slowburn_train::run::write_atomically;

const GAP: usize = 12;
/// Height of a line of text, and its font's, in pixels.
const LINE: usize = 15;
const FONT_SIZE: u32 = 12;
/// The largest sheet in pixels: 300 MB in memory.
const MOST_PIXELS: usize = 100_000_000;

/// How a sheet's cells look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Side of the square that a picture fills, in pixels.
    pub(super) side: usize,
    /// Whether text that is too wide goes on in another line, or loses its middle.
    pub(super) wrap: bool,
}

/// A picture in RGB.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    height: usize,
    width: usize,
    pixels: Vec<[u8; 3]>,
}

/// A picture and the text beneath it.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) picture: Picture,
    pub(super) lines: Vec<String>,
}

impl Picture {
    /// Of H×W×C bytes.
    pub(super) fn of_bytes(image: Image<'_>) -> Self {
        let ImageSize { height, width, channels } = image.size();
        let pixels = image
            .bytes()
            .unwrap_or_default()
            .chunks_exact(channels)
            .map(|pixel| rgb(|channel| pixel[channel], channels));
        Self { height, width, pixels: pixels.collect() }
    }

    /// Of C×H×W values in [0, 1]; values beyond are cut off, or all of them stretched to [0, 1] where most lie beyond
    /// (a recipe that normalises first).
    pub(super) fn of_values(size: ImageSize, values: &[f32]) -> Self {
        let ImageSize { height, width, channels } = size;
        let beyond = values.iter().filter(|value| !(0.0..=1.0).contains(*value)).count();
        let (low, high) = if 2 * beyond > values.len() {
            values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
        } else {
            (0.0, 1.0)
        };
        let range = (high - low).max(f32::MIN_POSITIVE);
        let byte = |value: f32| ((value - low) / range * 255.0).round().clamp(0.0, 255.0) as u8;
        let plane = height * width;
        let pixel = |place: usize| rgb(|channel| byte(values[channel * plane + place]), channels);
        Self { height, width, pixels: (0..plane).map(pixel).collect() }
    }

    /// Height and width in a square of `side` pixels, at its own proportions.
    fn fit(&self, side: usize) -> (usize, usize) {
        let longer = self.height.max(self.width).max(1);
        let fitted = |own: usize| (own * side / longer).max(1);
        (fitted(self.height), fitted(self.width))
    }

    /// The same picture, no larger than it is shown in a square of `side` pixels: a sheet of photos need not hold them.
    pub(super) fn shrunk(self, side: usize) -> Self {
        let (height, width) = self.fit(side);
        if self.height <= height && self.width <= width {
            return self;
        }
        let place = |place: usize| self.shown(place / width, place % width, height, width);
        Self { height, width, pixels: (0..height * width).map(place).collect() }
    }

    /// Colour of the pixel (row, column) when shown in `height` × `width`: the mean of what it covers, or the nearest.
    fn shown(&self, row: usize, column: usize, height: usize, width: usize) -> [u8; 3] {
        let cover = |at: usize, shown: usize, own: usize| {
            let first = at * own / shown;
            first..((at + 1) * own / shown).max(first + 1)
        };
        let (rows, columns) = (cover(row, height, self.height), cover(column, width, self.width));
        let count = rows.len() * columns.len();
        let mut sums = [0_usize; 3];
        for row in rows {
            for pixel in &self.pixels[row * self.width..][columns.clone()] {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
            }
        }
        sums.map(|sum| ((sum + count / 2) / count) as u8)
    }
}

/// The first three channels, or three times the first.
fn rgb(value: impl Fn(usize) -> u8, channels: usize) -> [u8; 3] {
    [0, 1, 2].map(|channel| value(if channels >= 3 { channel } else { 0 }))
}

/// Writes the sheet as PNG and gives its width and height in pixels.
pub(super) fn write(path: &Path, title: &str, rows: &[&[Cell]], style: Style) -> anyhow::Result<(u32, u32)> {
    register_font_once()?;
    let sheet = Sheet::new(title, rows, style);
    ensure!(!sheet.rows.is_empty(), "a sheet without a picture, allowed: at least one");
    let (width, height) = (sheet.width, sheet.height());
    ensure!(
        width.saturating_mul(height) <= MOST_PIXELS,
        "a sheet of {width}×{height} pixels, allowed: {MOST_PIXELS} in all; show fewer images"
    );
    let size = (u32::try_from(width)?, u32::try_from(height)?);
    let mut pixels = vec![255; width * height * 3];
    sheet.copy_pictures(&mut pixels);
    sheet.draw_text(&mut pixels, size)?;
    write_atomically(path, &encode_png(size, pixels)?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(size)
}

/// A sheet whose text has been broken into lines.
struct Sheet<'a> {
    side: usize,
    width: usize,
    title: Vec<String>,
    rows: Vec<Row<'a>>,
}

/// Cells side by side.
struct Row<'a> {
    cells: &'a [Cell],
    /// Lines beneath each.
    lines: Vec<Vec<String>>,
    /// Upper end of the pictures, and height with what is beneath them, in pixels.
    top: usize,
    height: usize,
}

impl<'a> Sheet<'a> {
    fn new(title: &str, rows: &[&'a [Cell]], Style { side, wrap }: Style) -> Self {
        let fitted = |line: &String| match (text::plain(line), wrap) {
            (line, true) => text::wrap(&line, FONT_SIZE, side as u32),
            (line, false) => vec![text::shorten(&line, FONT_SIZE, side as u32)],
        };
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = GAP + columns * (side + GAP);
        let title = text::wrap(&text::plain(title), FONT_SIZE, width.saturating_sub(2 * GAP) as u32);
        let mut top = title.len() * LINE + GAP + 1;
        let row = |cells: &&'a [Cell]| {
            let lines: Vec<Vec<String>> =
                cells.iter().map(|cell| cell.lines.iter().flat_map(fitted).collect()).collect();
            let height = side + 2 * GAP + LINE * lines.iter().map(Vec::len).max().unwrap_or(0);
            let row = Row { cells, lines, top, height };
            top += height;
            row
        };
        let rows = rows.iter().filter(|row| !row.is_empty()).map(row).collect();
        Self { side, width, title, rows }
    }

    fn height(&self) -> usize {
        self.rows.last().map_or(0, |row| row.top + row.height)
    }

    /// Left end of a column.
    fn left(&self, column: usize) -> usize {
        GAP + column * (self.side + GAP)
    }

    fn copy_pictures(&self, sheet: &mut [u8]) {
        for row in &self.rows {
            for (column, cell) in row.cells.iter().enumerate() {
                let (height, width) = cell.picture.fit(self.side);
                for y in 0..height {
                    for x in 0..width {
                        let place = ((row.top + y) * self.width + self.left(column) + x) * 3;
                        sheet[place..place + 3].copy_from_slice(&cell.picture.shown(y, x, height, width));
                    }
                }
            }
        }
    }

    fn draw_text(&self, pixels: &mut [u8], size: (u32, u32)) -> anyhow::Result<()> {
        let wrong = |error: String| anyhow!("the sheet cannot be drawn: {error}");
        let area = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
        let font = ("sans-serif", FONT_SIZE);
        let write = |line: &str, x: usize, y: usize| {
            area.draw(&Text::new(line, (x as i32, y as i32), font)).map_err(|error| wrong(error.to_string()))
        };
        for (number, line) in self.title.iter().enumerate() {
            write(line, GAP, GAP / 2 + number * LINE)?;
        }
        for row in &self.rows {
            for (column, lines) in row.lines.iter().enumerate() {
                for (number, line) in lines.iter().enumerate() {
                    write(line, self.left(column), row.top + self.side + GAP / 2 + number * LINE)?;
                }
            }
        }
        area.present().map_err(|error| wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 192;

    #[test]
    fn pictures_keep_their_proportions_and_colours() {
        let size = ImageSize::new(2, 4, 1);
        let picture = Picture::of_values(size, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(picture.fit(SIDE), (SIDE / 2, SIDE));
        assert_eq!(picture.shown(0, 0, 2, 4), [0; 3]);
        // Two values of 0 and two of 1 in one pixel.
        assert_eq!(picture.shown(0, 0, 1, 1), [128; 3]);
        // Values beyond [0, 1] are stretched if they are most.
        let stretched = Picture::of_values(ImageSize::new(1, 3, 1), &[-2.0, 0.0, 2.0]);
        assert_eq!(stretched.pixels, [[0; 3], [128; 3], [255; 3]]);
    }

    #[test]
    fn large_pictures_are_shrunk_to_what_is_shown() {
        let bytes: Vec<u8> = (0..400 * 100).map(|place| (place % 400 / 2) as u8).collect();
        let picture = Picture::of_bytes(Image::new(ImageSize::new(100, 400, 1), &bytes).expect("whole"));
        let small = picture.clone().shrunk(96);
        assert_eq!((small.height, small.width), (24, 96));
        assert_eq!(small.fit(96), (24, 96), "no other place on the sheet");
        let pixels = |picture: &Picture| (0..96).map(|x| picture.shown(7, x, 24, 96)).collect::<Vec<_>>();
        assert_eq!(pixels(&small), pixels(&picture));
        assert_eq!(small.clone().shrunk(200).pixels, small.pixels, "never enlarged");
    }

    fn ink(sheet: &image::RgbImage, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) -> usize {
        let inside = |x: u32, y: u32| columns.contains(&x) && rows.contains(&y);
        sheet.enumerate_pixels().filter(|(x, y, pixel)| inside(*x, *y) && pixel.0 != [255; 3]).count()
    }

    #[test]
    fn a_title_is_whole_above_one_narrow_picture_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sheet.png");
        let title =
            "seed 0, epoch 0, moco_v2: crop 0.2 to 1 of the area (ratio 0.750 to 1.333) to 224×224 px, bilinear";
        let white = Picture { height: 1, width: 1, pixels: vec![[255; 3]] };
        let cells = vec![Cell { picture: white, lines: vec![] }];
        let sheet = |title: &str| {
            let (width, height) = write(&path, title, &[&cells], Style { side: SIDE, wrap: true }).expect("written");
            let sheet = image::open(&path).expect("a picture").into_rgb8();
            assert_eq!((sheet.width(), sheet.height()), (width, height));
            assert_eq!(ink(&sheet, width - GAP as u32..width, 0..height), 0, "nothing reaches the right edge");
            sheet
        };
        let (one, all) = (sheet("moco_v2"), sheet(title));
        let lines = text::wrap(title, FONT_SIZE, SIDE as u32);
        assert_eq!(lines.join(" "), title, "no word is lost");
        assert_eq!(all.height() - one.height(), ((lines.len() - 1) * LINE) as u32);
        for line in 0..lines.len() as u32 {
            let top = GAP as u32 / 2 + line * LINE as u32;
            assert!(ink(&all, 0..all.width(), top..top + LINE as u32) > 20, "line {line} is drawn");
        }
    }

    #[test]
    fn a_sheet_without_pictures_or_of_too_many_is_refused() {
        let style = Style { side: SIDE, wrap: true };
        let refused =
            |rows: &[&[Cell]]| write(Path::new("never.png"), "title", rows, style).expect_err("refused").to_string();
        assert!(refused(&[]).contains("without a picture"));
        assert!(refused(&[&[]]).contains("without a picture"));
        let dot = Cell { picture: Picture { height: 1, width: 1, pixels: vec![[0; 3]] }, lines: vec![] };
        let row = vec![dot; 100];
        let error = refused(&vec![row.as_slice(); 100]);
        assert!(error.contains("20412×21628 pixels, allowed: 100000000"), "{error}");
    }
}
