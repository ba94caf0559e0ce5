//! InfoNCE with its gradient, by kernel or by blocks.

use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{InfoNce, normalize};

use crate::support::{assert_close, numbers, others, product_rounding, read};

const DIM: usize = 24;

fn rows(n: usize, seed: u32, device: &Device) -> Tensor<2> {
    normalize(numbers(seed, [n, DIM], device))
}

/// Loss, accuracy and gradient.
fn outcome(loss: InfoNce, n: usize, count: usize, scale: f64, device: &Device) -> [Vec<f64>; 3] {
    let device = device.clone().autodiff();
    let queries = rows(n, 1, &device).mul_scalar(scale).require_grad();
    // Keys near their queries, as training makes them.
    let positives = normalize(rows(n, 1, &device) + rows(n, 2, &device));
    let outcome = loss.info_nce(queries.clone(), positives, rows(count, 3, &device)).unwrap();
    let gradient = queries.grad(&outcome.loss.backward()).unwrap();
    [read(&outcome.loss), read(&outcome.accuracy), read(&gradient)]
}

#[test]
fn for_all_sizes_and_temperatures() {
    // 8,192 negatives are a block.
    for (n, count) in [(1, 1), (1, 300), (33, 5), (7, 8192), (16, 9001)] {
        for temperature in [0.01, 0.07, 1.0] {
            for decoupled in [false, true] {
                let loss = InfoNce::new(temperature).with_decoupled(decoupled);
                let [expected, accuracy, gradient] = outcome(loss, n, count, 1.0, &Device::flex());
                for (name, device) in others() {
                    let what = format!("{name}: {n} queries, {count} keys, {loss:?}");
                    let [ours, hits, ours_gradient] = outcome(loss, n, count, 1.0, &device);
                    // Logits are up to 1/τ.
                    let rounding = (4.0 / temperature * product_rounding(name)).max(2e-6);
                    assert!((ours[0] - expected[0]).abs() <= rounding * expected[0].abs().max(1.0), "{what}");
                    // A share of hits, which may be rounded: less than half a hit.
                    assert!((hits[0] - accuracy[0]).abs() < 1e-6, "{what}: {} of {}", hits[0], accuracy[0]);
                    // Beyond that TF32 leaves nothing of the weights of logits that it rounds by a tenth.
                    if rounding < 0.05 {
                        assert_close(&what, &ours_gradient, &gradient, 1e-5f64.max(4.0 * rounding));
                    }
                }
            }
        }
    }
}

#[test]
fn with_logits_of_ten_thousand() {
    for scale in [1e4, -1e4] {
        let loss = InfoNce::new(1.0);
        let [expected, _, gradient] = outcome(loss, 9, 300, scale, &Device::flex());
        for (name, device) in others() {
            let [ours, _, ours_gradient] = outcome(loss, 9, 300, scale, &device);
            assert_close(name, &ours, &expected, 1e-5f64.max(4.0 * product_rounding(name)));
            // Rounding moves logits of 10⁴ by 10⁻³, and their weights by as much.
            assert_close(name, &ours_gradient, &gradient, 1e-2);
        }
    }
}
