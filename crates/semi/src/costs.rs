//! Costs per sample, in plain tensor operations. Each returns one number per row, `[batch]`.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor};

/// Squared error between class probabilities, divided by the number of classes C:
/// `(1/C)·Σ_c (softmax(s)_c − p_c)²`.
///
/// Tarvainen & Valpola (arXiv 1703.01780, §2 and §B). Between 0 and 2/C.
///
/// # Shapes
/// - `student`: logits `[batch, classes]`
/// - `teacher`: probabilities `[batch, classes]`
/// - output: `[batch]`
pub fn softmax_mse(student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    assert_eq!(student.dims(), teacher.dims(), "student logits and teacher probabilities must have the same shape");
    let difference = softmax(student, 1) - teacher; // [batch, classes]
    (difference.clone() * difference).mean_dim(1).squeeze_dim(1)
}

/// Kullback-Leibler divergence from student to teacher, summed over classes: `Σ_c p_c·(ln p_c − ln softmax(s)_c)`.
///
/// Tarvainen & Valpola (arXiv 1703.01780, §3.4). At least 0, in nats. Not divided by the number of classes, as in the
/// original: its weight and that of [`softmax_mse`] are not interchangeable.
///
/// # Shapes
/// - `student`: logits `[batch, classes]`
/// - `teacher`: probabilities `[batch, classes]`
/// - output: `[batch]`
pub fn softmax_kl(student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    assert_eq!(student.dims(), teacher.dims(), "student logits and teacher probabilities must have the same shape");
    // p·ln p tends to 0 with p; the smallest normal number keeps its logarithm finite.
    let log_teacher = teacher.clone().clamp_min(f32::MIN_POSITIVE).log();
    (teacher * (log_teacher - log_softmax(student, 1))).sum_dim(1).squeeze_dim(1)
}

/// Cross entropy between the teacher's probabilities and the student's: `−Σ_c p_c·ln softmax(s)_c`, in nats.
///
/// FixMatch's H(q̂, p) (Sohn et al., arXiv 2001.07685, eq. 4): for a hard target the negative logarithm of that class's
/// probability. [`softmax_kl`] without the teacher's entropy: the same gradient to the student.
///
/// # Shapes
/// - `student`: logits `[batch, classes]`
/// - `teacher`: probabilities `[batch, classes]`
/// - output: `[batch]`
pub fn softmax_cross_entropy(student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    assert_eq!(student.dims(), teacher.dims(), "student logits and teacher probabilities must have the same shape");
    (teacher * log_softmax(student, 1)).sum_dim(1).squeeze_dim::<1>(1).neg()
}

/// Squared distance between the logits of two heads, divided by the number of classes C: `(1/C)·Σ_c (a_c − b_c)²`.
///
/// Both heads receive its gradient, which pulls them together (arXiv 1703.01780, §B.3). The authors' TensorFlow code
/// does not divide by C: its weights are C times smaller.
///
/// # Shapes
/// - `a`, `b`: logits `[batch, classes]`
/// - output: `[batch]`
pub fn logit_distance(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    assert_eq!(a.dims(), b.dims(), "both heads must have the same shape");
    let difference = a - b; // [batch, classes]
    (difference.clone() * difference).mean_dim(1).squeeze_dim(1)
}

/// Cross entropy of the labelled rows, 0 elsewhere: `−ln softmax(s)_y`.
///
/// # Shapes
/// - `logits`: `[batch, classes]`
/// - `labels`: `[batch]`, any class where `labeled` is 0
/// - `labeled`: `[batch]`, 1 for rows with a label, otherwise 0
/// - output: `[batch]`
pub fn masked_cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, labeled: Tensor<1>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    assert_eq!([batch, batch], [labels.dims()[0], labeled.dims()[0]], "one label and one mark for each row");
    let log_probability = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)); // [batch, 1]
    log_probability.squeeze_dim::<1>(1).neg() * labeled
}
