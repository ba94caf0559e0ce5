//! Batch normalisation with what follows it, against Burn's plain operations in `f64`.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{DType, Tensor};
use slowburn_layers::{Activation, BatchNorm, Maps, SplitBatchNorm};

use crate::support::{Leaves, assert_near, assert_same, images, outcome, plain, random, training, values};

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::LeakyRelu(1.0),
    // The kernels have none like it.
    Activation::LeakyRelu(-0.5),
];

/// A layer of Burn's with these leaves as its parameters.
fn burns(leaves: &Leaves) -> burn::nn::BatchNorm {
    let [gamma, beta] = [leaves.vectors[0].clone(), leaves.vectors[1].clone()];
    let like = |seed, offset: f32| {
        let statistic = random(seed, gamma.dims(), &plain()) * 0.5 + offset;
        let data = statistic.into_data().convert_dtype(gamma.dtype());
        RunningState::new(Tensor::from_data(data, (&gamma.device(), gamma.dtype())))
    };
    burn::nn::BatchNorm {
        running_mean: like(5, 0.0),
        running_var: like(6, 1.0),
        gamma: Param::from_tensor(gamma),
        beta: Param::from_tensor(beta),
        training: Param::from_bool(true),
        momentum: 0.3,
        epsilon: 1e-3,
    }
}

/// Every shape with every number of splits that divides its batch.
fn shapes() -> Vec<([usize; 4], usize)> {
    vec![
        ([4, 3, 5, 6], 1),
        ([4, 3, 5, 6], 2),
        ([6, 17, 3, 3], 3),
        ([4, 40, 2, 2], 4),
        ([1, 2, 4, 4], 1),
        ([8, 5, 1, 1], 2),
        ([2, 64, 9, 9], 1),
    ]
}

/// Burn's operations alone, for any number of splits.
fn theirs(norm: &burn::nn::BatchNorm, splits: usize, x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let parts = (0..splits).map(|j| {
        let part = x.clone().reshape([n / splits, splits, c, h, w]).slice([0..n / splits, j..j + 1]);
        let part: Tensor<4> = part.reshape([n / splits, c, h, w]);
        let result = burn::tensor::module::batch_norm_train(part, norm.gamma.val(), norm.beta.val(), norm.epsilon);
        result.output.reshape([n / splits, 1, c, h, w])
    });
    let parts: Vec<Tensor<5>> = parts.collect();
    Tensor::cat(parts, 1).reshape([n, c, h, w])
}

#[test]
fn in_training_values_and_gradients_are_burns() {
    for (shape, splits) in shapes() {
        for activation in ACTIVATIONS {
            let leaves = Leaves::random(&[shape], &[shape[1], shape[1]]);
            let ours = |leaves: &Leaves| {
                let norm = SplitBatchNorm { norm: burns(leaves), splits };
                norm.forward_maps(Maps::new(leaves.maps[0].clone()), activation).into_tensor()
            };
            let theirs = |leaves: &Leaves| activation.apply(theirs(&burns(leaves), splits, leaves.maps[0].clone()));
            assert_same(&format!("{shape:?}, {splits} splits, {activation:?}"), &leaves, ours, theirs);
        }
    }
}

#[test]
fn with_a_shortcut_too() {
    for (shape, splits) in shapes() {
        for activation in ACTIVATIONS {
            let leaves = Leaves::random(&[shape, shape], &[shape[1], shape[1]]);
            let ours = |leaves: &Leaves| {
                let norm = SplitBatchNorm { norm: burns(leaves), splits };
                let [x, shortcut] = [0, 1].map(|i| Maps::new(leaves.maps[i].clone()));
                norm.forward_add(x, shortcut, activation).into_tensor()
            };
            let theirs = |leaves: &Leaves| {
                let normal = theirs(&burns(leaves), splits, leaves.maps[0].clone());
                activation.apply(normal + leaves.maps[1].clone())
            };
            assert_same(&format!("{shape:?}, {splits} splits, {activation:?}"), &leaves, ours, theirs);
        }
    }
}

/// Frozen on an autodiff device, the layer has the running statistics, and gradients still pass through it.
#[test]
fn frozen_it_has_the_running_statistics() {
    for activation in ACTIVATIONS {
        let leaves = Leaves::random(&[[4, 3, 5, 6], [4, 3, 5, 6]], &[3, 3]);
        let frozen = |leaves: &Leaves| burns(leaves).freeze();
        let ours = |leaves: &Leaves| {
            let [x, shortcut] = [0, 1].map(|i| Maps::new(leaves.maps[i].clone()));
            BatchNorm::from(frozen(leaves)).forward_add(x, shortcut, activation).into_tensor()
        };
        let theirs = |leaves: &Leaves| {
            let normal = frozen(leaves).forward(leaves.maps[0].clone());
            activation.apply(normal + leaves.maps[1].clone())
        };
        assert_same(&format!("{activation:?}"), &leaves, ours, theirs);
    }
}

/// Parameters can be learned with running statistics.
#[test]
fn without_the_training_flag_parameters_still_have_gradients() {
    let leaves = Leaves::random(&[[4, 3, 5, 6]], &[3, 3]);
    let flagged = |leaves: &Leaves| burn::nn::BatchNorm { training: Param::from_bool(false), ..burns(leaves) };
    let ours = |leaves: &Leaves| BatchNorm::from(flagged(leaves)).forward(leaves.maps[0].clone());
    let theirs = |leaves: &Leaves| flagged(leaves).forward(leaves.maps[0].clone());
    assert_same("running statistics", &leaves, ours, theirs);
}

