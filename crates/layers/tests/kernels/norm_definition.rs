//! Batch normalisation as scalar loops in f64, written from the definition and checked with central differences.
//!
//! For split `j` of a group of consecutive images (those whose index is `j` modulo the splits) and channel `c`, over its `m` numbers,
//!
//! - `μ = Σ x / m`, `σ² = Σ (x − μ)² / m`, `x̂ = (x − μ) / √(σ² + ε)`, `y = act(γ x̂ + β + shortcut)`;
//! - with only the mean from the batch, `√(σ² + ε)` is a constant; with fixed statistics `μ` is one as well.
//!
//! With `d` the gradient before the activation: `∂β = Σ d`, `∂γ = Σ d x̂`, the shortcut's is `d`, and the input's
//! `γ/√(σ² + ε) · (d − mean(d) − x̂ mean(d x̂))`, without the last term or the last two where they are constants.

use slowburn_layers::kernel::Rectifier;
use slowburn_layers::kernel::norm::{NormShape, Statistics};

use crate::support::{Numbers, wide};

/// The batch and how it is divided. A part is one split of one group and one channel: an index into `[groups][splits][channels]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) images: usize,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    pub(crate) groups: usize,
    pub(crate) splits: usize,
}

impl Layout {
    pub(crate) fn shape(&self) -> NormShape {
        let Self { images, pixels, channels, groups, splits } = *self;
        NormShape { images, pixels, channels, groups, splits }
    }

    /// Numbers of the batch.
    pub(crate) fn numbers(&self) -> usize {
        self.images * self.pixels * self.channels
    }

    pub(crate) fn parts(&self) -> usize {
        self.groups * self.splits * self.channels
    }

    /// The part of the number at `at`.
    pub(crate) fn part(&self, at: usize) -> usize {
        let (image, channel) = (at / (self.pixels * self.channels), at % self.channels);
        let (group, split) = (image * self.groups / self.images, image % self.splits);
        (group * self.splits + split) * self.channels + channel
    }

    /// Means over each part.
    pub(crate) fn mean(&self, values: &[f64]) -> Vec<f64> {
        let (mut sums, mut counts) = (vec![0.0; self.parts()], vec![0.0_f64; self.parts()]);
        for (at, value) in values.iter().enumerate() {
            sums[self.part(at)] += value;
            counts[self.part(at)] += 1.0;
        }
        sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1.0)).collect()
    }

    /// The largest absolute value of each part.
    pub(crate) fn largest(&self, values: &[f64]) -> Vec<f64> {
        let mut found = vec![0.0_f64; self.parts()];
        for (at, value) in values.iter().enumerate() {
            let largest = &mut found[self.part(at)];
            *largest = largest.max(value.abs());
        }
        found
    }

    /// Means and biased variances.
    pub(crate) fn moments(&self, input: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mean = self.mean(input);
        let squares = input.iter().enumerate().map(|(at, x)| (x - mean[self.part(at)]).powi(2));
        let variance = self.mean(&squares.collect::<Vec<_>>());
        (mean, variance)
    }

    /// Sums over each channel, and what each sum comes to if its terms are independent or, where that is more, itself.
    fn sums(&self, values: &[f64]) -> [Vec<f64>; 2] {
        let (mut sums, mut squares) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (at, value) in values.iter().enumerate() {
            sums[at % self.channels] += value;
            squares[at % self.channels] += value * value;
        }
        let size = sums.iter().zip(squares).map(|(sum, squares): (&f64, f64)| squares.sqrt().max(sum.abs()));
        let size = size.collect();
        [sums, size]
    }
}

pub(crate) fn activate(activation: Rectifier, z: f64) -> f64 {
    match activation {
        Rectifier::Relu if z < 0.0 => 0.0,
        Rectifier::LeakyRelu(slope) if z < 0.0 => f64::from(slope) * z,
        _ => z,
    }
}

