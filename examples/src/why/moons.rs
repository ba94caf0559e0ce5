use std::f32::consts::PI;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

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
                [x, y].map(|place| place + spread * normal(random))
            })
            .collect();
        Self { points, labels }
    }
}

/// A number from the standard normal distribution.
pub(super) fn normal(random: &mut ChaCha8Rng) -> f32 {
    StandardNormal.sample(random)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

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
    fn draws_are_a_function_of_the_seed() {
        let draw = |seed| Moons::draw(10, 0.1, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
