//! Filters that whiten the patches of images.

use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};

use crate::ModelError;
use crate::error::{at_least_one, in_range};

/// Added to each variance, so that filters of directions without any stay finite; K. Jordan's value for images normalised to
/// a variance of 1.
const EPSILON: f64 = 5e-4;

/// Filters whose answers to the patches of these images are uncorrelated, with variances of λᵢ/(λᵢ + ε): the principal components
/// of the patches, `wᵢ = vᵢ/√(λᵢ + ε)` with the covariance's eigenvectors vᵢ, its eigenvalues λᵢ from the largest on, and
/// ε = 0.0005.
///
/// As the first convolution of a network they take its first task off it: what neighbouring pixels and colours have in common
/// would otherwise drown the rest (D. Page, *How to train your ResNet*, part 8, myrtle.ai, 2019; K. Jordan, arXiv 2404.00498).
/// Both keep their filters as they are, from patches of 3×3 and of 2×2, and Jordan takes the second moment without subtracting the
/// mean, from 5,000 images.
///
/// # Shapes
///
/// - `images`: `[N, C, H, W]`, normalised; every patch that lies in an image counts
/// - output: `[C·k², C, k, k]` with `k` = `side`, on the images' device
///
/// # Errors
///
/// [`ModelError::OutOfRange`] if `side` is 0 or larger than the images or if there are no images or channels;
/// [`ModelError::NotFinite`] if a pixel is not finite.
pub fn whitening_filters(images: Tensor<4>, side: usize) -> Result<Tensor<4>, ModelError> {
    let [count, channels, height, width] = images.dims();
    let fits = (1..=height.min(width)).contains(&side);
    in_range("side", side as f64, fits, "at least 1 and at most the side of the images")?;
    at_least_one("images", count)?;
    at_least_one("channels", channels)?;
    let device = images.device();
    let size = [channels, height, width];
    let images: Vec<f32> = images.into_data().iter().collect();

    let patches = Patches { size, side };
    let covariance = patches.covariance(&images);
    if !(0..covariance.ncols()).all(|column| covariance.col(column).iter().all(|value| value.is_finite())) {
        return Err(ModelError::NotFinite { what: "a pixel of the images that patches are taken from" });
    }
    let not_found = |_| ModelError::NotFinite { what: "an eigenvalue of the covariance of patches" };
    let eigen = covariance.self_adjoint_eigen(Side::Lower).map_err(not_found)?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());

    let length = patches.len();
    // Eigenvalues come from the smallest on.
    let filters: Vec<f32> = (0..length)
        .rev()
        .flat_map(|column| {
            let vector = vectors.col(column);
            // Of a vector and its opposite, which are the same component, the one whose largest entry is positive; of two as
            // large, rounding decides.
            let largest = vector.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a });
            // Rounding leaves some variances a little below 0.
            let scale = largest.unwrap_or(1.0).signum() / (values[column].max(0.0) + EPSILON).sqrt();
            vector.iter().map(move |value| (value * scale) as f32).collect::<Vec<_>>()
        })
        .collect();
    Ok(Tensor::from_data(TensorData::new(filters, [length, channels, side, side]), &device))
}

/// The square patches of images of this size, `[C, H, W]`.
struct Patches {
    size: [usize; 3],
    side: usize,
}

impl Patches {
    /// Numbers of a patch.
    fn len(&self) -> usize {
        self.size[0] * self.side * self.side
    }

    /// Their covariance, divided by their number. On one thread, so that it is the same for any number of them.
    fn covariance(&self, images: &[f32]) -> Mat<f64> {
        let [channels, height, width] = self.size;
        let length = self.len();
        let (mut sums, mut products, mut count) = (vec![0.0; length], Mat::<f64>::zeros(length, length), 0.0);
        let mut patches = Vec::new();
        for image in images.chunks_exact(channels * height * width) {
            patches.clear();
            for (y, x) in (0..=height - self.side).flat_map(|y| (0..=width - self.side).map(move |x| (y, x))) {
                self.patch(image, [y, x], &mut patches);
            }
            for patch in patches.chunks_exact(length) {
                sums.iter_mut().zip(patch).for_each(|(sum, value)| *sum += value);
            }
            let number = patches.len() / length;
            count += number as f64;
            let columns = MatRef::from_column_major_slice(&patches, length, number);
            matmul(products.as_mut(), Accum::Add, columns, columns.transpose(), 1.0, Par::Seq);
        }
        Mat::from_fn(length, length, |a, b| products[(a, b)] / count - sums[a] * sums[b] / (count * count))
    }

    /// The patch from pixel `y`, `x` on, behind what `out` holds.
    fn patch(&self, image: &[f32], [y, x]: [usize; 2], out: &mut Vec<f64>) {
        let [channels, height, width] = self.size;
        for row in (0..channels).flat_map(|channel| (0..self.side).map(move |row| (channel * height + y + row) * width))
        {
            out.extend(image[row + x..][..self.side].iter().copied().map(f64::from));
        }
    }
}
