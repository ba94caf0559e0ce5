use burn::tensor::Tensor;
use faer::{MatRef, Side};

use crate::task::TaskError;

/// Points of a plane, with the share of the variance that it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// One point for each sample.
    pub points: Vec<(f64, f64)>,
    /// The share of each axis, in [0, 1].
    pub shares: [f64; 2],
}

/// Projects samples `[n, D]`, D ≥ 2, onto the two directions of largest variance (principal components). The sign of an
/// axis is that which makes its largest weight positive.
///
/// # Errors
/// For samples of less than two numbers, or that are not finite.
pub fn principal_plane(features: Tensor<2>) -> Result<Projection, TaskError> {
    let [samples, dim] = features.dims();
    if dim < 2 {
        return Err(TaskError::other(format!("samples of {dim} numbers span no plane")));
    }
    let centred = features.clone() - features.mean_dim(0);
    let covariance = centred.clone().transpose().matmul(centred.clone()).div_scalar(samples as f64);
    let covariance: Vec<f64> = covariance.into_data().iter::<f64>().collect();
    if !covariance.iter().all(|value| value.is_finite()) {
        return Err(TaskError::NotFinite { what: "the samples' covariance" });
    }
    let eigen = MatRef::from_row_major_slice(&covariance, dim, dim).self_adjoint_eigen(Side::Lower);
    let eigen = eigen.map_err(|_| TaskError::other("the eigenvectors of the samples' covariance were not found"))?;
    let total: f64 = (0..dim).map(|place| covariance[place * (dim + 1)]).sum();
    let rows: Vec<f64> = centred.into_data().iter::<f64>().collect();
    // In ascending order.
    let axis = |place: usize| {
        let mut direction: Vec<f64> = eigen.U().col(place).iter().copied().collect();
        let largest = direction.iter().copied().fold(0.0, |best: f64, x| if x.abs() > best.abs() { x } else { best });
        direction.iter_mut().for_each(|weight| *weight *= largest.signum());
        let share = if total > 0.0 { eigen.S()[place].max(0.0) / total } else { 0.0 };
        let along = rows.chunks_exact(dim).map(|row| row.iter().zip(&direction).map(|(x, weight)| x * weight).sum());
        (along.collect::<Vec<f64>>(), share)
    };
    let ((x, first), (y, second)) = (axis(dim - 1), axis(dim - 2));
    Ok(Projection { points: x.into_iter().zip(y).collect(), shares: [first, second] })
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
        let plane = principal_plane(Tensor::from_data(rows, &Device::flex())).expect("a plane");
        let expected = [(3.0, 1.0), (3.0, -1.0), (-3.0, 1.0), (-3.0, -1.0)];
        for ((x, y), (ex, ey)) in plane.points.iter().zip(expected) {
            assert!((x - ex).abs() < 1e-5 && (y - ey).abs() < 1e-5, "({x}, {y}) for ({ex}, {ey})");
        }
        assert!((plane.shares[0] - 0.9).abs() < 1e-6 && (plane.shares[1] - 0.1).abs() < 1e-6);
    }

    #[test]
    fn what_spans_no_plane_is_said_or_a_point() {
        let device = Device::flex();
        let point = principal_plane(Tensor::from_data([[1.0, 2.0], [1.0, 2.0]], &device)).expect("a point");
        assert_eq!(point, Projection { points: vec![(0.0, 0.0); 2], shares: [0.0; 2] });
        assert!(principal_plane(Tensor::from_data([[1.0], [2.0]], &device)).is_err());
        assert!(principal_plane(Tensor::from_data([[1.0, f32::NAN], [2.0, 1.0]], &device)).is_err());
    }
}
