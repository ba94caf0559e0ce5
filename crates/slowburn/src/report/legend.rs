//! Legends beside the data: a strip above or below a plot, or columns to its right.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::Stroke;
use super::picture::undrawn;
use super::text;

const SIZE: u32 = 13;
/// Height of a row in pixels.
const ROW: u32 = 18;
/// Room for what stands before a name.
const MARK: u32 = 30;
/// Room behind a name.
const GAP: u32 = 16;
/// The widest name to the right of a plot.
const BESIDE: u32 = 180;
/// The most columns to the right of a plot.
const COLUMNS: usize = 4;

/// What stands before a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// A piece of a curve.
    Line(Stroke),
    /// A point.
    Dot,
}

/// One name of a legend.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) color: RGBColor,
    pub(super) mark: Mark,
}

/// Names in columns of one width, row by row.
#[derive(Debug)]
pub(super) struct Legend {
    entries: Vec<Entry>,
    columns: usize,
    /// Width of a column in pixels.
    cell: u32,
    /// Names for which there is no room.
    left_out: usize,
}

impl Legend {
    /// As many columns as `width` pixels have room for. The font must have been registered.
    pub(super) fn strip(entries: Vec<Entry>, width: u32) -> Self {
        let cell = (MARK + widest(&entries) + GAP).min(width).max(1);
        let columns = ((width / cell) as usize).clamp(1, entries.len().max(1));
        Self { entries, columns, cell, left_out: 0 }
    }

    /// As few columns as `height` pixels allow, four at most; names beyond are counted in its last line.
    pub(super) fn beside(mut entries: Vec<Entry>, height: u32) -> Self {
        let rows = (height / ROW).max(2) as usize;
        let columns = entries.len().div_ceil(rows).clamp(1, COLUMNS);
        let room = if entries.len() > rows * COLUMNS { (rows - 1) * COLUMNS } else { entries.len() };
        let left_out = entries.len() - room;
        entries.truncate(room);
        let cell = MARK + widest(&entries).min(BESIDE) + GAP;
        Self { entries, columns, cell, left_out }
    }

    /// Width and height in pixels; no height without entries.
    pub(super) fn size(&self) -> (u32, u32) {
        let rows = self.entries.len().div_ceil(self.columns) + usize::from(self.left_out > 0);
        (self.columns as u32 * self.cell, rows as u32 * ROW)
    }

    /// Draws from the area's upper left corner.
    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let write = |line: String, x: i32, y: i32| area.draw(&Text::new(line, (x, y - 6), text::style(SIZE)));
        for (place, entry) in self.entries.iter().enumerate() {
            let (row, column) = (place / self.columns, place % self.columns);
            let (x, y) = ((column as u32 * self.cell) as i32, (row as u32 * ROW + ROW / 2) as i32);
            match entry.mark {
                Mark::Line(stroke) => stroke.draw(area, entry.color, [(x, y), (x + MARK as i32 - 8, y)])?,
                Mark::Dot => {
                    area.draw(&Circle::new((x + MARK as i32 / 2, y), 4, entry.color.filled())).map_err(undrawn)?;
                }
            }
            let room = self.cell.saturating_sub(MARK + GAP);
            write(text::shorten(&text::plain(&entry.name), SIZE, room), x + MARK as i32, y).map_err(undrawn)?;
        }
        if self.left_out > 0 {
            let row = self.entries.len().div_ceil(self.columns) as u32;
            write(format!("and {} more", self.left_out), MARK as i32, (row * ROW + ROW / 2) as i32).map_err(undrawn)?;
        }
        Ok(())
    }
}

/// Width of the longest name in pixels.
fn widest(entries: &[Entry]) -> u32 {
    entries.iter().map(|entry| text::width(&text::plain(&entry.name), SIZE)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{BLUE, register_font_once};

    fn entries(count: usize) -> Vec<Entry> {
        (0..count).map(|place| Entry { name: format!("class {place:04}"), color: BLUE, mark: Mark::Dot }).collect()
    }

    #[test]
    fn a_strip_wraps_into_its_width() {
        register_font_once().expect("the font is there");
        for (count, width) in [(1, 400), (3, 400), (40, 400), (2, 20)] {
            let legend = Legend::strip(entries(count), width);
            assert!(legend.size().0 <= width, "{count} names in {width}");
            assert_eq!(legend.size().1, count.div_ceil(legend.columns) as u32 * ROW);
        }
        assert_eq!(Legend::strip(vec![], 400).size().1, 0, "nothing takes no room");
    }

    #[test]
    fn columns_to_the_right_keep_their_height_and_say_what_they_leave_out() {
        register_font_once().expect("the font is there");
        for (count, columns, left_out) in [(10, 1, 0), (35, 2, 0), (100, 4, 0), (1000, 4, 1000 - 128)] {
            let legend = Legend::beside(entries(count), 600);
            assert_eq!((legend.columns, legend.left_out), (columns, left_out), "{count}");
            assert!(legend.size().1 <= 600, "{count}");
        }
    }
}
