//! Normalisation of channels, with the rectifier and the addition that follow it.
//!
//! Feature maps are `[images, pixels, channels]`. A group of a batch holds as many consecutive images as every other one; split j
//! of a group those whose index is ≡ j modulo the number of splits. Statistics are `[groups, splits, channels]`.

mod passes;

use rayon::prelude::*;

use super::isa::{InstructionSet, instruction_set};
use super::scratch::Scratch;
use super::threads::together;
use passes::{Apply, Back, GradientSums, Moments};

/// Numbers that a core takes at a time; sums over them are in `f32`, over all of them in `f64`.
const PIECE: usize = 16 * 1024;

/// The rectifier that follows a normalisation, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rectifier {
    /// Nothing.
    None,
    /// `max(y, 0)`; NaN stays.
    Relu,
    /// `y` from zero on and `slope·y` below, with a slope in (0, 1].
    LeakyRelu(f32),
}

/// The shape of a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormShape {
    /// The images of the batch; a multiple of groups times splits.
    pub images: usize,
    /// The pixels of an image.
    pub pixels: usize,
    /// The channels.
    pub channels: usize,
    /// The groups of consecutive images; at least 1.
    pub groups: usize,
    /// The splits of a group; at least 1.
    pub splits: usize,
}

/// Which statistics depend on the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// Mean and variance: batch normalisation in training.
    Batch,
    /// The mean alone: mean-only batch normalisation in training.
    MeanOnly,
    /// None: evaluation, and frozen layers.
    Fixed,
}

/// What a forward pass leaves for [`backward`].
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// x, `[images, pixels, channels]`.
    pub input: &'a [f32],
    /// y, likewise; needed with an activation.
    pub output: Option<&'a [f32]>,
    /// μ, `[groups, splits, channels]`.
    pub mean: &'a [f32],
    /// 1/√(σ² + ε), `[groups, splits, channels]`.
    pub inverse_std: &'a [f32],
    /// γ, `[channels]`.
    pub gamma: &'a [f32],
    /// What followed.
    pub activation: Rectifier,
    /// Which statistics depend on the input.
    pub statistics: Statistics,
}

impl NormShape {
    /// Numbers of a batch of feature maps.
    pub fn len(&self) -> usize {
        self.images * self.pixels * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers of a statistic.
    pub fn statistic_len(&self) -> usize {
        self.groups * self.splits * self.channels
    }

    /// Pixels of a split of a group.
    fn count(&self) -> f64 {
        (self.images / (self.groups * self.splits) * self.pixels) as f64
    }

    /// The same numbers as few long images: without splits, one for each group.
    fn merged(&self) -> Self {
        match self.splits {
            1 => Self { images: self.groups, pixels: self.images / self.groups * self.pixels, ..*self },
            _ => *self,
        }
    }

    fn check(&self) {
        let parts = self.groups * self.splits;
        assert!(parts > 0 && self.images.is_multiple_of(parts), "whole groups and splits: {self:?}");
    }
}

/// How a batch is divided, the same for any number of cores: into pieces of whole pixels, each of one split of one group.
#[derive(Clone, Copy)]
struct Pieces {
    shape: NormShape,
    /// Numbers of an image and of a piece.
    image: usize,
    piece: usize,
    isa: InstructionSet,
    /// Pixels that fill whole vectors.
    period: usize,
}

impl Pieces {
    fn new(shape: &NormShape) -> Self {
        shape.check();
        let (shape, isa) = (shape.merged(), instruction_set());
        let lanes = isa.panel() / 2;
        let period = (1..=lanes).find(|pixels| (pixels * shape.channels).is_multiple_of(lanes)).unwrap_or(lanes);
        let pixels = (PIECE / shape.channels).next_multiple_of(period).max(period);
        Self { shape, image: shape.pixels * shape.channels, piece: pixels * shape.channels, isa, period }
    }

    fn per_image(&self) -> usize {
        self.image.div_ceil(self.piece)
    }

    fn count(&self) -> usize {
        self.shape.images * self.per_image()
    }

    /// The group and split of piece `number`, as one index.
    fn split(&self, number: usize) -> usize {
        let NormShape { images, groups, splits, .. } = self.shape;
        let image = number / self.per_image();
        image / (images / groups) * splits + image % splits
    }

    /// Piece `number` of values of the batch.
    fn of<'a>(&self, values: &'a [f32], number: usize) -> &'a [f32] {
        let (image, piece) = (number / self.per_image(), number % self.per_image());
        let end = self.image.min((piece + 1) * self.piece);
        &values[image * self.image..][piece * self.piece..end]
    }

    /// All pieces, for writing.
    fn all<'a>(&self, values: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        values.chunks_mut(self.image).flat_map(|image| image.chunks_mut(self.piece)).collect()
    }

    /// Statistics `[groups, splits, channels]` for whole vectors: `[groups, splits, period, channels]`.
    fn repeated(&self, statistic: &[f32]) -> Scratch {
        let channels = self.shape.channels;
        let mut repeated = Scratch::new(statistic.len() * self.period);
        for (from, to) in statistic.chunks_exact(channels).zip(repeated.chunks_exact_mut(self.period * channels)) {
            to.chunks_exact_mut(channels).for_each(|to| to.copy_from_slice(from));
        }
        repeated
    }

    fn repeated_of<'a>(&self, repeated: &'a [f32], number: usize) -> &'a [f32] {
        let width = self.period * self.shape.channels;
        &repeated[self.split(number) * width..][..width]
    }
}

