//! The small problem of `why_consistency`: points of two moons, some with a label, and a network for them.

use std::f32::consts::PI;

use anyhow::{Result, anyhow};
use burn::module::{Module, Param};
use burn::nn::{Linear, Relu};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use slowburn_semi::{Logits, Predict, choose_balanced};

use crate::regions::{GRID, Region};

/// Points to learn from.
pub const POINTS: usize = 1000;
/// Points that a trained network is scored on.
const TEST_POINTS: usize = 4000;

/// What a training learns from, and is scored on.
#[derive(Debug, Clone)]
pub struct Problem {
    /// All points, with labels that are mostly not used.
    pub moons: Moons,
    /// The points whose labels are used.
    pub labeled: Vec<usize>,
    /// What they were drawn by.
    pub seed: u64,
    /// Where networks are.
    pub device: Device,
    test: Moons,
}

/// The share of new points that a network classifies right, and the probability of class 1 that it gives the cells of a
/// picture, row by row from the bottom.
pub type Score = (f64, Vec<f32>);

/// Points without a label in a panel: more of them would hide what is under them.
const SHOWN: usize = 300;

impl Problem {
    /// Points with a standard deviation of `spread` around their half circle, of which so many have a label, the same number of
    /// each class.
    ///
    /// # Errors
    /// If there are more labels asked for than points.
    pub fn new(spread: f32, labels: usize, seed: u64, device: &Device) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let moons = Moons::draw(POINTS, spread, &mut random);
        let test = Moons::draw(TEST_POINTS, spread, &mut random);
        let known: Vec<_> = moons.labels.iter().copied().map(Some).collect();
        let labeled = choose_balanced(&known, 2, labels, seed)?;
        Ok(Self { moons, labeled, seed, device: device.clone(), test })
    }

    /// Random numbers of the problem's seed, others for each `stream`.
    pub fn random(&self, stream: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed ^ stream)
    }

    /// Some of the points, each moved by normal noise of standard deviation `noise`: `[points, 2]`.
    pub fn view(&self, samples: &[usize], noise: f32, random: &mut ChaCha8Rng) -> Tensor<2> {
        let points: Vec<_> = samples.iter().map(|&sample| moved(self.moons.points[sample], noise, random)).collect();
        tensor(&points, &self.device)
    }

    /// Scores a network by the logits `[points, 2]` that it gives points `[points, 2]` on a device without autodiff.
    ///
    /// # Errors
    /// If the logits cannot be read.
    pub fn score(&self, logits: impl Fn(Tensor<2>) -> Tensor<2>) -> Result<Score> {
        let device = &self.device.clone().without_autodiff();
        let predict = |points: &[[f32; 2]]| {
            let values = softmax(logits(tensor(points, device)), 1).into_data().try_into_vec_as::<f32>();
            let values = values.map_err(|error| anyhow!("the predictions cannot be read: {error:?}"))?;
            Ok::<Vec<f32>, anyhow::Error>(values.chunks_exact(2).map(|pair| pair[1]).collect())
        };
        let predicted = predict(&self.test.points)?;
        let pairs = predicted.iter().zip(&self.test.labels);
        let right = pairs.filter(|(probability, label)| usize::from(**probability > 0.5) == **label).count();
        Ok((right as f64 / TEST_POINTS as f64, predict(&cells())?))
    }

    /// A network's panel, with the points that it has learned from: those without a label too if `unlabeled`.
    pub fn region(&self, title: &'static str, (accuracy, field): Score, unlabeled: bool) -> Region {
        let Moons { points, labels } = &self.moons;
        let labeled = self.labeled.iter().map(|&point| (points[point], labels[point])).collect();
        let unlabeled = points.iter().copied().take(if unlabeled { SHOWN } else { 0 }).collect();
        Region { title, accuracy, field, labeled, unlabeled }
    }
}

/// The middles of the cells of the picture.
fn cells() -> Vec<[f32; 2]> {
    let middle = |axis: usize, cell: usize| {
        let [low, high] = Moons::RANGE[axis];
        low + (high - low) * (cell as f32 + 0.5) / GRID[axis] as f32
    };
    (0..GRID[1]).flat_map(|row| (0..GRID[0]).map(move |column| [middle(0, column), middle(1, row)])).collect()
}

fn tensor(points: &[[f32; 2]], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(points.as_flattened().to_vec(), [points.len(), 2]), device)
}

/// Points of two interleaving half circles of radius 1, a class each, in turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Moons {
    /// Where they are.
    pub points: Vec<[f32; 2]>,
    /// The half circle of each, 0 or 1.
    pub labels: Vec<usize>,
}

