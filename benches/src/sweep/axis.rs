//! What grows: the work at each size.

use anyhow::Result;
use burn::tensor::Device;
use slowburn_benches::backend::Backend;
use slowburn_benches::work::steps::QUEUE;
use slowburn_benches::work::{average, contrast, steps};
use slowburn_models::ResNetConfig;

use super::Effort;
#[cfg(feature = "flex")]
use super::convolution::Over;
use super::series::{Line, Point, Series, Way, Words};
use crate::{measure, settings};

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
    /// A convolution's, by the layers' kernels.
    #[cfg(feature = "flex")]
    Convolution(Over),
}

/// Queries while the queue grows, and negatives while the queries do.
const QUERIES: usize = 64;
const NEGATIVES: usize = 16_384;

impl Axis {
    const ALL: &[Self] = &[
        Self::Negatives,
        Self::Queries,
        Self::Weights,
        Self::Batch,
        #[cfg(feature = "flex")]
        Self::Convolution(Over::Channels),
        #[cfg(feature = "flex")]
        Self::Convolution(Over::Side),
        #[cfg(feature = "flex")]
        Self::Convolution(Over::Batch),
    ];

    /// Those that this backend has.
    pub(super) fn on(backend: &Backend) -> impl Iterator<Item = Self> {
        let kernels = settings::kernels(&backend.device).is_some();
        Self::ALL.iter().copied().filter(move |axis| kernels || !axis.is_of_kernels())
    }

    fn is_of_kernels(self) -> bool {
        match self {
            Self::Negatives | Self::Queries | Self::Weights | Self::Batch => false,
            #[cfg(feature = "flex")]
            Self::Convolution(_) => true,
        }
    }

    pub(super) fn words(self) -> Words {
        let (name, size, params) = match self {
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
            #[cfg(feature = "flex")]
            Self::Convolution(over) => return over.words(),
        };
        Words { name, size, params }
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
            #[cfg(feature = "flex")]
            (Self::Convolution(over), quick) => over.sizes(quick),
        }
    }

    /// The ways to do the work, and its size.
    fn work(self, size: usize, device: &Device) -> Result<(Vec<Way>, usize)> {
        let (run, size) = match self {
            Self::Negatives => (contrast::loss(QUERIES, size, device), size),
            Self::Queries => (contrast::loss(size, NEGATIVES, device), size),
            Self::Weights => average::update(&ResNetConfig::resnet18().with_width(size), device)?,
            Self::Batch => (steps::moco_step(size, device)?, size),
            #[cfg(feature = "flex")]
            Self::Convolution(over) => return Ok((over.ways(size, device).into(), size)),
        };
        Ok((vec![(None, run)], size))
    }

    /// Every size, the ways in turn.
    pub(super) fn measure(self, backend: &Backend, effort: Effort) -> Result<Series> {
        let mut lines: Vec<Line> = Vec::new();
        for &size in self.sizes(effort.quick) {
            let (mut ways, size) = self.work(size, &backend.device)?;
            let mut seconds = vec![Vec::new(); ways.len()];
            for _ in 0..effort.rounds {
                for ((_, run), seconds) in ways.iter_mut().zip(&mut seconds) {
                    seconds.push(measure::time(run, effort.seconds)?.each);
                }
            }
            lines.resize_with(ways.len(), Line::default);
            for ((line, (way, _)), seconds) in lines.iter_mut().zip(ways).zip(seconds) {
                line.way = way;
                line.points.push(Point::new(size, &seconds));
            }
        }
        Series::new(self.words(), backend, lines)
    }
}