/// The mean and the (biased) variance of each channel over the pixels of each split.
///
/// # Panics
///
/// If a slice has another length than the shape says.
pub fn statistics(shape: &NormShape, input: &[f32], mean: &mut [f32], variance: &mut [f32]) {
    assert_eq!(input.len(), shape.len(), "{shape:?}");
    assert_eq!([mean.len(), variance.len()], [shape.statistic_len(); 2], "{shape:?}");
    mean.fill(0.0);
    variance.fill(0.0);
    if shape.is_empty() {
        return;
    }
    let pieces = Pieces::new(shape);
    let width = pieces.period * shape.channels;
    let mut sums = Scratch::new(pieces.count() * 3 * width);
    together(|| {
        sums.par_chunks_mut(3 * width).enumerate().for_each(|(number, sums)| {
            super::isa::dispatch(pieces.isa, Moments { values: pieces.of(input, number), sums });
        });
    });
    let mut totals = vec![Total::default(); shape.statistic_len()];
    for (number, sums) in sums.chunks_exact(3 * width).enumerate() {
        let (rows, rest) = (pieces.of(input, number).len() / width, pieces.of(input, number).len() % width);
        let totals = &mut totals[pieces.split(number) * shape.channels..][..shape.channels];
        for at in 0..width {
            let pixels = (rows + usize::from(at < rest)) as f64;
            if pixels > 0.0 {
                let [origin, sum, square] = [0, 1, 2].map(|row| f64::from(sums[row * width + at]));
                let squares = square - sum * sum / pixels;
                totals[at % shape.channels].add(Total { pixels, mean: origin + sum / pixels, squares });
            }
        }
    }
    for ((total, mean), variance) in totals.into_iter().zip(mean).zip(variance) {
        *mean = total.mean as f32;
        // Rounding can make it negative; NaN stays.
        *variance = if total.squares < 0.0 { 0.0 } else { (total.squares / total.pixels) as f32 };
    }
}

/// The mean of some pixels, and the sum of squares around it.
#[derive(Clone, Copy, Default)]
struct Total {
    pixels: f64,
    mean: f64,
    squares: f64,
}

impl Total {
    /// Adds other pixels (Chan, Golub & LeVeque, *Algorithms for computing the sample variance*, 1983).
    fn add(&mut self, other: Self) {
        let (pixels, away) = (self.pixels + other.pixels, other.mean - self.mean);
        self.squares += other.squares + away * away * self.pixels * other.pixels / pixels;
        self.mean += away * other.pixels / pixels;
        self.pixels = pixels;
    }
}

/// `y = act((x − mean)·scale + shift (+ shortcut))`, each of `mean`, `scale` and `shift` `[groups, splits, channels]`. Without an
/// input, x is in place of y.
///
/// # Panics
///
/// If a slice has another length than the shape says.
#[allow(clippy::too_many_arguments)] // the equation's
pub fn apply(
    shape: &NormShape,
    input: Option<&[f32]>,
    [mean, scale, shift]: [&[f32]; 3],
    shortcut: Option<&[f32]>,
    activation: Rectifier,
    output: &mut [f32],
) {
    assert_eq!([input.map_or(shape.len(), <[f32]>::len), output.len()], [shape.len(); 2], "{shape:?}");
    assert!(shortcut.is_none_or(|shortcut| shortcut.len() == shape.len()), "the shortcut of {shape:?}");
    assert_eq!([mean.len(), scale.len(), shift.len()], [shape.statistic_len(); 3], "{shape:?}");
    if shape.is_empty() {
        return;
    }
    let pieces = Pieces::new(shape);
    let factors = [mean, scale, shift].map(|statistic| pieces.repeated(statistic));
    let factors = [&*factors[0], &*factors[1], &*factors[2]];
    pieces.all(output).into_par_iter().enumerate().for_each(|(number, output)| {
        let factors = factors.map(|factor| pieces.repeated_of(factor, number));
        let [input, shortcut] = [input, shortcut].map(|values| values.map(|values| pieces.of(values, number)));
        super::isa::dispatch(pieces.isa, Apply { input, factors, shortcut, activation, output });
    });
}

