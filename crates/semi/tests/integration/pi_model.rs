//! The Π-model: which branch the consistency cost trains.

use burn::module::Param;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use slowburn_semi::{
    Consistency, Losses, MeanTeacherConfig, Objective, PiModelConfig, Predict, SemiBatch, SemiError, SemiSupervised,
    SupervisedConfig, Teacher, TemporalConfig,
};

use crate::{Network, assert_close, assert_elsewhere, batch, farthest, head_after, read};

/// Gradients of some of a network's weights.
fn gradients(network: &Network, cost: &Tensor<1>) -> [Vec<f64>; 2] {
    let gradients = cost.backward();
    let of = |weight: &Param<Tensor<2>>| read(weight.grad(&gradients).unwrap());
    [of(&network.first.weight), of(&network.head.weight)]
}

fn unlabeled(device: &Device) -> SemiBatch<Tensor<2>> {
    SemiBatch { labels: vec![None; 8], ..batch(1, device) }
}

/// The cost of two passes, written out, with or without a gradient to the second.
fn by_hand(network: &Network, kind: Consistency, both: bool, device: &Device) -> Tensor<1> {
    let batch = unlabeled(device);
    let p = softmax(network.predict(batch.student).class, 1);
    let target = softmax(network.predict(batch.teacher).class, 1);
    let target = if both { target } else { target.detach() };
    match kind {
        Consistency::Mse => (p - target).powi_scalar(2).sum() / (8.0 * 3.0),
        Consistency::Kl => (target.clone() * (target.log() - p.log())).sum() / 8.0,
        other => panic!("no definition of {other:?}"),
    }
}

#[test]
fn gradients_flow_through_both_branches_unless_told_otherwise() {
    let device = Device::flex().autodiff();
    for kind in [Consistency::Mse, Consistency::Kl] {
        let network = Network::plain(1, &device);
        let mut seen = Vec::new();
        for both in [true, false] {
            let objective = Objective { consistency: kind, weight: 1.0, ..Objective::default() };
            let config = PiModelConfig { objective, gradient_to_target: both };
            let method = config.init(network.clone(), &device).unwrap();
            let ours = gradients(&method.student, &method.losses(unlabeled(&device)).unwrap().total);
            let expected = gradients(&network, &by_hand(&network, kind, both, &device));
            for (ours, expected) in ours.iter().zip(&expected) {
                // The same operations in another order, f32.
                assert_close(ours, expected, 1e-5, &format!("{kind:?}, both {both}"));
            }
            seen.push(ours);
        }
        let difference = farthest(&seen[0][0], &seen[1][0]);
        assert!(difference > 1e-3, "the two settings differ: {difference}");
    }
}

#[test]
fn without_the_consistency_training_ends_elsewhere() {
    let device = Device::flex().autodiff();
    let [with, without] = [1.0, 0.0].map(|weight| {
        let objective = Objective { weight, ..Objective::default() };
        let config = PiModelConfig { objective, ..PiModelConfig::default() };
        head_after(config.init(Network::plain(1, &device), &device).unwrap(), 0..3, &device)
    });
    assert_elsewhere(&with, &without, "the Π-model");
}

#[test]
fn both_branches_are_the_default() {
    assert!(PiModelConfig::default().gradient_to_target);
}

/// Where labelled samples have no consistency cost, a batch of nothing else would be learned from without one.
#[test]
fn a_batch_without_a_consistency_cost_is_refused() {
    fn losses<T: Teacher<Network>>(method: Result<SemiSupervised<Network, T>, SemiError>) -> Result<Losses, SemiError> {
        let device = Device::flex().autodiff();
        method.unwrap().losses(SemiBatch { labels: vec![Some(1); 8], ..batch(1, &device) })
    }
    let device = Device::flex().autodiff();
    let network = || Network::plain(1, &device);
    for on_labeled in [true, false] {
        let objective = || Objective { consistency_on_labeled: on_labeled, ..Objective::default() };
        let pi = PiModelConfig { objective: objective(), ..PiModelConfig::default() }.init(network(), &device);
        let temporal = TemporalConfig { objective: objective(), decay: 0.6 }.init(network(), 16, 3, &device);
        let average = MeanTeacherConfig { objective: objective(), ..Default::default() }.init(network(), &device);
        for (method, losses) in [("Π", losses(pi)), ("temporal", losses(temporal)), ("Mean Teacher", losses(average))]
        {
            match losses {
                Ok(_) => assert!(on_labeled, "{method}"),
                Err(error) => assert!(!on_labeled && error == SemiError::NoUnlabeled { rows: 8 }, "{method}: {error}"),
            }
        }
    }
    let config = SupervisedConfig::default();
    assert!(losses(config.init(network(), &device)).is_ok(), "it needs none");
}
