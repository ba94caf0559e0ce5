//! The picture of `why_consistency`: what networks predict over a part of the plane.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use crate::moons::Moons;
use crate::picture::{Area, BLUE, GREY, LIGHT, ORANGE, title, undrawn, write};

/// Columns and rows of what a network predicts.
pub const GRID: [usize; 2] = [80, 56];

/// Colours from one class to the other.
const SHADES: usize = 12;
/// Width and height of the picture.
const SIZE: (u32, u32) = (1080, 600);
/// The height of a title.
const HEAD: u32 = 28;

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

/// Draws a panel for each of up to five networks, and in a sixth their accuracies by seed.
///
/// # Errors
/// Errors of drawing and of writing.
pub fn draw(regions: &[Region], scores: &[Vec<f64>], path: &Path) -> Result<()> {
    write(path, SIZE, |area| {
        let areas = area.split_evenly((2, 3));
        for ((region, area), letter) in regions.iter().zip(&areas).zip('a'..='e') {
            panel(area, region, letter)?;
        }
        accuracies(&areas[5], scores)
    })
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

fn panel(area: &Area<'_>, region: &Region, letter: char) -> Result<()> {
    let [[left, right], [bottom, top]] = Moons::RANGE;
    let (head, body) = area.split_vertically(HEAD);
    title(&head, &format!("({letter}) {}: {:.1} %", region.title, 100.0 * region.accuracy), 16)?;
    let mut chart = ChartBuilder::on(&body).margin(8).build_cartesian_2d(left..right, bottom..top).map_err(undrawn)?;
    let [columns, rows] = GRID;
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
fn accuracies(area: &Area<'_>, scores: &[Vec<f64>]) -> Result<()> {
    let seeds = scores.first().map_or(0, Vec::len);
    let all = || scores.iter().flatten().map(|score| 100.0 * score);
    let low = all().fold(100.0, f64::min) - 1.5;
    let count = scores.len();
    let (head, body) = area.split_vertically(HEAD);
    title(&head, &format!("accuracy on new points, %: {seeds} {}", if seeds == 1 { "seed" } else { "seeds" }), 16)?;
    let mut chart = ChartBuilder::on(&body)
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
        .bold_line_style(LIGHT)
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(undrawn)?;
    for (place, scores) in scores.iter().enumerate().filter(|(_, scores)| !scores.is_empty()) {
        let place = place as f64;
        let dots = scores.iter().map(|score| Circle::new((place, 100.0 * score), 3, BLUE.mix(0.6).filled()));
        chart.draw_series(dots).map_err(undrawn)?;
        let mean = 100.0 * scores.iter().sum::<f64>() / scores.len() as f64;
        let line = PathElement::new([(place - 0.3, mean), (place + 0.3, mean)], ORANGE.stroke_width(2));
        chart.draw_series(std::iter::once(line)).map_err(undrawn)?;
    }
    Ok(())
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
            field: vec![0.5; GRID[0] * GRID[1]],
            labeled: vec![([0.0, 0.0], 1)],
            unlabeled: vec![[0.5, 0.5], [9.0, 9.0]],
        };
        let path = folder.path().join("regions.svg");
        let scores = [vec![0.5, 0.6], vec![0.9, 0.8]];
        draw(&[region("one"), region("two")], &scores, &path).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        for text in ["(a) one", "(b) two", "2 seeds", "50.0 %"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
