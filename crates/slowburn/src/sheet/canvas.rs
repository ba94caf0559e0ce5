use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::prelude::*;
use slowburn_augment::{Image, ImageSize};

use crate::report::register_font_once;
use slowburn_train::run::write_atomically;

/// Side of the square that a picture fills, in pixels.
const SIDE: usize = 192;
const GAP: usize = 12;
const TITLE: usize = 28;
const LINE: usize = 15;
const FONT_SIZE: i32 = 12;
/// Characters of a line beneath a picture, on average as wide as the picture.
const LINE_CHARS: usize = 32;

/// A picture in RGB.
#[derive(Debug)]
pub(super) struct Picture {
    height: usize,
    width: usize,
    pixels: Vec<[u8; 3]>,
}

/// A picture and the text beneath it.
#[derive(Debug)]
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

    /// The place and side of the part of a square that it fills, at its own proportions.
    fn fit(&self) -> (usize, usize) {
        let longer = self.height.max(self.width);
        let side = |own: usize| (own * SIDE / longer).max(1);
        (side(self.height), side(self.width))
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
pub(super) fn write(path: &Path, title: &str, rows: &[Vec<Cell>]) -> anyhow::Result<(u32, u32)> {
    let wrong = |error: String| anyhow!("the sheet cannot be drawn: {error}");
    register_font_once()?;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let texts: Vec<Vec<Vec<String>>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.lines.iter().flat_map(|line| wrap(line)).collect()).collect())
        .collect();
    let heights: Vec<usize> =
        texts.iter().map(|row| SIDE + 2 * GAP + LINE * row.iter().map(Vec::len).max().unwrap_or(0)).collect();
    let (width, height) = (GAP + columns * (SIDE + GAP), TITLE + heights.iter().sum::<usize>());
    let size = (u32::try_from(width)?, u32::try_from(height)?);
    let mut pixels = vec![255; width * height * 3];

    let mut top = TITLE;
    for (row, row_height) in rows.iter().zip(&heights) {
        for (column, cell) in row.iter().enumerate() {
            copy(&cell.picture, &mut pixels, width, top, GAP + column * (SIDE + GAP));
        }
        top += row_height;
    }
    {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        let font = ("sans-serif", FONT_SIZE);
        let text = |line: &str, x: usize, y: usize| {
            area.draw(&Text::new(plain(line), (x as i32, y as i32), font)).map_err(|error| wrong(error.to_string()))
        };
        let room = columns * LINE_CHARS;
        text(&title.chars().take(room).collect::<String>(), GAP, GAP / 2)?;
        let mut top = TITLE;
        for (row, row_height) in texts.iter().zip(&heights) {
            for (column, lines) in row.iter().enumerate() {
                for (number, line) in lines.iter().enumerate() {
                    text(line, GAP + column * (SIDE + GAP), top + SIDE + GAP / 2 + number * LINE)?;
                }
            }
            top += row_height;
        }
        area.present().map_err(|error| wrong(error.to_string()))?;
    }
    let image = image::RgbImage::from_raw(size.0, size.1, pixels).context("the picture has its size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    write_atomically(path, png.get_ref()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(size)
}

fn copy(picture: &Picture, sheet: &mut [u8], sheet_width: usize, top: usize, left: usize) {
    let (height, width) = picture.fit();
    for row in 0..height {
        for column in 0..width {
            let place = ((top + row) * sheet_width + left + column) * 3;
            sheet[place..place + 3].copy_from_slice(&picture.shown(row, column, height, width));
        }
    }
}

/// Lines of at most `LINE_CHARS`, broken at spaces where there are any.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > LINE_CHARS {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            // A word longer than a line is a file name: its beginning says enough.
            line.extend(word.chars().take(LINE_CHARS));
        }
    }
    lines
}

/// The font of the repository has plain letters: near relatives for the signs of our messages.
fn plain(text: &str) -> String {
    text.chars()
        .map(|sign| match sign {
            '×' => 'x',
            '−' | '–' => '-',
            'σ' => 's',
            'ε' => 'e',
            sign if sign.is_ascii() => sign,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_proportions_and_colours() {
        let size = ImageSize::new(2, 4, 1);
        let picture = Picture::of_values(size, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(picture.fit(), (SIDE / 2, SIDE));
        assert_eq!(picture.shown(0, 0, 2, 4), [0; 3]);
        // Two values of 0 and two of 1 in one pixel.
        assert_eq!(picture.shown(0, 0, 1, 1), [128; 3]);
        // Values beyond [0, 1] are stretched if they are most.
        let stretched = Picture::of_values(ImageSize::new(1, 3, 1), &[-2.0, 0.0, 2.0]);
        assert_eq!(stretched.pixels, [[0; 3], [128; 3], [255; 3]]);
    }

    #[test]
    fn long_lines_are_broken_at_spaces() {
        let lines = wrap("one two three four five six seven eight nine");
        assert_eq!(lines, ["one two three four five six", "seven eight nine"]);
        assert_eq!(wrap(&"x".repeat(50))[0].len(), LINE_CHARS);
    }
}
