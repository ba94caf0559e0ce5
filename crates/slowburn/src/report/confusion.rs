//! A confusion matrix: which classes are taken for which.

use std::path::Path;

use anyhow::ensure;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::picture::{self, Picture, undrawn};
use super::text;
use super::{BLUE, ORANGE};

/// The most classes of which every cell says its number.
const NUMBERED: usize = 30;
/// The most classes that are drawn.
const MOST: usize = 1000;
/// The widest class name in pixels.
const NAME: u32 = 150;
const SIZE: u32 = 12;
const LINE: u32 = 14;
const MARGIN: u32 = 12;
/// Height of the title and of the colours' meaning.
const HEAD: u32 = 64;
/// Room of an axis's title.
const AXIS: u32 = 20;
/// Shares that the legend shows.
const SHOWN: [f64; 5] = [0.01, 0.1, 0.25, 0.5, 1.0];
/// Side of a colour in the legend, and room from one to the next, in pixels.
const SWATCH: (i32, i32) = (12, 54);
const WRONG: &str = "taken for another:";
const RIGHT: &str = "right:";

/// Draws a confusion matrix: `matrix[t][p]` images of the true class `t` were predicted as `p`.
///
/// A row is a true class, a column what was predicted. The colour is the share of the row, blue where class and prediction
/// agree and orange where they do not, darker fast at first so that rare mistakes are seen. Up to 30 classes each cell
/// says its number too. Names wider than 150 pixels lose their middle; beyond about 100 classes only some are written. The
/// path's end says what is written, `.png` or `.svg`.
///
/// # Errors
/// If the matrix is not `C`×`C` for `C` class names, `C` in 1 to 1000, or the path ends otherwise; errors of drawing and
/// of writing.
pub fn draw_confusion(matrix: &[Vec<u64>], classes: &[String], path: &Path) -> anyhow::Result<()> {
    let count = classes.len();
    ensure!((1..=MOST).contains(&count), "a confusion matrix of {count} classes, allowed: 1 to {MOST}");
    ensure!(
        matrix.len() == count,
        "a confusion matrix of {} rows, allowed: one for each of {count} classes",
        matrix.len()
    );
    for (class, row) in classes.iter().zip(matrix) {
        let length = row.len();
        ensure!(length == count, "row {class:?} of the confusion matrix has {length} numbers, allowed: {count}");
    }
    picture::write_file(&Confusion { matrix, classes }, path)
}

struct Confusion<'a> {
    matrix: &'a [Vec<u64>],
    classes: &'a [String],
}

/// Places in pixels.
struct Layout {
    /// Side of a cell.
    cell: u32,
    /// Names as they are written.
    names: Vec<String>,
    /// Left and upper end of the cells.
    left: u32,
    top: u32,
}

/// White for none of a row, `full` for all of it.
fn color(full: RGBColor, share: f64) -> RGBColor {
    let RGBColor(red, green, blue) = full;
    let mix = |channel: u8| (255.0 - share.sqrt() * (255.0 - f64::from(channel))).round() as u8;
    RGBColor(mix(red), mix(green), mix(blue))
}

fn text_at(h: HPos, v: VPos) -> TextStyle<'static> {
    text::style(SIZE).pos(Pos::new(h, v))
}