/// The derivative where the result is `y`; at zero that of the negative side.
fn derivative(activation: Rectifier, y: f64) -> f64 {
    match activation {
        Rectifier::Relu if y <= 0.0 => 0.0,
        Rectifier::LeakyRelu(slope) if y <= 0.0 => f64::from(slope),
        _ => 1.0,
    }
}

pub(crate) fn copy(which: &Statistics) -> Statistics {
    match which {
        Statistics::Batch => Statistics::Batch,
        Statistics::MeanOnly => Statistics::MeanOnly,
        Statistics::Fixed => Statistics::Fixed,
    }
}

/// The statistics of a pass, of each part.
#[derive(Clone)]
pub(crate) struct Used {
    pub(crate) mean: Vec<f64>,
    pub(crate) inverse_std: Vec<f64>,
}

impl Used {
    /// Those of the batch in place of the fixed ones, as far as `which` says.
    pub(crate) fn of(layout: &Layout, input: &[f64], which: &Statistics, fixed: &Used, epsilon: f64) -> Self {
        let (mean, variance) = layout.moments(input);
        let inverse_std = variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        match which {
            Statistics::Batch => Used { mean, inverse_std },
            Statistics::MeanOnly => Used { mean, inverse_std: fixed.inverse_std.clone() },
            Statistics::Fixed => fixed.clone(),
        }
    }
}

/// A layer with its batch.
pub(crate) struct Layer {
    pub(crate) layout: Layout,
    pub(crate) input: Vec<f64>,
    pub(crate) shortcut: Option<Vec<f64>>,
    pub(crate) gamma: Vec<f64>,
    pub(crate) beta: Vec<f64>,
    pub(crate) activation: Rectifier,
    pub(crate) which: Statistics,
}

/// The four gradients, and the sizes of the terms that they are sums of.
pub(crate) struct Gradients {
    /// Before the activation, which is the shortcut's.
    pub(crate) before: Vec<f64>,
    pub(crate) input: Vec<f64>,
    /// Of each part, the largest `γ d / √(σ² + ε)`.
    pub(crate) input_size: Vec<f64>,
    /// The gradient to each γ, and its size.
    pub(crate) gamma: [Vec<f64>; 2],
    pub(crate) beta: [Vec<f64>; 2],
}

impl Layer {
    pub(crate) fn output(&self, used: &Used) -> Vec<f64> {
        let output = self.input.iter().enumerate().map(|(at, x)| {
            let (part, c) = (self.layout.part(at), at % self.layout.channels);
            let normal = (x - used.mean[part]) * used.inverse_std[part];
            let shortcut = self.shortcut.as_ref().map_or(0.0, |shortcut| shortcut[at]);
            activate(self.activation, self.gamma[c] * normal + self.beta[c] + shortcut)
        });
        output.collect()
    }

    /// Gradients of `Σ grad · output`.
    pub(crate) fn gradients(&self, used: &Used, output: &[f64], grad: &[f64]) -> Gradients {
        let layout = &self.layout;
        let before = grad.iter().zip(output).map(|(g, &y)| g * derivative(self.activation, y));
        let before: Vec<f64> = before.collect(); // d
        let normal = self.input.iter().enumerate().map(|(at, x)| {
            let part = layout.part(at);
            (x - used.mean[part]) * used.inverse_std[part]
        });
        let normal: Vec<f64> = normal.collect(); // x̂
        let product: Vec<f64> = before.iter().zip(&normal).map(|(d, x)| d * x).collect(); // d x̂
        let (mean, mean_product) = (layout.mean(&before), layout.mean(&product));
        let (by_mean, by_variance) = match self.which {
            Statistics::Batch => (1.0, 1.0),
            Statistics::MeanOnly => (1.0, 0.0),
            Statistics::Fixed => (0.0, 0.0),
        };
        let scale = |at: usize| self.gamma[at % layout.channels] * used.inverse_std[layout.part(at)];
        let input = (0..before.len()).map(|at| {
            let part = layout.part(at);
            scale(at) * (before[at] - by_mean * mean[part] - by_variance * normal[at] * mean_product[part])
        });
        let own: Vec<f64> = before.iter().enumerate().map(|(at, d)| scale(at) * d).collect();
        Gradients {
            input: input.collect(),
            input_size: layout.largest(&own),
            gamma: layout.sums(&product),
            beta: layout.sums(&before),
            before,
        }
    }
}

