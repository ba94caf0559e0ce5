//! Sheets of thumbnails with captions: images beside their nearest, or images in a grid.

use std::path::Path;

use anyhow::ensure;
use slowburn_augment::Image;

use super::canvas::{self, Cell, Picture, Style};

/// Side of the square that a thumbnail fits into, in pixels.
pub const SIDE: usize = 128;

const STYLE: Style = Style { side: SIDE, wrap: false };

/// An image as it is shown on a sheet, and the lines beneath it.
///
/// It holds only the pixels that are shown, so that a sheet of a thousand photos fits into memory.
#[derive(Debug, Clone)]
pub struct Thumb {
    cell: Cell,
}

impl Thumb {
    /// An image of bytes, grey or RGB, shrunk at its own proportions to fit into [`SIDE`] pixels; a smaller one is
    /// enlarged on the sheet. Lines of the caption wider than that lose their middle; letters that the font lacks are
    /// drawn as boxes.
    ///
    /// # Errors
    /// If the image holds values and not bytes.
    pub fn new(image: Image<'_>, caption: Vec<String>) -> anyhow::Result<Self> {
        ensure!(image.bytes().is_some(), "an image of {} computed values, allowed: an image of bytes", image.size());
        Ok(Self { cell: Cell { picture: Picture::of_bytes(image).shrunk(SIDE), lines: caption } })
    }
}

/// Writes rows of thumbnails as PNG, each as long as it is: an image and its nearest, say. Gives the sheet's width and
/// height in pixels. The title, above the rows, takes as many lines as it needs.
///
/// # Errors
/// If there is no thumbnail, if the sheet would have more than 100 million pixels, and errors of drawing and of writing.
pub fn write_rows(path: &Path, title: &str, rows: &[Vec<Thumb>]) -> anyhow::Result<(u32, u32)> {
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(|thumb| thumb.cell.clone()).collect()).collect();
    write(path, title, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Writes thumbnails as PNG, row by row in `columns` ≥ 1 columns, and gives the sheet's width and height in pixels.
///
/// # Errors
/// If `columns` is 0; those of [`write_rows`].
pub fn write_grid(path: &Path, title: &str, thumbs: &[Thumb], columns: usize) -> anyhow::Result<(u32, u32)> {
    ensure!(columns > 0, "a sheet of 0 columns, allowed: at least 1");
    let cells: Vec<Cell> = thumbs.iter().map(|thumb| thumb.cell.clone()).collect();
    write(path, title, &cells.chunks(columns).collect::<Vec<_>>())
}

fn write(path: &Path, title: &str, rows: &[&[Cell]]) -> anyhow::Result<(u32, u32)> {
    canvas::write(path, title, rows, STYLE)
}

#[cfg(test)]
mod tests {
    use slowburn_augment::ImageSize;

    use super::*;

    /// An image of one colour.
    fn thumb(height: usize, width: usize, color: &[u8], caption: &[&str]) -> Thumb {
        let bytes = color.repeat(height * width);
        let image = Image::new(ImageSize::new(height, width, color.len()), &bytes).expect("whole");
        Thumb::new(image, caption.iter().map(ToString::to_string).collect()).expect("bytes")
    }

    fn open(path: &Path) -> image::RgbImage {
        image::open(path).expect("a picture").into_rgb8()
    }

    #[test]
    fn a_row_is_a_query_and_its_nearest_at_their_own_proportions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("neighbours.png");
        let query = thumb(1000, 500, &[200, 10, 10], &["query", "a.jpg"]);
        let near = || thumb(28, 28, &[90], &["b.png", "0.93"]);
        let size = write_rows(&path, "nearest", &[vec![query.clone(), near(), near()], vec![query]]).expect("written");
        let sheet = open(&path);
        assert_eq!((sheet.width(), sheet.height()), size);
        let side = SIDE as u32;
        let (first, second) = (12, 12 + side + 12);
        assert_eq!(sheet.get_pixel(first, 28).0, [200, 10, 10]);
        assert_eq!(sheet.get_pixel(first + side / 2 - 1, 28 + side - 1).0, [200, 10, 10]);
        assert_eq!(sheet.get_pixel(first + side / 2 + 1, 28).0, [255; 3], "half as wide as it is high");
        assert_eq!(sheet.get_pixel(second + side - 1, 28 + side - 1).0, [90; 3], "enlarged, grey");
        let next = 28 + side + 24 + 2 * 15;
        assert_eq!(sheet.get_pixel(first, next).0, [200, 10, 10], "the second row");
        assert_eq!(sheet.get_pixel(second, next).0, [255; 3], "which is shorter");
    }

    #[test]
    fn a_grid_fills_its_rows() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("suggest.png");
        let thumbs: Vec<Thumb> = (0..5).map(|rank| thumb(8, 8, &[rank * 40, 0, 0], &["1. a.jpg"])).collect();
        let (width, height) = write_grid(&path, "label these", &thumbs, 2).expect("written");
        assert_eq!(width, 12 + 2 * (SIDE as u32 + 12));
        let row = SIDE as u32 + 24 + 15;
        assert_eq!(height, 28 + 3 * row);
        let sheet = open(&path);
        assert_eq!(sheet.get_pixel(12 + SIDE as u32 + 12, 28 + row).0, [120, 0, 0], "the fourth");
        let error = write_grid(&path, "label these", &thumbs, 0).expect_err("no column").to_string();
        assert!(error.contains("0 columns, allowed: at least 1"), "{error}");
    }

    #[test]
    fn any_name_can_be_drawn_and_stays_in_its_column() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("names.png");
        let long = format!("{}.jpg", "a very long name ".repeat(20));
        let names =
            [&long, "写真.jpg", "\u{fffd}\u{fffd}.png", "line\nbreak\u{7}", "🦀", "", "Übermaß.png", "e\u{301}"];
        let thumbs: Vec<Thumb> = names.iter().map(|name| thumb(4, 4, &[255, 255, 255], &[name])).collect();
        write_grid(&path, &names.join(" "), &thumbs, 1).expect("written");
        let sheet = open(&path);
        let beyond = |x: u32| x < 12 || x >= 12 + SIDE as u32;
        let ink = sheet.enumerate_pixels().filter(|(x, _, pixel)| beyond(*x) && pixel.0 != [255; 3]).count();
        assert_eq!(ink, 0, "text beside its column");
    }

    #[test]
    fn an_image_of_values_is_no_thumbnail() {
        let image = Image::from_values(ImageSize::new(1, 1, 1), &[0.5]).expect("whole");
        let error = Thumb::new(image, vec![]).expect_err("values").to_string();
        assert!(error.contains("1×1×1 computed values"), "{error}");
    }
}
