//! What a run shows while it trains and when it ends.

mod curves;
mod picture;
mod regions;
mod scatter;
mod table;

pub use curves::{Across, BLUE, Curve, GREY, ORANGE, Panel, draw_curves};
pub(crate) use picture::register_font_once;
pub use regions::{Region, Regions, draw_regions};
pub use scatter::{Scatter, draw_scatter};
pub use table::{active_terms, final_table};
