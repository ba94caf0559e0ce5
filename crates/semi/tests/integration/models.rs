//! A classifier of `slowburn-models` under a method, without code of one's own.

use burn::tensor::{Device, Tensor, TensorData};
use slowburn_models::{ClassifierConfig, SmallConvNetConfig, state_dict};
use slowburn_semi::{MeanTeacherConfig, Predict, SemiBatch};

use crate::{numbers, read, scalar};

fn images(seed: u32, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(numbers(seed, 4 * 144), [4, 1, 12, 12]), device)
}

#[test]
fn a_classifier_with_two_heads_is_a_student() {
    let device = Device::flex().autodiff();
    let encoder = SmallConvNetConfig::new().with_widths([4, 4, 8]).init(&device).unwrap();
    let classifier = ClassifierConfig::new(3).with_consistency_head(true).init(encoder, &device).unwrap();
    let method = MeanTeacherConfig::default().init(classifier, &device).unwrap();
    let labels = vec![Some(0), Some(2), None, None];
    let batch =
        SemiBatch { student: images(1, &device), teacher: images(2, &device), labels, samples: (0..4).collect() };
    let losses = method.losses(batch).unwrap();
    assert!(scalar(&losses.logit_distance) > 0.0, "both heads are seen");
    let gradients = losses.total.backward();
    let heads = [Some(&method.student.fc), method.student.fc_consistency.as_ref()];
    assert!(heads.iter().all(|head| head.is_some_and(|head| head.weight.grad(&gradients).is_some())));
    assert!(state_dict(&method.student).contains_key("fc_consistency.bias"));

    let student = method.student.clone();
    let (class, consistency) = student.forward_heads(images(1, &device));
    let predicted = student.predict(images(1, &device));
    assert_eq!(read(predicted.class), read(class));
    assert_eq!(read(predicted.consistency.unwrap()), read(consistency.unwrap()));
}