/// The central differences of `loss` by each number of `values`.
fn differences(values: &[f64], loss: impl Fn(Vec<f64>) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let difference = (0..values.len()).map(|at| {
        let moved = |by: f64| {
            let mut values = values.to_vec();
            values[at] += by;
            loss(values)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    });
    difference.collect()
}

#[track_caller]
fn assert_differences(layer: &Layer, name: &str) {
    const EPSILON: f64 = 0.01; // so large that leaving it out shows
    let layout = layer.layout;
    let mut numbers = Numbers(9);
    let fixed = Used {
        mean: wide(&numbers.centred(layout.parts())),
        inverse_std: (0..layout.parts()).map(|_| 1.5 + f64::from(numbers.one())).collect(),
    };
    let grad = wide(&numbers.centred(layout.numbers()));
    let output = |layer: &Layer| layer.output(&Used::of(&layout, &layer.input, &layer.which, &fixed, EPSILON));
    let y = output(layer);
    assert!(y.iter().all(|y| *y == 0.0 || y.abs() > 1e-4), "{name}: a number is at the activation's corner");
    let used = Used::of(&layout, &layer.input, &layer.which, &fixed, EPSILON);
    let ours = layer.gradients(&used, &y, &grad);
    let loss = |change: &dyn Fn(&mut Layer)| {
        let Layer { layout, input, shortcut, gamma, beta, activation, which } = layer;
        let (input, shortcut, gamma, beta) = (input.clone(), shortcut.clone(), gamma.clone(), beta.clone());
        let (layout, activation, which) = (*layout, *activation, copy(which));
        let mut moved = Layer { layout, input, shortcut, gamma, beta, activation, which };
        change(&mut moved);
        output(&moved).iter().zip(&grad).map(|(y, g)| y * g).sum()
    };
    let close = |ours: &[f64], theirs: Vec<f64>, of: &str| {
        for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
            assert!((a - b).abs() < 1e-8 * (1.0 + b.abs()), "{name}, gradient to {of} at {at}: {a} instead of {b}");
        }
    };
    close(&ours.input, differences(&layer.input, |values| loss(&|layer| layer.input = values.clone())), "the input");
    close(&ours.gamma[0], differences(&layer.gamma, |values| loss(&|layer| layer.gamma = values.clone())), "γ");
    close(&ours.beta[0], differences(&layer.beta, |values| loss(&|layer| layer.beta = values.clone())), "β");
    if let Some(shortcut) = &layer.shortcut {
        let theirs = differences(shortcut, |values| loss(&|layer| layer.shortcut = Some(values.clone())));
        close(&ours.before, theirs, "the shortcut");
    }
}

#[test]
fn gradients_equal_central_differences() {
    for (seed, [groups, splits]) in (0..).zip([[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [3, 2]]) {
        let layout = Layout { images: 2 * groups * splits, pixels: 3, channels: 2, groups, splits };
        for activation in [Rectifier::None, Rectifier::Relu, Rectifier::LeakyRelu(0.1)] {
            for which in [Statistics::Batch, Statistics::MeanOnly, Statistics::Fixed] {
                for shortcut in [false, true] {
                    let mut numbers = Numbers(seed);
                    let layer = Layer {
                        layout,
                        input: wide(&numbers.centred(layout.numbers())),
                        shortcut: shortcut.then(|| wide(&numbers.centred(layout.numbers()))),
                        gamma: vec![0.7, -1.3],
                        beta: vec![0.2, -0.1],
                        activation,
                        which: copy(&which),
                    };
                    assert_differences(&layer, &format!("{layout:?}, {activation:?}, shortcut {shortcut}"));
                }
            }
        }
    }
}
