//! What a run shows while it trains and when it ends.

mod chart;
mod confusion;
mod curves;
#[cfg(test)]
mod documents;
mod legend;
mod overlay;
mod picture;
mod progress;
mod scatter;
mod table;
pub(crate) mod text;

pub use confusion::draw_confusion;
pub use curves::{Across, BLUE, Curve, GREEN, GREY, ORANGE, Panel, draw_curves};
pub use overlay::{OverlayPanel, RunCurve, draw_overlay};
pub(crate) use picture::{encode_png, register_font_once};
pub use progress::progress;
pub use scatter::{Scatter, draw_scatter};
pub use table::{active_terms, final_table};
