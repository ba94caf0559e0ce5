//! One cost over one size.

use anyhow::{Context, Result};
use burn::tensor::Device;
use serde::Serialize;
use slowburn_benches::backend::Backend;
use slowburn_benches::stats::{Power, duration, median, spread};
use slowburn_benches::work::steps::QUEUE;
use slowburn_benches::work::{Run, average, contrast, steps};
use slowburn_models::ResNetConfig;

use crate::measure;

/// What grows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axis {
    /// InfoNCE's negatives.
    Negatives,
    /// InfoNCE's queries.
    Queries,
    /// The weights of an averaged network.
    Weights,
    /// The batch of MoCo's step.
    Batch,
}

/// Cost at several sizes.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    pub(super) name: &'static str,
    /// What the size is.
    pub(super) size: &'static str,
    params: String,
    backend: &'static str,
    device: String,
    pub(super) points: Vec<Point>,
    /// Of the fitted `factor·size^exponent`, in seconds.
    pub(super) exponent: f64,
    pub(super) factor: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) size: usize,
    pub(super) median_seconds: f64,
    /// Half the distance between the quartiles, as a share of the median.
    spread: f64,
}

/// Queries while the queue grows, and negatives while the queries do.
const QUERIES: usize = 64;
const NEGATIVES: usize = 16_384;

impl Axis {
    pub(super) const ALL: [Self; 4] = [Self::Negatives, Self::Queries, Self::Weights, Self::Batch];

    /// Work, size, and what stays the same.
    fn words(self) -> (&'static str, &'static str, String) {
        match self {
            Self::Negatives => {
                ("InfoNCE over K", "K", format!("forward and backward, N {QUERIES}, d {}", contrast::DIM))
            }
            Self::Queries => {
                ("InfoNCE over N", "N", format!("forward and backward, K {NEGATIVES}, d {}", contrast::DIM))
            }
            Self::Weights => {
                ("average over weights", "weights", "one update of a ResNet-18 of several widths".to_owned())
            }
            Self::Batch => ("MoCo step over batch", "batch", format!("ResNet-18, 3×3 stem, 32×32 images, K {QUEUE}")),
        }
    }

    /// The sizes; widths for weights.
    fn sizes(self, quick: bool) -> &'static [usize] {
        match (self, quick) {
            (Self::Negatives, false) => &[1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072],
            (Self::Queries, false) => &[16, 32, 64, 128, 256, 512, 1024],
            (Self::Weights, false) => &[8, 16, 32, 64, 128],
            (Self::Batch, false) => &[4, 8, 16, 32, 64],
            (Self::Negatives, true) => &[256, 1024],
            (Self::Queries, true) => &[8, 32],
            (Self::Weights, true) => &[4, 8],
            (Self::Batch, true) => &[1, 2],
        }
    }

    /// The work, and its size.
    fn work(self, size: usize, device: &Device) -> Result<(Run, usize)> {
        match self {
            Self::Negatives => Ok((contrast::loss(QUERIES, size, device), size)),
            Self::Queries => Ok((contrast::loss(size, NEGATIVES, device), size)),
            Self::Weights => average::update(&ResNetConfig::resnet18().with_width(size), device),
            Self::Batch => Ok((steps::moco_step(size, device)?, size)),
        }
    }

    pub(super) fn measure(self, backend: &Backend, quick: bool, rounds: u32, seconds: f64) -> Result<Series> {
        let mut points = Vec::new();
        for &size in self.sizes(quick) {
            let (mut run, size) = self.work(size, &backend.device)?;
            let times: Vec<f64> = (0..rounds).map(|_| measure::time(&mut run, seconds)).collect::<Result<_>>()?;
            points.push(Point { size, median_seconds: median(&times), spread: spread(&times) });
        }
        let logarithmic: Vec<_> = points.iter().map(|point| (point.size as f64, point.median_seconds)).collect();
        let Power { exponent, factor } = Power::fit(&logarithmic).context("two sizes and positive times")?;
        let (name, size, params) = self.words();
        let device = measure::hardware(backend);
        Ok(Series { name, size, params, backend: backend.name, device, points, exponent, factor })
    }
}

impl Series {
    /// The cost of a size by the fit.
    pub(super) fn fitted(&self, size: f64) -> f64 {
        Power { exponent: self.exponent, factor: self.factor }.at(size)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{} ({}): cost ~ {}^{:.2}\n", self.name, self.params, self.size, self.exponent);
        for Point { size, median_seconds, spread } in &self.points {
            let percent = 100.0 * spread;
            text += &format!("  {} {size}: {} ± {percent:.0} %\n", self.size, duration(*median_seconds));
        }
        text.trim_end().to_owned()
    }
}
