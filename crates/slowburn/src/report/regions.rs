use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::picture::{self, Picture, undrawn};
use super::{BLUE, GREY, ORANGE};

/// Colours from one class to the other.
const SHADES: usize = 12;

/// What one network predicts over a part of the plane.
#[derive(Debug)]
pub struct Region {
    /// What is above it.
    pub title: &'static str,
    /// The share of new points that it classifies right.
    pub accuracy: f64,
    /// The probability of class 1 in each cell, row by row from the bottom.
    pub field: Vec<f32>,
    /// Points with their class.
    pub labeled: Vec<([f32; 2], usize)>,
    /// Points without.
    pub unlabeled: Vec<[f32; 2]>,
}

/// Up to five networks on one problem, and how well they do over several seeds.
#[derive(Debug)]
pub struct Regions {
    /// What the networks predict.
    pub regions: Vec<Region>,
    /// Accuracies by seed, in the same order.
    pub scores: Vec<Vec<f64>>,
    /// The part of the plane: horizontally, vertically.
    pub range: [[f32; 2]; 2],
    /// Columns and rows of a field.
    pub grid: [usize; 2],
}

/// Writes `why_consistency.svg` and `why_consistency.png`.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw_regions(regions: &Regions, folder: &Path) -> anyhow::Result<()> {
    picture::write(regions, "why_consistency", folder)
}

/// White between two light colours.
fn shade(step: usize) -> RGBColor {
    let place = 2.0 * (step as f64 + 0.5) / SHADES as f64 - 1.0;
    let RGBColor(red, green, blue) = if place < 0.0 { BLUE } else { ORANGE };
    let mix = |channel: u8| 255.0 - 0.55 * place.abs() * (255.0 - f64::from(channel));
    RGBColor(mix(red) as u8, mix(green) as u8, mix(blue) as u8)
}

/// Cells of one shade side by side in a row: shade, first column, column behind the last.
fn runs(row: &[f32]) -> Vec<(usize, usize, usize)> {
    let step = |probability: f32| ((probability * SHADES as f32) as usize).min(SHADES - 1);
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (column, probability) in row.iter().enumerate() {
        match runs.last_mut() {
            Some((last, _, end)) if *last == step(*probability) => *end = column + 1,
            _ => runs.push((step(*probability), column, column + 1)),
        }
    }
    runs
}

impl Picture for Regions {
    fn size(&self) -> (u32, u32) {
        (1080, 600)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let areas = area.split_evenly((2, 3));
        for (place, (region, area)) in self.regions.iter().zip(&areas).enumerate() {
            self.region(area, region, char::from(b'a' + place as u8))?;
        }
        self.scores(&areas[5])
    }
}

impl Regions {
    fn region<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        region: &Region,
        letter: char,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let [[left, right], [bottom, top]] = self.range;
        let title = format!("({letter}) {}: {:.1} %", region.title, 100.0 * region.accuracy);
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .build_cartesian_2d(left..right, bottom..top)
            .map_err(undrawn)?;
        let [columns, rows] = self.grid;
        let x = |column: usize| left + (right - left) * column as f32 / columns as f32;
        let y = |row: usize| bottom + (top - bottom) * row as f32 / rows as f32;
        let cells = region.field.chunks_exact(columns).enumerate().flat_map(|(row, values)| {
            runs(values).into_iter().map(move |(step, first, end)| {
                Rectangle::new([(x(first), y(row)), (x(end), y(row + 1))], shade(step).filled())
            })
        });
        chart.draw_series(cells).map_err(undrawn)?;
        let inside = |point: &&[f32; 2]| (left..right).contains(&point[0]) && (bottom..top).contains(&point[1]);
        let unlabeled = region.unlabeled.iter().filter(inside);
        chart.draw_series(unlabeled.map(|&[x, y]| Circle::new((x, y), 1, GREY.mix(0.7).filled()))).map_err(undrawn)?;
        for (place, radius) in [(true, 7), (false, 5)] {
            let labeled = region.labeled.iter().filter(|(point, _)| inside(&point));
            let dots = labeled.map(|&([x, y], class)| {
                let color = if place { WHITE } else { [BLUE, ORANGE][class.min(1)] };
                Circle::new((x, y), radius, color.filled())
            });
            chart.draw_series(dots).map_err(undrawn)?;
        }
        Ok(())
    }

    /// A dot for each seed, a line at the mean.
    fn scores<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let seeds = self.scores.first().map_or(0, Vec::len);
        let all = || self.scores.iter().flatten().map(|score| 100.0 * score);
        let low = all().fold(100.0, f64::min) - 1.5;
        let count = self.scores.len();
        let title = format!("accuracy on new points, %: {seeds} {}", if seeds == 1 { "seed" } else { "seeds" });
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(26)
            .y_label_area_size(40)
            .build_cartesian_2d(-0.6..count as f64 - 0.4, low..101.0)
            .map_err(undrawn)?;
        let letter = |place: &f64| {
            let whole = (place - place.round()).abs() < 1e-6 && (0.0..count as f64).contains(&place.round());
            if whole { format!("({})", char::from(b'a' + place.round() as u8)) } else { String::new() }
        };
        chart
            .configure_mesh()
            .x_labels(count + 1)
            .x_label_formatter(&letter)
            .y_labels(6)
            .disable_x_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(228, 228, 228))
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(undrawn)?;
        for (place, scores) in self.scores.iter().enumerate().filter(|(_, scores)| !scores.is_empty()) {
            let place = place as f64;
            let dots = scores.iter().map(|score| Circle::new((place, 100.0 * score), 3, BLUE.mix(0.6).filled()));
            chart.draw_series(dots).map_err(undrawn)?;
            let mean = 100.0 * scores.iter().sum::<f64>() / scores.len() as f64;
            let line = PathElement::new([(place - 0.3, mean), (place + 0.3, mean)], ORANGE.stroke_width(2));
            chart.draw_series(std::iter::once(line)).map_err(undrawn)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_shade_are_one_rectangle() {
        assert_eq!(runs(&[0.0, 0.01, 0.99, 1.0, 0.0]), [(0, 0, 2), (SHADES - 1, 2, 4), (0, 4, 5)]);
    }

    #[test]
    fn shades_go_from_one_class_to_the_other() {
        assert_eq!(shade(0).0.cmp(&shade(0).2), std::cmp::Ordering::Less, "blue");
        assert_eq!(shade(SHADES - 1).0.cmp(&shade(SHADES - 1).2), std::cmp::Ordering::Greater, "orange");
    }

    #[test]
    fn every_panel_has_its_title() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let region = |title| Region {
            title,
            accuracy: 0.5,
            field: vec![0.0, 1.0, 0.5, 0.2],
            labeled: vec![([0.0, 0.0], 1)],
            unlabeled: vec![[0.5, 0.5], [9.0, 9.0]],
        };
        let regions = Regions {
            regions: vec![region("one"), region("two")],
            scores: vec![vec![0.5, 0.6], vec![0.9, 0.8]],
            range: [[-1.0, 1.0], [-1.0, 1.0]],
            grid: [2, 2],
        };
        draw_regions(&regions, folder.path()).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("why_consistency.svg")).expect("written");
        for text in ["(a) one", "(b) two", "2 seeds", "50.0 %"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
