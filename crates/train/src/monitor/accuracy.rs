use burn::tensor::{Device, Int, Tensor, TensorData};

use super::ImageSet;
use crate::task::TaskError;

/// The share of images whose largest logit is that of their class, for each of the logits that `classify` gives of a batch,
/// `[batch, classes]` each.
///
/// # Errors
/// Those of the loader.
pub fn accuracies<const N: usize>(
    set: &ImageSet,
    device: &Device,
    classify: impl Fn(Tensor<4>) -> [Tensor<2>; N],
) -> Result<[f64; N], TaskError> {
    let (mut correct, mut total) = ([0_i64; N], 0);
    for batch in set.batches(device)? {
        let batch = batch?;
        let classes: Vec<i32> = batch.classes.iter().map(|&class| class as i32).collect();
        let shape = [classes.len()];
        total += classes.len();
        let classes: Tensor<1, Int> = Tensor::from_data(TensorData::new(classes, shape), device);
        for (correct, logits) in correct.iter_mut().zip(classify(batch.images)) {
            let predicted = logits.argmax(1).squeeze_dim::<1>(1);
            *correct += predicted.equal(classes.clone()).int().sum().into_scalar::<i64>();
        }
    }
    Ok(correct.map(|correct| correct as f64 / total.max(1) as f64))
}
