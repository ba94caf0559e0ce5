use std::fmt;

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par, Side};
use serde::{Deserialize, Serialize};

use crate::{AugmentError, Image, ImageSize, Key, Operation, Pipeline};

/// Images whose covariance is summed in one matrix product, and that are whitened in one.
const BLOCK: usize = 1024;

/// How a data set is whitened (feature `whitening`).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `preparation` | — | what happens to an image before; nothing random | valid for the images |
/// | `bias` | 0.1 | added to each eigenvalue of the covariance, so that directions without variance are not blown up | > 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhiteningConfig {
    /// What happens to an image before: [`Operation::GlobalContrast`], say.
    pub preparation: Pipeline,
    /// Added to each eigenvalue of the covariance, in squared units of the prepared values.
    pub bias: f64,
}

impl WhiteningConfig {
    /// Whitening behind `preparation`, with a bias of 0.1.
    pub fn new(preparation: Pipeline) -> Self {
        Self { preparation, bias: 0.1 }
    }

    /// Mean Teacher's CIFAR-10: global contrast normalisation to a norm of 55, then ZCA with a bias of 0.1.
    pub fn mean_teacher_cifar() -> Self {
        let contrast = Operation::GlobalContrast { scale: 55.0, min_norm: 1e-8 };
        Self::new(Pipeline::new("global_contrast", vec![contrast]).unwrap_or_else(|error| unreachable!("{error}")))
    }

