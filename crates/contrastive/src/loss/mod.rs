//! The loss that all methods share.

mod beside;
mod in_batch;
mod kernel;
mod plain;

use beside::{alongside, constant_beside};
use burn::tensor::{FloatDType, Tensor};
pub use in_batch::negative_cosine;
use serde::{Deserialize, Serialize};

use crate::ContrastiveError;

/// How the two directions of a symmetric loss are combined.
///
/// A sum has twice the gradient of a mean: the two want learning rates that differ by a factor of 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SymmetricReduction {
    /// Their sum, as in MoCo's CIFAR-10 notebook.
    #[default]
    Sum,
    /// Their mean, as in solo-learn.
    Mean,
}

impl SymmetricReduction {
    /// What the mean over both directions is multiplied by.
    pub(crate) fn factor(self) -> f64 {
        match self {
            Self::Sum => 2.0,
            Self::Mean => 1.0,
        }
    }
}

/// The loss of telling one positive from many negatives. Every kernel here is tested against it:
///
/// ```text
/// s₊ = q·k₊/τ                            of a query q and its positive key k₊
/// sᵢ = q·kᵢ/τ                            of the query and each negative kᵢ
/// ℓ  = −log( exp(s₊) / (exp(s₊) + Σᵢ exp(sᵢ)) )
/// L  = the mean of ℓ over the queries
/// ```
///
/// All rows are of unit length, τ is the temperature (InfoNCE: He et al., arXiv 1911.05722, eq. 1; van den Oord et al.,
/// arXiv 1807.03748, eq. 4). Against K negatives an encoder that knows nothing has [`chance_loss`]`(K)`.
///
/// `decoupled` leaves the positive out of the denominator (DCL: Yeh et al., arXiv 2110.06848, eq. 6), which removes the
/// factor that makes gradients small where the positive is already near. Its value may be negative.
///
/// Computed in f32 or wider with the largest logit subtracted, so that logits of ±10⁴ neither overflow nor round the loss away.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `temperature` | 0.07 | τ; 0.07 in MoCo v1, 0.2 in v2, 0.1 on CIFAR-10 | > 0, finite |
/// | `decoupled` | false | leave the positive out of the denominator | |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InfoNce {
    /// τ, which logits are divided by.
    pub temperature: f64,
    /// Whether the positive is left out of the denominator.
    pub decoupled: bool,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self::new(0.07)
    }
}

/// The loss of a batch and how often it was right. Tensors stay on the device until they are read.
#[derive(Debug, Clone)]
pub struct Contrast {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    /// The fraction of queries whose positive beats every negative, `[1]`, without gradient.
    ///
    /// A tie is a miss, and so is a lead of less than 4·10⁻⁶ of the logit, which rounding can make of a tie: an encoder
    /// that maps everything to one point has 0, not 1.
    pub accuracy: Tensor<1>,
    /// The number of negatives of each query, K.
    pub negatives: usize,
    /// What `loss` would be if all similarities were equal: [`chance_loss`]`(K)`, `ln K` where the loss is decoupled,
    /// twice that in a sum over two directions, `4τ·ln B` for MoCo v3 in batches of B. Without negatives, that of predictions
    /// that have nothing to do with their targets: 4 for BYOL, 0 for SimSiam.
    pub chance: f64,
}

/// The part of a logit that a positive must lead by: above what rounding makes of equal similarities that were summed
/// in different orders, below what matters.
const LEAD: f64 = 1.0 / (1 << 18) as f64;

impl Contrast {
    /// Checks that the loss is finite. Waits for the device.
    ///
    /// # Errors
    /// [`ContrastiveError::Loss`] where it is NaN or infinite.
    pub fn require_finite(&self) -> Result<(), ContrastiveError> {
        let value = self.loss.clone().without_autodiff().into_scalar::<f64>();
        match value.is_finite() {
            true => Ok(()),
            false => Err(ContrastiveError::Loss { value }),
        }
    }

    /// The loss, and with it that of chance, multiplied by a factor.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { loss: self.loss.mul_scalar(factor), chance: self.chance * factor, ..self }
    }

    /// The loss, and with it that of chance, with a constant added.
    pub(crate) fn raised(self, constant: f64) -> Self {
        Self { loss: self.loss.add_scalar(constant), chance: self.chance + constant, ..self }
    }

    /// The mean of two directions with as many negatives.
    pub(crate) fn mean(self, other: Self) -> Self {
        let accuracy = (self.accuracy + other.accuracy).div_scalar(2.0);
        Self { loss: (self.loss + other.loss).div_scalar(2.0), accuracy, ..self }
    }
}

/// `ln(K + 1)`: the InfoNCE loss where all similarities are equal. 8.318 for K = 4,096 and 11.090 for K = 65,536.
///
/// An encoder whose loss stays there has learned nothing or has collapsed.
pub fn chance_loss(negatives: usize) -> f64 {
    (negatives as f64).ln_1p()
}

/// Scales rows `[n, dim]` to unit length; a row of zeros stays as it is.
pub fn normalize(rows: Tensor<2>) -> Tensor<2> {
    let rows = widen(rows);
    let square = rows.clone().powi_scalar(2).sum_dim(1); // [n, 1]
    // The bound is that of PyTorch's `normalize`, 1e-12, on the length; below it the length is a constant.
    rows / square.clamp_min(1e-24).sqrt()
}

