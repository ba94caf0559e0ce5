//! The kernels of batch normalisation beside the definition in [`crate::norm_definition`].

use proptest::prelude::*;
use slowburn_layers::kernel::Rectifier;
use slowburn_layers::kernel::norm::{Saved, Statistics, apply, backward, statistics};

use crate::norm_definition::{Gradients, Layer, Layout, Used, activate, copy};
use crate::support::{Numbers, each_way, largest, near, near_each, unwritten, wide};

/// Beside the size of the terms that a number is a sum of.
const TOLERANCE: f64 = 2e-6;
/// A difference, a product, sums of three terms and the slope, each rounded once.
const APPLY: f64 = 3e-7;
/// Of a number that is rounded to f32.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;
const EPSILON: f64 = 1e-5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Centred,
    /// 10⁴, one up and one down.
    Far,
    Constant,
    /// The three by turns.
    Mixed,
}

/// A layer with its batch, in f32.
struct Case {
    layout: Layout,
    input: Vec<f32>,
    shortcut: Option<Vec<f32>>,
    grad: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    activation: Rectifier,
    which: Statistics,
}

impl Case {
    fn new(layout: Layout, kind: Kind, shortcut: bool, activation: Rectifier, which: Statistics, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let kinds = [Kind::Centred, Kind::Far, Kind::Constant];
        let input = (0..layout.numbers()).map(|at| {
            let c = at % layout.channels;
            match if kind == Kind::Mixed { kinds[c % 3] } else { kind } {
                Kind::Far => 1e4 + numbers.one(),
                Kind::Constant => 0.1 + c as f32,
                _ => numbers.one() + 0.3,
            }
        });
        Self {
            layout,
            input: input.collect(),
            shortcut: shortcut.then(|| numbers.centred(layout.numbers())),
            grad: numbers.centred(layout.numbers()),
            gamma: numbers.centred(layout.channels).iter().map(|number| 1.0 + 0.5 * number).collect(),
            beta: numbers.centred(layout.channels),
            activation,
            which,
        }
    }

    fn check(&self) -> Result<(), String> {
        self.check_statistics()?;
        self.check_apply()?;
        self.check_backward()
    }

    fn what(&self) -> String {
        let which = match self.which {
            Statistics::Batch => "batch statistics",
            Statistics::MeanOnly => "mean only",
            Statistics::Fixed => "fixed statistics",
        };
        format!("{:?}, {:?}, {which}", self.layout, self.activation)
    }

    /// The mean to a rounding of it and of its deviations; the variance to what such a mean costs.
    fn check_statistics(&self) -> Result<(), String> {
        let (mean, variance) = self.layout.moments(&wide(&self.input));
        let compute = || {
            let (mut mean, mut variance) = (unwritten(self.layout.parts()), unwritten(self.layout.parts()));
            statistics(&self.layout.shape(), &self.input, &mut mean, &mut variance);
            [mean, variance]
        };
        each_way(compute, |set, [found_mean, found_variance]| {
            let what = format!("{}, {set:?}", self.what());
            let rounding = |part: usize| 2.0 * ROUNDING * mean[part].abs();
            let off = |part: usize| rounding(part) + 1e-6 * variance[part].sqrt();
            near_each(&format!("{what}: mean"), found_mean, &mean, off, 1.0)?;
            let off = |part: usize| rounding(part).powi(2) + 2.0 * TOLERANCE * variance[part];
            near_each(&format!("{what}: variance"), found_variance, &variance, off, 1.0)?;
            if found_variance.iter().any(|variance| *variance < 0.0) {
                return Err(format!("{what}: a negative variance"));
            }
            Ok(())
        })
    }

    fn check_apply(&self) -> Result<(), String> {
        let (layout, mut numbers) = (&self.layout, Numbers(5));
        let mean: Vec<f32> = layout.mean(&wide(&self.input)).iter().map(|&mean| mean as f32).collect();
        let (scale, shift) = (numbers.centred(layout.parts()), numbers.centred(layout.parts()));
        let terms = (0..layout.numbers()).map(|at| {
            let part = layout.part(at);
            let shortcut = self.shortcut.as_ref().map_or(0.0, |shortcut| shortcut[at]);
            let normal = f64::from(scale[part]) * (f64::from(self.input[at]) - f64::from(mean[part]));
            [normal, shift[part].into(), shortcut.into()]
        });
        let terms: Vec<[f64; 3]> = terms.collect();
        let expected: Vec<f64> = terms.iter().map(|terms| activate(self.activation, terms.iter().sum())).collect();
        let compute = |in_place: bool| {
            let (mut output, shortcut) = (unwritten(layout.numbers()), self.shortcut.as_deref());
            let input = match in_place {
                true => {
                    output.clone_from(&self.input);
                    None
                }
                false => Some(self.input.as_slice()),
            };
            apply(&layout.shape(), input, [&mean, &scale, &shift], shortcut, self.activation, &mut output);
            output
        };
        let both = || [compute(false), compute(true)];
        each_way(both, |set, [output, in_place]| {
            if output.iter().zip(in_place).any(|(a, b)| a.to_bits() != b.to_bits()) {
                return Err(format!("{}, {set:?}: in place the output is another", self.what()));
            }
            let size = |at: usize| terms[at].iter().map(|term| term.abs()).sum();
            near_each(&format!("{}, {set:?}: output", self.what()), output, &expected, size, APPLY)?;
            Ok(())
        })
    }