#[test]
fn in_evaluation_it_is_burns() {
    let leaves = Leaves::random(&[[4, 3, 5, 6]], &[3, 3]);
    let norm = burns(&leaves);
    let expected = values(norm.forward(leaves.maps[0].clone()));
    assert_near("plain", &values(BatchNorm::from(norm).forward(leaves.maps[0].clone())), &expected);
}

#[test]
fn running_statistics_follow_as_burns_do() {
    let leaves = Leaves::random(&[[4, 3, 5, 6]], &[3, 3]).on(&training(), DType::F32);
    let (ours, theirs) = (BatchNorm::from(burns(&leaves)), burns(&leaves));
    for round in 0..3 {
        let batch = images([4, 3, 5, 6], &training()) * 2.0 + 1.0;
        ours.forward_maps(Maps::new(batch.clone()), Activation::Relu);
        theirs.forward(batch);
        for (ours, theirs) in [(&ours.running_mean, &theirs.running_mean), (&ours.running_var, &theirs.running_var)] {
            assert!(ours.value_sync().is_autodiff());
            assert_near(&format!("round {round}"), &values(ours.value_sync()), &values(theirs.value_sync()));
        }
    }
}

#[test]
fn tensors_of_any_rank_are_normalised() {
    fn check<const D: usize>(shape: [usize; D]) {
        let leaves = Leaves::random(&[[2, 3, shape.iter().product::<usize>() / 6, 1]], &[3, 3]);
        let ours = |leaves: &Leaves| BatchNorm::from(burns(leaves)).forward(leaves.maps[0].clone().reshape(shape));
        let theirs = |leaves: &Leaves| burns(leaves).forward(leaves.maps[0].clone().reshape(shape));
        assert_same(&format!("rank {D}"), &leaves, ours, theirs);
    }
    check([2, 3]);
    check([2, 3, 4]);
    check([2, 3, 4, 5]);
    check([2, 3, 2, 3, 4]);
}

/// NaN passes through rectifiers, forward and backward, as through Burn's.
#[test]
fn not_a_number_passes_through() {
    for activation in ACTIVATIONS {
        let mut leaves = Leaves::random(&[[2, 2, 2, 2], [2, 2, 2, 2]], &[2, 2]);
        leaves.maps[1] = leaves.maps[1]
            .clone()
            .slice_assign([0..1, 0..1, 0..1, 0..1], Tensor::full([1, 1, 1, 1], f32::NAN, &plain()));
        let frozen = |leaves: &Leaves| burns(leaves).freeze();
        let ours = |leaves: &Leaves| {
            let [x, shortcut] = [0, 1].map(|i| Maps::new(leaves.maps[i].clone()));
            BatchNorm::from(frozen(leaves)).forward_add(x, shortcut, activation).into_tensor()
        };
        let theirs = |leaves: &Leaves| {
            let normal = frozen(leaves).forward(leaves.maps[0].clone());
            activation.apply(normal + leaves.maps[1].clone())
        };
        assert_same(&format!("{activation:?}"), &leaves, ours, theirs);
        let output = outcome(&leaves.on(&training(), DType::F32), ours).output;
        assert_eq!(output.iter().filter(|value| value.is_nan()).count(), 1);
    }
}

#[test]
fn an_empty_batch_gives_an_empty_batch_and_leaves_the_statistics_alone() {
    let leaves = Leaves::random(&[[0, 3, 5, 6]], &[3, 3]).on(&training(), DType::F32);
    let norm = BatchNorm::from(burns(&leaves));
    let before = values(norm.running_mean.value_sync());
    let found =
        outcome(&leaves, |leaves| norm.forward_maps(Maps::new(leaves.maps[0].clone()), Activation::Relu).into_tensor());
    assert_eq!(found.shape, [0, 3, 5, 6]);
    assert_eq!(values(norm.running_mean.value_sync()), before);
}

#[test]
fn inputs_may_lie_in_any_order() {
    let leaves = Leaves::random(&[[5, 3, 6, 4]], &[3, 3]);
    let ours = |leaves: &Leaves| BatchNorm::from(burns(leaves)).forward(leaves.maps[0].clone().swap_dims(0, 3));
    let theirs = |leaves: &Leaves| burns(leaves).forward(leaves.maps[0].clone().swap_dims(0, 3));
    assert_same("transposed", &leaves, ours, theirs);
}

#[test]
#[should_panic(expected = "axis 1 expected 3, got 4")]
fn other_channels_panic_in_burns_words() {
    BatchNorm::from(burns(&Leaves::random(&[], &[3, 3]))).forward(images([2, 4, 2, 2], &plain()));
}

#[test]
#[should_panic(expected = "the input has 4 channels, but the layer 3")]
fn maps_with_other_channels_panic() {
    let norm = BatchNorm::from(burns(&Leaves::random(&[], &[3, 3])));
    norm.forward_maps(Maps::new(images([2, 4, 2, 2], &plain())), Activation::None);
}

#[test]
#[should_panic(expected = "the shortcut must have the shape of the maps")]
fn a_shortcut_of_another_shape_panics() {
    let norm = BatchNorm::from(burns(&Leaves::random(&[], &[3, 3])));
    let [x, shortcut] = [4, 2].map(|height| Maps::new(images([2, 3, height, 4], &plain())));
    norm.forward_add(x, shortcut, Activation::Relu);
}