    /// Replaces the bias.
    pub fn with_bias(self, bias: f64) -> Self {
        Self { bias, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// [`WhiteningError::Bias`] or [`WhiteningError::Random`].
    pub fn validate(&self) -> Result<(), WhiteningError> {
        if !(self.bias > 0.0 && self.bias.is_finite()) {
            return Err(WhiteningError::Bias { bias: self.bias });
        }
        if let Some(position) = self.preparation.operations().iter().position(Operation::is_random) {
            let operation = self.preparation.operations()[position].name();
            return Err(WhiteningError::Random { position, operation });
        }
        Ok(())
    }

    /// Fits mean and matrix to `images`, which are the training images only: with d values an image, in f64,
    /// about 2·N·d² + 10·d³ operations. For CIFAR-10's 50,000 images, d is 3,072.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](WhiteningConfig::validate); [`WhiteningError::TooFewImages`] for fewer than two;
    /// [`WhiteningError::NotFinite`]; those of [`Pipeline::apply_batch`].
    pub fn fit(&self, images: &[Image<'_>]) -> Result<Whitening, WhiteningError> {
        self.validate()?;
        let [first, _, ..] = images else {
            return Err(WhiteningError::TooFewImages { found: images.len() });
        };
        let size = first.size();
        let dims = self.preparation.output_size(size).values();

        let mut mean = vec![0.0_f64; dims];
        for_blocks(&self.preparation, images, size, |block| {
            for image in block.chunks_exact(dims) {
                mean.iter_mut().zip(image).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        })?;
        mean.iter_mut().for_each(|sum| *sum /= images.len() as f64);
        if !mean.iter().all(|mean| mean.is_finite()) {
            return Err(WhiteningError::NotFinite);
        }

        let mut covariance = Mat::<f64>::zeros(dims, dims);
        for_blocks(&self.preparation, images, size, |block| {
            let centered: Vec<f64> = block
                .chunks_exact(dims)
                .flat_map(|x| x.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean))
                .collect();
            let centered = MatRef::from_row_major_slice(&centered, block.len() / dims, dims);
            add_lower(covariance.as_mut(), centered.transpose(), 1.0 / images.len() as f64);
        })?;
        let matrix = inverse_root(covariance, self.bias)?;
        let mean = mean.into_iter().map(|x| x as f32).collect();
        Ok(Whitening { config: self.clone(), size, mean, matrix })
    }
}

/// `sum` + `scale`·A·Aᵀ, of which only the lower half is computed.
fn add_lower(sum: faer::MatMut<'_, f64>, a: MatRef<'_, f64>, scale: f64) {
    let full = BlockStructure::Rectangular;
    triangular::matmul(
        sum,
        BlockStructure::TriangularLower,
        Accum::Add,
        a,
        full,
        a.transpose(),
        full,
        scale,
        Par::rayon(0),
    );
}

/// (S + bias·I)^(−1/2) of a symmetric matrix of which the lower half is given: V·(D + bias)^(−1/2)·Vᵀ.
fn inverse_root(symmetric: Mat<f64>, bias: f64) -> Result<Vec<f32>, WhiteningError> {
    let dims = symmetric.nrows();
    let eigen = symmetric.self_adjoint_eigen(Side::Lower).map_err(|_| WhiteningError::NoConvergence)?;
    let values = eigen.S().column_vector();
    // Each half of the product takes one root more.
    let root = Mat::from_fn(dims, dims, |row, column| {
        // A variance; rounding leaves some a little below 0.
        eigen.U()[(row, column)] * (values[column].max(0.0) + bias).powf(-0.25)
    });
    let mut product = Mat::<f64>::zeros(dims, dims);
    add_lower(product.as_mut(), root.as_ref(), 1.0);
    let entry = |(row, column): (usize, usize)| product[(row.max(column), row.min(column))] as f32;
    Ok((0..dims * dims).map(|index| entry((index / dims, index % dims))).collect())
}

/// Hands over the prepared images in blocks, N×C×H×W.
fn for_blocks(
    preparation: &Pipeline,
    images: &[Image<'_>],
    size: ImageSize,
    mut take: impl FnMut(&[f32]),
) -> Result<(), AugmentError> {
    if let Some(index) = images.iter().position(|image| image.size() != size) {
        return Err(AugmentError::BatchSizes { index, expected: size, found: images[index].size() });
    }
    // Nothing is random, so any key will do.
    let key = Key { seed: 0, epoch: 0, sample: 0, view: 0 };
    let view = preparation.draw(key, size)?;
    for block in images.chunks(BLOCK) {
        take(&preparation.apply_batch(block, &vec![view.clone(); block.len()])?);
    }
    Ok(())
}

/// ZCA whitening fitted on a data set (feature `whitening`): y = W·(x − μ) with W = (Σ + bias·I)^(−1/2), where μ and Σ
/// are mean and covariance (divided by N) of the prepared training images, flattened as C×H×W.
///
/// Of the matrices that whiten, the symmetric one changes the images least: they still look like images, which views
/// may flip and translate. It is fitted and applied once for a data set, before views are drawn:
/// [`Image::from_values`] makes images of the result.
///
/// From A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009), appendix A, which has
/// no bias.
///
/// ```
/// use slowburn_augment::{Image, ImageSize, Pipeline, WhiteningConfig};
///
/// // Four grey images of two pixels; the second is always twice the first.
/// let size = ImageSize::new(1, 2, 1);
/// let bytes = [[0, 0], [51, 102], [102, 204], [25, 50]];
/// let images: Vec<Image> = bytes.iter().map(|pixels| Image::new(size, pixels)).collect::<Result<_, _>>()?;
/// let whitening = WhiteningConfig::new(Pipeline::new("none", vec![])?).with_bias(1e-6).fit(&images)?;
///
/// let white = whitening.apply(&images)?;
/// let mean = white.chunks(2).map(|image| image[0]).sum::<f32>() / 4.0;
/// assert!(mean.abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Whitening {
    config: WhiteningConfig,
    /// Of the images, before the preparation.
    size: ImageSize,
    mean: Vec<f32>,
    /// Symmetric, d×d.
    matrix: Vec<f32>,
}

impl Whitening {
    /// What it was fitted with.
    pub fn config(&self) -> &WhiteningConfig {
        &self.config
    }

    /// Size of the images that it takes.
    pub fn input_size(&self) -> ImageSize {
        self.size
    }

    /// Size of the whitened images.
    pub fn output_size(&self) -> ImageSize {
        self.config.preparation.output_size(self.size)
    }

    /// μ: mean of the prepared training images, C×H×W.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// W: symmetric, d×d with d = C·H·W.
    pub fn matrix(&self) -> &[f32] {
        &self.matrix
    }

    /// Whitens images, of the training set or others, on all threads: N×C×H×W values of the
    /// [output size](Whitening::output_size).
    ///
    /// # Errors
    ///
    /// [`AugmentError::BatchSizes`] for an image that is not of the [input size](Whitening::input_size); those of
    /// [`Pipeline::apply_batch`].
    pub fn apply(&self, images: &[Image<'_>]) -> Result<Vec<f32>, AugmentError> {
        let dims = self.mean.len();
        let matrix = MatRef::from_row_major_slice(&self.matrix, dims, dims);
        let mut white = Vec::with_capacity(images.len() * dims);
        let mut centered = Vec::new();
        for_blocks(&self.config.preparation, images, self.size, |block| {
            centered.clear();
            centered.extend(block.chunks_exact(dims).flat_map(|x| x.iter().zip(&self.mean).map(|(x, mean)| x - mean)));
            let count = block.len() / dims;
            // In columns: Y = W·X with an image in each column, which lies in memory as the images do.
            let mut product = Mat::<f32>::zeros(dims, count);
            let columns = MatRef::from_column_major_slice(&centered, dims, count);
            matmul(product.as_mut(), Accum::Replace, matrix, columns, 1.0, Par::rayon(0));
            for column in 0..count {
                white.extend(product.col(column).iter());
            }
        })?;
        Ok(white)
    }
}

impl fmt::Debug for Whitening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whitening").field("config", &self.config).field("size", &self.size).finish_non_exhaustive()
    }
}

/// A whitening as read from a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    config: WhiteningConfig,
    size: ImageSize,
    mean: Vec<f32>,
    matrix: Vec<f32>,
}

impl TryFrom<Unchecked> for Whitening {
    type Error = WhiteningError;