    fn wide(&self) -> Layer {
        Layer {
            layout: self.layout,
            input: wide(&self.input),
            shortcut: self.shortcut.as_ref().map(|shortcut| wide(shortcut)),
            gamma: wide(&self.gamma),
            beta: wide(&self.beta),
            activation: self.activation,
            which: copy(&self.which),
        }
    }

    /// The output, the mean and the inverse standard deviation, rounded: kernel and oracle get the same ones.
    fn saved(&self, layer: &Layer) -> [Vec<f32>; 3] {
        let mut numbers = Numbers(6);
        let parts = self.layout.parts();
        let fixed = Used {
            mean: wide(&numbers.centred(parts)),
            inverse_std: (0..parts).map(|_| 1.5 + f64::from(numbers.one())).collect(),
        };
        let used = Used::of(&self.layout, &layer.input, &self.which, &fixed, EPSILON);
        let output = layer.output(&used);
        [output, used.mean, used.inverse_std].map(|values| values.iter().map(|&value| value as f32).collect())
    }

    fn check_backward(&self) -> Result<(), String> {
        let layer = self.wide();
        let [output, mean, inverse_std] = self.saved(&layer);
        let used = Used { mean: wide(&mean), inverse_std: wide(&inverse_std) };
        let expected = layer.gradients(&used, &wide(&output), &wide(&self.grad));
        let compute = |in_place: bool| {
            let saved = Saved {
                input: &self.input,
                output: (self.activation != Rectifier::None).then_some(output.as_slice()),
                mean: &mean,
                inverse_std: &inverse_std,
                gamma: &self.gamma,
                activation: self.activation,
                statistics: copy(&self.which),
            };
            let (mut grad, mut out) = (self.grad.clone(), unwritten(self.layout.numbers()));
            let (mut gamma, mut beta) = (unwritten(self.layout.channels), unwritten(self.layout.channels));
            let apart = (!in_place).then_some(out.as_mut_slice());
            backward(&self.layout.shape(), &saved, &mut grad, apart, &mut gamma, &mut beta);
            if in_place { [vec![], grad, gamma, beta] } else { [grad, out, gamma, beta] }
        };
        each_way(
            || compute(false),
            |set, found| {
                let what = format!("{}, {set:?}", self.what());
                let in_place = compute(true);
                for index in 1..4 {
                    if in_place[index].iter().zip(&found[index]).any(|(a, b)| a.to_bits() != b.to_bits()) {
                        return Err(format!("{what}: in place the result {index} is another"));
                    }
                }
                self.compare(&what, found, &expected)
            },
        )
    }

    fn compare(&self, what: &str, found: &[Vec<f32>; 4], expected: &Gradients) -> Result<(), String> {
        let [before, input, gamma, beta] = found;
        // One product at most, rounded once.
        near(&format!("{what}: shortcut"), before, &expected.before, largest(&expected.before), ROUNDING)?;
        let size = |at: usize| expected.input_size[self.layout.part(at)];
        near_each(&format!("{what}: input"), input, &expected.input, size, TOLERANCE)?;
        let [values, size] = &expected.gamma;
        near_each(&format!("{what}: γ"), gamma, values, |c| size[c], TOLERANCE)?;
        let [values, size] = &expected.beta;
        near_each(&format!("{what}: β"), beta, values, |c| size[c], TOLERANCE)?;
        Ok(())
    }
}

const ACTIVATIONS: [Rectifier; 4] =
    [Rectifier::None, Rectifier::Relu, Rectifier::LeakyRelu(0.1), Rectifier::LeakyRelu(1.0)];
const STATISTICS: [Statistics; 3] = [Statistics::Batch, Statistics::MeanOnly, Statistics::Fixed];
const KINDS: [Kind; 4] = [Kind::Centred, Kind::Far, Kind::Constant, Kind::Mixed];

/// Every activation and kind of statistics and numbers for one shape.
#[track_caller]
fn assert_layout(images: usize, pixels: usize, channels: usize, [groups, splits]: [usize; 2]) {
    let layout = Layout { images, pixels, channels, groups, splits };
    for (seed, kind) in KINDS.into_iter().enumerate() {
        for activation in ACTIVATIONS {
            for which in &STATISTICS {
                for shortcut in [false, true] {
                    let case = Case::new(layout, kind, shortcut, activation, copy(which), seed as u64);
                    case.check().unwrap_or_else(|error| panic!("{kind:?}, shortcut {shortcut}: {error}"));
                }
            }
        }
    }
}

