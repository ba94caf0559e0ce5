use burn::tensor::Tensor;

/// Points of a plane, with the share of the variance that it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// One point for each sample.
    pub points: Vec<(f64, f64)>,
    /// The share of each axis, in [0, 1].
    pub shares: [f64; 2],
}

/// Rounds of power iteration: enough for a picture, where two variances are close as well.
const ROUNDS: usize = 200;

/// Projects samples `[n, D]` onto the two directions of largest variance (principal components), found by power
/// iteration with deflation. The sign of an axis is that which makes its largest weight positive.
pub fn principal_plane(features: Tensor<2>) -> Projection {
    let [samples, dim] = features.dims();
    let centred = features.clone() - features.mean_dim(0);
    let covariance = centred.clone().transpose().matmul(centred.clone()).div_scalar(samples as f64);
    let mut covariance: Vec<f64> = covariance.into_data().iter::<f32>().map(f64::from).collect();
    let total: f64 = (0..dim).map(|i| covariance[i * dim + i]).sum();
    let rows: Vec<f64> = centred.into_data().iter::<f32>().map(f64::from).collect();
    let axis = |covariance: &mut Vec<f64>| {
        let (direction, variance) = largest(covariance, dim);
        for i in 0..dim {
            for j in 0..dim {
                covariance[i * dim + j] -= variance * direction[i] * direction[j];
            }
        }
        let share = if total > 0.0 { variance / total } else { 0.0 };
        let along: Vec<f64> = rows.chunks_exact(dim).map(|row| dot(row, &direction)).collect();
        (along, share)
    };
    let (x, first) = axis(&mut covariance);
    let (y, second) = axis(&mut covariance);
    Projection { points: x.into_iter().zip(y).collect(), shares: [first, second] }
}

/// The direction of largest variance, of unit length, and its variance.
fn largest(covariance: &[f64], dim: usize) -> (Vec<f64>, f64) {
    // No direction is orthogonal to this start but by accident.
    let mut direction: Vec<f64> = (0..dim).map(|i| 1.0 + (i as f64 * 0.618_034).fract()).collect();
    let mut variance = 0.0;
    for _ in 0..ROUNDS {
        let next: Vec<f64> = covariance.chunks_exact(dim).map(|row| dot(row, &direction)).collect();
        let length = dot(&next, &next).sqrt();
        if length < 1e-300 {
            return (vec![0.0; dim], 0.0);
        }
        variance = length / dot(&direction, &direction).sqrt();
        direction = next.into_iter().map(|value| value / length).collect();
    }
    let largest =
        direction.iter().copied().fold(0.0, |best: f64, value| if value.abs() > best.abs() { value } else { best });
    if largest < 0.0 {
        direction.iter_mut().for_each(|value| *value = -*value);
    }
    (direction, variance)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_plane_is_that_of_largest_variance() {
        // Deviation 3 along (0, 1, 1)/√2, 1 along (1, 0, 0), 0 along the rest.
        let half = 0.5f32.sqrt();
        let rows = [
            [1.0, 3.0 * half, 3.0 * half],
            [-1.0, 3.0 * half, 3.0 * half],
            [1.0, -3.0 * half, -3.0 * half],
            [-1.0, -3.0 * half, -3.0 * half],
        ];
        let plane = principal_plane(Tensor::from_data(rows, &Device::flex()));
        let expected = [(3.0, 1.0), (3.0, -1.0), (-3.0, 1.0), (-3.0, -1.0)];
        for ((x, y), (ex, ey)) in plane.points.iter().zip(expected) {
            assert!((x - ex).abs() < 1e-5 && (y - ey).abs() < 1e-5, "({x}, {y}) for ({ex}, {ey})");
        }
        assert!((plane.shares[0] - 0.9).abs() < 1e-6 && (plane.shares[1] - 0.1).abs() < 1e-6);
    }
}