/// The gradients of a cost from `grad`, its gradient to y.
///
/// On return `grad` is the gradient before the activation, which is also the shortcut's, and `out` the gradient to the
/// input; without `out` that is left in `grad`. Those to γ and β are `[channels]`.
///
/// # Panics
///
/// If a slice has another length than the shape says, or if there is an activation and no output.
pub fn backward(
    shape: &NormShape,
    saved: &Saved<'_>,
    grad: &mut [f32],
    out: Option<&mut [f32]>,
    gamma: &mut [f32],
    beta: &mut [f32],
) {
    let lengths = [saved.input.len(), grad.len(), out.as_ref().map_or(shape.len(), |out| out.len())];
    assert_eq!(lengths, [shape.len(); 3], "{shape:?}");
    assert_eq!([saved.mean.len(), saved.inverse_std.len()], [shape.statistic_len(); 2], "{shape:?}");
    assert_eq!([saved.gamma.len(), gamma.len(), beta.len()], [shape.channels; 3], "{shape:?}");
    let output = match saved.activation {
        Rectifier::None => None,
        _ => Some(saved.output.filter(|output| output.len() == shape.len()).expect("the output with an activation")),
    };
    gamma.fill(0.0);
    beta.fill(0.0);
    if shape.is_empty() {
        return;
    }
    together(|| passes_back(shape, saved, output, grad, out, gamma, beta));
}

fn passes_back(
    shape: &NormShape,
    saved: &Saved<'_>,
    output: Option<&[f32]>,
    grad: &mut [f32],
    out: Option<&mut [f32]>,
    gamma: &mut [f32],
    beta: &mut [f32],
) {
    let pieces = Pieces::new(shape);
    let width = pieces.period * shape.channels;
    let mean = pieces.repeated(saved.mean);
    let mut sums = Scratch::new(pieces.count() * 2 * width);
    let work = pieces.all(grad).into_par_iter().zip(sums.par_chunks_mut(2 * width)).enumerate();
    work.for_each(|(number, (grad, sums))| {
        let (input, output) = (pieces.of(saved.input, number), output.map(|output| pieces.of(output, number)));
        let mean = pieces.repeated_of(&mean, number);
        super::isa::dispatch(
            pieces.isa,
            GradientSums { input, output, mean, activation: saved.activation, grad, sums },
        );
    });
    let factors = saved.factors(shape, &pieces.totals(&sums), gamma, beta).map(|factor| pieces.repeated(&factor));
    let factors = [&*mean, &*factors[0], &*factors[1], &*factors[2]];
    let work = |(number, (grad, out)): (usize, (&mut [f32], Option<&mut [f32]>))| {
        let factors = factors.map(|factor| pieces.repeated_of(factor, number));
        super::isa::dispatch(pieces.isa, Back { input: pieces.of(saved.input, number), factors, grad, out });
    };
    match out {
        Some(out) => {
            let out = pieces.all(out).into_par_iter().map(Some);
            pieces.all(grad).into_par_iter().zip(out).enumerate().for_each(work);
        }
        None => pieces.all(grad).into_par_iter().map(|grad| (grad, None)).enumerate().for_each(work),
    }
}

impl Pieces {
    /// Sums for whole vectors, `[period, channels]`, as sums of channels.
    fn folded(&self, sums: &[f32]) -> Vec<f64> {
        let mut folded = vec![0.0; self.shape.channels];
        for sums in sums.chunks_exact(self.shape.channels) {
            folded.iter_mut().zip(sums).for_each(|(folded, sum)| *folded += f64::from(*sum));
        }
        folded
    }

    /// The two sums of all pieces, `[groups, splits, channels]`.
    fn totals(&self, sums: &[f32]) -> Vec<[f64; 2]> {
        let channels = self.shape.channels;
        let mut totals = vec![[0.0f64; 2]; self.shape.statistic_len()];
        for (number, sums) in sums.chunks_exact(2 * self.period * channels).enumerate() {
            let totals = &mut totals[self.split(number) * channels..][..channels];
            for (which, sums) in sums.chunks_exact(self.period * channels).enumerate() {
                totals.iter_mut().zip(self.folded(sums)).for_each(|(total, sum)| total[which] += sum);
            }
        }
        totals
    }
}

impl Saved<'_> {
    /// From Σg and Σg·(x − μ): the gradients to γ and β, and a, b, c of `∂x = a·g + b·(x − μ) + c`.
    fn factors(&self, shape: &NormShape, totals: &[[f64; 2]], gamma: &mut [f32], beta: &mut [f32]) -> [Vec<f32>; 3] {
        let count = shape.count();
        let mut factors = [0; 3].map(|_| vec![0.0f32; shape.statistic_len()]);
        let mut parameters = vec![[0.0f64; 2]; shape.channels];
        for (index, &[sum, product]) in totals.iter().enumerate() {
            let channel = index % shape.channels;
            let inverse = f64::from(self.inverse_std[index]);
            let (scale, product) = (f64::from(self.gamma[channel]) * inverse, product * inverse);
            parameters[channel][0] += product;
            parameters[channel][1] += sum;
            let [of_product, of_sum] = match self.statistics {
                Statistics::Batch => [-scale * inverse * product / count, -scale * sum / count],
                Statistics::MeanOnly => [0.0, -scale * sum / count],
                Statistics::Fixed => [0.0, 0.0],
            };
            for (factor, value) in factors.iter_mut().zip([scale, of_product, of_sum]) {
                factor[index] = value as f32;
            }
        }
        for (channel, [product, sum]) in parameters.into_iter().enumerate() {
            (gamma[channel], beta[channel]) = (product as f32, sum as f32);
        }
        factors
    }
}
