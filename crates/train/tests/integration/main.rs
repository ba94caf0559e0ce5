//! Tests of the crate as its users see it.

mod burn_train;
mod data;
mod few_labels;
mod layouts;
mod phase;
mod photos;
mod pretrain;
mod support;
mod tensorboard;
mod threads;
