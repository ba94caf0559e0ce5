//! The rows as bars over a logarithmic axis.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use slowburn_benches::stats::brief;

use super::row::Row;
use crate::picture::{BLUE, GREY, ORANGE, Picture, undrawn};

const WIDTH: i32 = 900;
/// Of a bar with its gap.
const STEP: i32 = 22;
/// Room for names, and above and below the bars.
const LEFT: i32 = 290;
const RIGHT: i32 = 90;
const TOP: i32 = 44;
const BOTTOM: i32 = 34;

/// Bars of ratios, or of seconds where there is no other side.
pub(super) struct Chart {
    title: &'static str,
    /// Name, value, its text.
    bars: Vec<(String, f64, String)>,
    /// Where the bars begin.
    base: f64,
    /// Both ends of the axis.
    ends: (f64, f64),
}

impl Chart {
    pub(super) fn new(rows: &[Row]) -> Self {
        let figures: Vec<_> = rows.iter().map(Row::figures).collect();
        let several = figures.iter().any(|(_, backend, ..)| family(backend) != family(figures[0].1));
        let compared = figures.iter().any(|(.., ratio, seconds)| ratio.and(*seconds).is_some());
        let bar = |&(name, backend, ratio, seconds): &(&str, &str, Option<f64>, Option<f64>)| {
            let name = if several { format!("{name}, {}", family(backend)) } else { name.to_owned() };
            match compared {
                // A row of memory has a ratio of another kind, and no time.
                true => ratio.filter(|_| seconds.is_some()).map(|ratio| (name, ratio, format!("{ratio:.2} ×"))),
                false => seconds.map(|seconds| (name, seconds, brief(seconds))),
            }
        };
        let bars: Vec<_> = figures.iter().filter_map(bar).collect();
        let lowest = bars.iter().map(|bar| bar.1).fold(f64::INFINITY, f64::min);
        let highest = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        if compared {
            let title = "How many times as fast as PyTorch (orange: slower)";
            Self { title, bars, base: 1.0, ends: (lowest.min(0.8) / 1.1, highest.max(1.25) * 1.1) }
        } else {
            Self { title: "Time of each", bars, base: lowest / 2.0, ends: (lowest / 2.0, highest * 1.1) }
        }
    }

    /// The place of a value.
    fn x(&self, value: f64) -> i32 {
        let (low, high) = self.ends;
        LEFT + (f64::from(WIDTH - LEFT - RIGHT) * (value / low).ln() / (high / low).ln()) as i32
    }

    fn tick(&self, value: f64) -> String {
        if self.base == 1.0 { format!("{value}") } else { brief(value) }
    }
}

/// The backend without its threads.
fn family(backend: &str) -> &str {
    backend.split(',').next().unwrap_or(backend)
}

impl Picture for Chart {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (TOP + BOTTOM + STEP * self.bars.len() as i32) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let text = |text: &str, place: (i32, i32), h, size: i32| {
            let style = ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(h, VPos::Center));
            area.draw(&Text::new(text.to_owned(), place, style)).map_err(undrawn)
        };
        let line = |x, color: RGBColor| {
            let bottom = TOP + STEP * self.bars.len() as i32;
            area.draw(&PathElement::new([(x, TOP), (x, bottom)], color.stroke_width(1))).map_err(undrawn)
        };
        text(self.title, (WIDTH / 2, TOP / 2), HPos::Center, 17)?;
        let below = TOP + STEP * self.bars.len() as i32 + BOTTOM / 2;
        for value in ticks(self.ends) {
            line(self.x(value), RGBColor(228, 228, 228))?;
            text(&self.tick(value), (self.x(value), below), HPos::Center, 13)?;
        }
        for (place, (name, value, label)) in self.bars.iter().enumerate() {
            let y = TOP + STEP * place as i32;
            let (from, to) = (self.x(value.min(self.base)), self.x(value.max(self.base)));
            let color = if self.base == 1.0 && *value < 1.0 { ORANGE } else { BLUE };
            area.draw(&Rectangle::new([(from, y + 4), (to, y + STEP - 3)], color.filled())).map_err(undrawn)?;
            text(name, (LEFT - 8, y + STEP / 2), HPos::Right, 13)?;
            text(label, (to + 6, y + STEP / 2), HPos::Left, 13)?;
        }
        if self.base == 1.0 { line(self.x(1.0), GREY) } else { Ok(()) }
    }
}

/// 1, 2 and 5 of each decade, or the decades alone where there are many.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let steps: &[f64] = if high / low > 100.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let every = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    every.filter(|value| (low..=high).contains(value)).collect()
}