    fn try_from(Unchecked { config, size, mean, matrix }: Unchecked) -> Result<Self, WhiteningError> {
        config.validate()?;
        config.preparation.validate_for(size)?;
        let dims = config.preparation.output_size(size).values();
        if mean.len() != dims || matrix.len() != dims * dims {
            return Err(WhiteningError::Length { dims, mean: mean.len(), matrix: matrix.len() });
        }
        Ok(Self { config, size, mean, matrix })
    }
}

/// What can be wrong with a whitening.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WhiteningError {
    /// The bias is not positive.
    #[error("the bias of whitening is {bias}, allowed: positive and finite")]
    Bias {
        /// The bias found.
        bias: f64,
    },
    /// The preparation draws something.
    #[error(
        "operation {position} ({operation}) of the preparation is random, allowed: what is the same for every view"
    )]
    Random {
        /// Position of the operation in the preparation, from 0.
        position: usize,
        /// Name of the operation.
        operation: &'static str,
    },
    /// There is no covariance of fewer than two images.
    #[error("{found} images to fit a whitening on, allowed: at least 2")]
    TooFewImages {
        /// Number of images.
        found: usize,
    },
    /// A training image has a value that is not finite.
    #[error("a training image has a value that is not finite")]
    NotFinite,
    /// The eigenvalues were not found. No covariance of finite values is known to cause this.
    #[error("the eigenvalues of the covariance were not found")]
    NoConvergence,
    /// Mean and matrix read from a file do not fit the images.
    #[error("a mean of {mean} and a matrix of {matrix} numbers, for images of {dims} values: {dims} and {dims}²")]
    Length {
        /// Values of an image.
        dims: usize,
        /// Length of the mean.
        mean: usize,
        /// Numbers in the matrix.
        matrix: usize,
    },
    /// Pipeline and images do not fit.
    #[error(transparent)]
    Views(#[from] AugmentError),
}