impl Confusion<'_> {
    fn layout(&self) -> Layout {
        let count = self.classes.len();
        let cell = if count <= NUMBERED {
            let widest = self.matrix.iter().flatten().max().map_or(0, |most| text::width(&most.to_string(), SIZE));
            (widest + 8).max(if count <= 12 { 44 } else { 28 })
        } else {
            (1400 / count as u32).clamp(2, 20)
        };
        let names: Vec<String> =
            self.classes.iter().map(|name| text::shorten(&text::plain(name), SIZE, NAME)).collect();
        let room = names.iter().map(|name| text::width(name, SIZE)).max().unwrap_or(0);
        Layout { cell, names, left: MARGIN + AXIS + room + 6, top: MARGIN + HEAD }
    }

    /// How many images are right, and how many there are.
    fn totals(&self) -> (u64, u64) {
        let right = self.matrix.iter().enumerate().map(|(class, row)| row[class]).sum();
        (right, self.matrix.iter().flatten().sum())
    }

    fn head<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (right, all) = self.totals();
        let title = match all {
            0 => "no images".to_owned(),
            _ => format!("{right} of {all} images right: {:.1} %", 100.0 * right as f64 / all as f64),
        };
        let (x, mut y) = (MARGIN as i32, MARGIN as i32);
        area.draw(&Text::new(title, (x, y), text::style(16))).map_err(undrawn)?;
        y += 24;
        for (name, full) in [(RIGHT, BLUE), (WRONG, ORANGE)] {
            area.draw(&Text::new(name, (x, y), text::style(SIZE))).map_err(undrawn)?;
            for (place, share) in SHOWN.into_iter().enumerate() {
                let x = x + legend_indent() as i32 + place as i32 * SWATCH.1;
                let corners = [(x, y), (x + SWATCH.0, y + SWATCH.0)];
                area.draw(&Rectangle::new(corners, color(full, share).filled())).map_err(undrawn)?;
                let percent = format!("{:.0} %", 100.0 * share);
                area.draw(&Text::new(percent, (x + SWATCH.0 + 4, y), text::style(SIZE))).map_err(undrawn)?;
            }
            y += LINE as i32 + 2;
        }
        Ok(())
    }

    fn cells<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, layout: &Layout) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (cell, side) = (layout.cell as i32, (layout.cell as usize * self.classes.len()) as i32);
        let (left, top) = (layout.left as i32, layout.top as i32);
        let frame = [(left - 1, top - 1), (left + side, top + side)];
        area.draw(&Rectangle::new(frame, RGBColor(150, 150, 150))).map_err(undrawn)?;
        // A line of white between cells that are large enough for it.
        let end = cell - if cell > 6 { 2 } else { 1 };
        for (row, counts) in self.matrix.iter().enumerate() {
            let all = counts.iter().sum::<u64>() as f64;
            for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (x, y) = (left + column as i32 * cell, top + row as i32 * cell);
                let share = *count as f64 / all;
                let shade = color(if row == column { BLUE } else { ORANGE }, share);
                area.draw(&Rectangle::new([(x, y), (x + end, y + end)], shade.filled())).map_err(undrawn)?;
                if self.classes.len() <= NUMBERED {
                    let ink = if share > 0.4 { WHITE } else { BLACK };
                    let style = text_at(HPos::Center, VPos::Center).color(&ink);
                    let middle = (x + cell / 2, y + cell / 2);
                    area.draw(&Text::new(count.to_string(), middle, style)).map_err(undrawn)?;
                }
            }
        }
        Ok(())
    }

    /// Names left of the rows and, read upwards, below the columns.
    fn names<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, layout: &Layout) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let upwards = || FontTransform::Rotate270;
        let side = layout.cell * self.classes.len() as u32;
        let (left, bottom) = (layout.left as i32 - 6, (layout.top + side) as i32 + 6);
        for (place, name) in layout.names.iter().enumerate().step_by(LINE.div_ceil(layout.cell) as usize) {
            let middle = (place as u32 * layout.cell + layout.cell / 2) as i32;
            let beside = text_at(HPos::Right, VPos::Center);
            let row = (left, layout.top as i32 + middle);
            area.draw(&Text::new(name.as_str(), row, beside.clone())).map_err(undrawn)?;
            let column = (layout.left as i32 + middle, bottom);
            area.draw(&Text::new(name.as_str(), column, beside.transform(upwards()))).map_err(undrawn)?;
        }
        let axis = text_at(HPos::Center, VPos::Top);
        let (_, height) = self.size();
        let across = ((layout.left + side / 2) as i32, (height - MARGIN) as i32 - SIZE as i32);
        area.draw(&Text::new("predicted class", across, axis.clone())).map_err(undrawn)?;
        let down = (MARGIN as i32, (layout.top + side / 2) as i32);
        area.draw(&Text::new("true class", down, axis.transform(upwards()))).map_err(undrawn)
    }
}