#[test]
fn one_image() {
    assert_layout(1, 1, 17, [1, 1]);
    assert_layout(1, 49, 3, [1, 1]);
    assert_layout(1, 64, 64, [1, 1]);
}

#[test]
fn splits() {
    assert_layout(4, 12, 16, [1, 4]);
    assert_layout(6, 7, 5, [1, 3]);
    assert_layout(8, 5, 1, [1, 2]);
    assert_layout(64, 1, 13, [1, 2]);
}

#[test]
fn groups() {
    assert_layout(4, 12, 16, [4, 1]);
    assert_layout(6, 7, 5, [2, 1]);
    assert_layout(12, 5, 17, [2, 3]);
    assert_layout(64, 1, 13, [4, 2]);
}

#[test]
fn no_images() {
    for kind in STATISTICS {
        let layout = Layout { images: 0, pixels: 4, channels: 3, groups: 1, splits: 1 };
        let case = Case::new(layout, Kind::Centred, true, Rectifier::Relu, kind, 0);
        case.check_apply().unwrap();
        case.check_backward().unwrap();
    }
}

/// As many numbers as in the first layers of a network.
#[test]
fn long_sums() {
    for (kind, images, pixels, channels) in [
        (Kind::Centred, 16, 4096, 3),
        (Kind::Far, 16, 4096, 3),
        (Kind::Mixed, 8, 1024, 64),
        (Kind::Constant, 9, 4225, 5),
    ] {
        let layout = Layout { images, pixels, channels, groups: 1, splits: 1 };
        Case::new(layout, kind, true, Rectifier::Relu, Statistics::Batch, 3).check().unwrap();
    }
}

/// A sum of squares about a number far from the mean would lose the digits of the variance.
#[test]
fn one_number_far_from_the_others() {
    for pixels in [64, 468, 1024, 4096, 16_384] {
        let layout = Layout { images: 1, pixels, channels: 17, groups: 1, splits: 1 };
        for at in [0, 1, 63, pixels / 2, pixels - 1] {
            for deviations in [3.0, 10.0, 100.0, 1000.0] {
                let mut case = Case::new(layout, Kind::Centred, false, Rectifier::None, Statistics::Batch, 1);
                case.input[at * 17..][..17].fill(deviations);
                let check = case.check_statistics();
                check.unwrap_or_else(|error| panic!("the number {at} is {deviations}: {error}"));
            }
        }
    }
}

/// With a derivative of its own at zero.
#[test]
fn zero_is_on_the_negative_side() {
    for (activation, slope) in [(Rectifier::Relu, 0.0), (Rectifier::LeakyRelu(0.25), 0.25)] {
        let layout = Layout { images: 2, pixels: 3, channels: 20, groups: 1, splits: 1 };
        let mut case = Case::new(layout, Kind::Constant, false, activation, Statistics::Fixed, 1);
        let zeros = vec![0.0; layout.numbers()];
        let saved = Saved {
            input: &case.input,
            output: Some(&zeros),
            mean: &[0.0; 20],
            inverse_std: &[1.0; 20],
            gamma: &[1.0; 20],
            activation,
            statistics: Statistics::Fixed,
        };
        let expected: Vec<f32> = case.grad.iter().map(|grad| slope * grad).collect();
        let (mut gamma, mut beta) = (vec![0.0; 20], vec![0.0; 20]);
        backward(&layout.shape(), &saved, &mut case.grad, None, &mut gamma, &mut beta);
        assert_eq!(case.grad, expected);
    }
}

fn layouts() -> impl Strategy<Value = Layout> {
    let channels = prop_oneof![Just(1), Just(3), Just(16), Just(17), Just(64), 1usize..=130, Just(512)];
    let parts = prop_oneof![Just([1, 1]), (1usize..=4, 1usize..=4).prop_map(|(groups, splits)| [groups, splits])];
    (parts, 1usize..=5, prop_oneof![1usize..=20, 1usize..=900], channels).prop_map(
        |([groups, splits], each, pixels, channels)| {
            let images = groups * splits * each;
            let pixels = pixels.min(200_000 / (images * channels)).max(1);
            Layout { images, pixels, channels, groups, splits }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_layer_equals_the_definition(
        layout in layouts(), kind in 0..4usize, shortcut: bool, activation in 0..4usize, which in 0..3usize, seed: u64,
    ) {
        let (activation, which) = (ACTIVATIONS[activation], copy(&STATISTICS[which]));
        Case::new(layout, KINDS[kind], shortcut, activation, which, seed).check().map_err(TestCaseError::fail)?;
    }
}