/// Checks that queries and positives `[batch, dim]` belong together.
fn check_pairs(queries: &Tensor<2>, positives: &Tensor<2>) -> Result<(), ContrastiveError> {
    let ([rows, dim], [key_rows, length]) = (queries.dims(), positives.dims());
    if rows == 0 {
        return Err(ContrastiveError::Empty { what: "the batch" });
    }
    if key_rows != rows {
        return Err(ContrastiveError::Views { query: rows, key: key_rows });
    }
    ContrastiveError::dims(length, dim)
}

/// f32 for anything narrower: in f16 the sum of K exponentials is not finite.
fn widen(rows: Tensor<2>) -> Tensor<2> {
    use burn::tensor::DType;
    match rows.dtype() {
        DType::F16 | DType::BF16 | DType::Flex32 => rows.cast(FloatDType::F32),
        _ => rows,
    }
}

/// A loss of this value whose gradient with respect to the queries is known already.
///
/// `loss + (q·g − q·g)` with the second a constant: exactly the value, and `g` in the backward pass, whichever backend
/// computes it. The graph holds `g`, no logits, and no second owner of the queue's memory.
fn with_gradient(loss: Tensor<1>, gradient: Option<Tensor<2>>, queries: Tensor<2>) -> Tensor<1> {
    let Some(gradient) = gradient else {
        return loss;
    };
    let slope = (queries.clone() * constant_beside(gradient, &queries)).sum();
    let value = slope.clone().detach();
    slope - value + alongside(loss, &queries)
}

impl InfoNce {
    /// The loss with this temperature, its denominator complete.
    pub fn new(temperature: f64) -> Self {
        Self { temperature, decoupled: false }
    }

    /// Sets whether the positive is left out of the denominator.
    pub fn with_decoupled(mut self, decoupled: bool) -> Self {
        self.decoupled = decoupled;
        self
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::positive("temperature", self.temperature)
    }

    /// Queries against a positive each and negatives that all share: MoCo's loss. The gradient goes to `queries` only.
    ///
    /// Without negatives there is nothing to tell apart: the loss is 0 and so is its gradient.
    ///
    /// # Shapes
    /// - `queries`, `positives`: `[batch, dim]`, rows of unit length
    /// - `negatives`: `[K, dim]`, rows of unit length
    ///
    /// # Errors
    /// [`ContrastiveError::Empty`] without queries, [`ContrastiveError::Views`] or [`ContrastiveError::Dim`] where shapes do not fit.
    pub fn info_nce(
        &self,
        queries: Tensor<2>,
        positives: Tensor<2>,
        negatives: Tensor<2>,
    ) -> Result<Contrast, ContrastiveError> {
        check_pairs(&queries, &positives)?;
        let ([_, dim], [count, length]) = (queries.dims(), negatives.dims());
        ContrastiveError::dims(length, dim)?;
        let queries = widen(queries);
        if count == 0 {
            let positives = constant_beside(positives, &queries);
            return Ok(self.nothing_to_tell_apart(plain::dots(queries, positives, self.temperature)));
        }
        let constant = |rows: Tensor<2>| rows.without_autodiff().cast(queries.dtype());
        let operands = kernel::Operands {
            queries: constant(queries.clone()),
            positives: constant(positives),
            negatives: constant(negatives),
        };
        let settings = kernel::Settings {
            temperature: self.temperature,
            decoupled: self.decoupled,
            gradient: queries.gradient_checkpointing_strategy().is_some(),
        };
        let pass = kernel::pass(operands, settings);
        Ok(Contrast {
            loss: with_gradient(pass.loss, pass.gradient, queries),
            accuracy: pass.accuracy,
            negatives: count,
            chance: if self.decoupled { (count as f64).ln() } else { chance_loss(count) },
        })
    }

    /// Both views of a batch against all other samples of both: SimCLR's NT-Xent (Chen et al., arXiv 2002.05709,
    /// eq. 1), the mean over 2·batch queries with 2·batch − 2 negatives each. The gradient goes to both views.
    ///
    /// # Shapes
    /// - `first`, `second`: `[batch, dim]`, rows of unit length, row i of both of the same sample
    ///
    /// # Errors
    /// [`ContrastiveError::Empty`] without samples, [`ContrastiveError::Views`] or [`ContrastiveError::Dim`] where shapes differ.
    pub fn nt_xent(&self, first: Tensor<2>, second: Tensor<2>) -> Result<Contrast, ContrastiveError> {
        check_pairs(&first, &second)?;
        let [batch, _] = first.dims();
        let (first, second) = (widen(first), widen(second));
        let positive = plain::dots(first.clone(), second.clone(), self.temperature); // [batch, 1]
        let positive = positive.repeat_dim(0, 2); // [2·batch, 1]
        if batch == 1 {
            return Ok(self.nothing_to_tell_apart(positive));
        }
        let both = Tensor::cat(vec![first, second], 0); // [2·batch, dim]
        let similar = both.clone().matmul(both.transpose()).div_scalar(self.temperature);
        let negative = plain::without_own_sample(similar, batch); // [2·batch, 2·batch]
        Ok(plain::contrast(positive, negative, self.decoupled, 2 * batch - 2))
    }

    fn nothing_to_tell_apart(&self, positive: Tensor<2>) -> Contrast {
        let accuracy = Tensor::ones([1], &positive.device().without_autodiff());
        Contrast { loss: positive.mul_scalar(0.0).mean(), accuracy, negatives: 0, chance: 0.0 }
    }
}