impl Moons {
    /// What part of the plane holds all points but rare ones: from left to right, from bottom to top.
    pub const RANGE: [[f32; 2]; 2] = [[-2.0, 2.0], [-1.4, 1.4]];

    /// Draws `count` points, moved off their half circle by normal noise of standard deviation `spread`.
    pub fn draw(count: usize, spread: f32, random: &mut ChaCha8Rng) -> Self {
        let labels: Vec<usize> = (0..count).map(|index| index % 2).collect();
        let points = labels
            .iter()
            .map(|label| {
                let (sin, cos) = random.random_range(0.0..PI).sin_cos();
                // The lower moon begins in the middle of the upper one; both are centred at the origin.
                let [x, y] = if *label == 0 { [cos - 0.5, sin - 0.25] } else { [0.5 - cos, 0.25 - sin] };
                moved([x, y], spread, random)
            })
            .collect();
        Self { points, labels }
    }
}

/// A point moved by normal noise of standard deviation `noise`.
fn moved(point: [f32; 2], noise: f32, random: &mut ChaCha8Rng) -> [f32; 2] {
    point.map(|place| {
        let draw: f32 = StandardNormal.sample(random);
        place + noise * draw
    })
}

/// Two hidden layers with ReLU: from a point of the plane to the logits of two classes.
#[derive(Module, Debug)]
pub struct Perceptron {
    first: Linear,
    second: Linear,
    last: Linear,
    relu: Relu,
}

/// Units in each of the two hidden layers.
const HIDDEN: usize = 64;

impl Perceptron {
    /// Random weights, drawn from `random`: Burn has one generator for the whole process, which other threads draw from too.
    pub fn new(random: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            first: linear(2, HIDDEN, random, device),
            second: linear(HIDDEN, HIDDEN, random, device),
            last: linear(HIDDEN, 2, random, device),
            relu: Relu::new(),
        }
    }
}

/// A layer as Burn's and PyTorch's start: weights and bias uniform in ±1/√inputs.
fn linear(inputs: usize, outputs: usize, random: &mut ChaCha8Rng, device: &Device) -> Linear {
    let bound = (inputs as f32).sqrt().recip();
    let mut draw = |count| (0..count).map(|_| random.random_range(-bound..=bound)).collect::<Vec<_>>();
    let weight = TensorData::new(draw(inputs * outputs), [inputs, outputs]);
    let bias = TensorData::new(draw(outputs), [outputs]);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}

impl Predict for Perceptron {
    type Input = Tensor<2>;

    fn predict(&self, points: Tensor<2>) -> Logits {
        let hidden = self.relu.forward(self.first.forward(points));
        let hidden = self.relu.forward(self.second.forward(hidden));
        self.last.forward(hidden).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_spread_points_lie_on_their_half_circle() {
        let moons = Moons::draw(100, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
        for ([x, y], label) in moons.points.iter().zip(&moons.labels) {
            let (x, y) = if *label == 0 { (x + 0.5, y + 0.25) } else { (0.5 - x, 0.25 - y) };
            assert!((x * x + y * y - 1.0).abs() < 1e-5 && y >= -1e-6, "{x} {y}");
        }
        assert_eq!(moons.labels.iter().sum::<usize>(), 50);
    }

    #[test]
    fn the_picture_covers_its_range() {
        let cells = cells();
        assert_eq!(cells.len(), GRID[0] * GRID[1]);
        assert!(cells[0][0] < cells[1][0] && cells[0][1] < cells[GRID[0]][1], "columns first, from the bottom");
    }

    #[test]
    fn a_network_is_scored_by_points_it_has_not_seen() {
        let problem = Problem::new(0.0, 4, 3, &Device::flex()).expect("enough points");
        assert_eq!(problem.labeled.len(), 4);
        // Class 1 lies below the middle more often than not.
        let below = |points: Tensor<2>| {
            let height = points.narrow(1, 1, 1);
            Tensor::cat(vec![height.clone(), height.neg()], 1)
        };
        let (accuracy, field) = problem.score(below).expect("scored");
        assert!((0.6..1.0).contains(&accuracy), "{accuracy}");
        assert!(field[0] > 0.5 && field[field.len() - 1] < 0.5, "from the bottom");
        let samples = [0, 1, 2];
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let still: Vec<f32> = problem.view(&samples, 0.0, &mut random).into_data().iter().collect();
        assert_eq!(still, problem.moons.points[..3].as_flattened());
    }

    #[test]
    fn draws_are_a_function_of_the_seed() {
        let draw = |seed| Moons::draw(10, 0.1, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
