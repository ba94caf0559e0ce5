#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod advice;
pub mod args;
pub mod check;
mod command;
pub mod data;
pub mod device;
pub mod embed;
pub mod evaluate;
pub mod export;
pub mod images;
pub mod inspect;
pub mod network;
pub mod next;
pub mod out;
pub mod predict;
pub mod pretrain;
pub mod recipes;
pub mod report;
pub mod runs;
pub mod scoring;
pub mod settings;
pub mod sheet;
pub mod suggest;
pub mod train;
pub mod weights;

pub use command::run;