/// Room for the words before the legend's colours.
fn legend_indent() -> u32 {
    text::width(WRONG, SIZE) + 10
}

impl Picture for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        let layout = self.layout();
        let side = layout.cell * self.classes.len() as u32;
        // Names are as long below the columns as they are left of the rows.
        let names = layout.left - MARGIN - AXIS + 6;
        let head = legend_indent() + SHOWN.len() as u32 * SWATCH.1 as u32;
        ((layout.left + side).max(MARGIN + head) + MARGIN, layout.top + side + names + AXIS + MARGIN)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let layout = self.layout();
        self.head(area)?;
        self.cells(area, &layout)?;
        self.names(area, &layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    /// `count` classes of 100 images, 90 of them right and 10 taken for the next.
    fn matrix(count: usize) -> Vec<Vec<u64>> {
        let row = |class: usize| {
            let mut row = vec![0; count];
            row[class] = 90;
            row[(class + 1) % count] += 10;
            row
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn rows_are_true_and_columns_predicted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("confusion.png");
        let (matrix, classes) = ([vec![10, 0], vec![5, 5]], names(2));
        draw_confusion(&matrix, &classes, &path).expect("drawn");
        let picture = image::open(&path).expect("a picture").into_rgb8();
        let layout = Confusion { matrix: &matrix, classes: &classes }.layout();
        let corner = |row: u32, column: u32| {
            picture.get_pixel(layout.left + column * layout.cell + 2, layout.top + row * layout.cell + 2).0
        };
        let rgb = |RGBColor(red, green, blue): RGBColor| [red, green, blue];
        assert_eq!(corner(0, 0), rgb(BLUE), "all of class 0 are right");
        assert_eq!(corner(0, 1), [255; 3], "none was taken for class 1");
        assert_eq!(corner(1, 0), rgb(color(ORANGE, 0.5)), "half of class 1 were taken for class 0");
        assert_eq!(corner(1, 1), rgb(color(BLUE, 0.5)));
    }

    #[test]
    fn every_name_is_legible_up_to_a_hundred_classes_and_numbers_up_to_thirty() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (count, numbered) in [(1, true), (30, true), (31, false), (100, false)] {
            let path = folder.path().join("confusion.svg");
            draw_confusion(&matrix(count), &names(count), &path).expect("drawn");
            let svg = std::fs::read_to_string(&path).expect("written");
            let svg = roxmltree::Document::parse(&svg).expect("well-formed");
            let written = svg.descendants().filter(|node| node.has_tag_name("text"));
            let texts: Vec<&str> = written.filter_map(|node| node.text()).map(str::trim).collect();
            for name in names(count) {
                assert_eq!(texts.iter().filter(|text| **text == name).count(), 2, "{name} at a row and at a column");
            }
            assert_eq!(texts.contains(&"90") || texts.contains(&"100"), numbered, "{count}");
        }
    }

    #[test]
    fn many_classes_and_strange_names_are_drawn_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("confusion.png");
        draw_confusion(&matrix(1000), &names(1000), &path).expect("drawn");
        assert!(image::open(&path).expect("a picture").width() > 2000);
        let strange = ["", "写真\u{fffd}\n", &"long name ".repeat(40)].map(String::from);
        draw_confusion(&vec![vec![0; 3]; 3], &strange, &path).expect("drawn without an image");
        draw_confusion(&vec![vec![u64::MAX / 9; 3]; 3], &strange, &path).expect("drawn with large numbers");
    }

    #[test]
    fn what_is_no_confusion_matrix_is_named() {
        let wrong = |matrix: &[Vec<u64>], classes: usize| {
            draw_confusion(matrix, &names(classes), Path::new("never.png")).expect_err("refused").to_string()
        };
        assert!(wrong(&[], 0).contains("0 classes, allowed: 1 to 1000"));
        assert!(wrong(&matrix(2), 3).contains("2 rows, allowed: one for each of 3"));
        assert!(
            wrong(&[vec![1, 2], vec![1]], 2).contains("\"class 1\" of the confusion matrix has 1 numbers, allowed: 2")
        );
    }
}
