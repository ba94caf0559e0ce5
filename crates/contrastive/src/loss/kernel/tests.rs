//! Kernel, blocks and the whole matrix of logits beside each other.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use proptest::prelude::*;

use super::{Operands, Pass, Settings, stream};
use crate::loss::plain;
use crate::random::{Stream, normals};
use crate::{Contrast, InfoNce, normalize};

fn rows(n: usize, dim: usize, seed: u64, device: &Device) -> Tensor<2> {
    normalize(Tensor::from_data(TensorData::new(normals(n * dim, seed, Stream::Rows), [n, dim]), device))
}

fn operands(n: usize, count: usize, dim: usize, seed: u64) -> Operands {
    let device = Device::flex();
    let queries = rows(n, dim, seed, &device);
    // Keys near their queries, as training makes them: the positive is sometimes the largest.
    let positives = normalize(queries.clone() + rows(n, dim, seed + 1, &device));
    Operands { queries, positives, negatives: rows(count, dim, seed + 2, &device) }
}

fn settings(temperature: f64, decoupled: bool) -> Settings {
    Settings { temperature, decoupled, gradient: true }
}

/// The oracle: the loss as `plain` has it, in f64, differentiated by Burn.
fn whole(operands: &Operands, settings: Settings) -> Pass {
    let Operands { queries, positives, negatives } = operands.clone();
    let Settings { temperature, decoupled, .. } = settings;
    let wide = |rows: Tensor<2>| rows.cast(FloatDType::F64).autodiff();
    let queries = wide(queries).require_grad();
    let count = negatives.dims()[0];
    let positive = plain::dots(queries.clone(), wide(positives), temperature);
    let negative = queries.clone().matmul(wide(negatives).transpose()).div_scalar(temperature);
    let Contrast { loss, accuracy, .. } = plain::contrast(positive, negative, decoupled, count);
    let gradient = queries.grad(&loss.backward());
    Pass { loss: loss.without_autodiff(), accuracy, gradient }
}

fn read<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().try_into_vec_as::<f64>().expect("floats")
}

/// The size of the terms of which a gradient is the sum: keys over the temperature and the number of queries.
fn term(operands: &Operands, settings: Settings) -> f64 {
    let keys = read(&operands.positives).into_iter().chain(read(&operands.negatives));
    let largest = keys.fold(0f64, |largest, value| largest.max(value.abs()));
    largest / settings.temperature / operands.queries.dims()[0] as f64
}

/// With logits and terms of the gradient up to these.
fn compare(ours: &Pass, expected: &Pass, logit: f64, term: f64) -> Result<(), TestCaseError> {
    let (loss, wanted) = (read(&ours.loss)[0], read(&expected.loss)[0]);
    // Logits are rounded to 2⁻²⁴ of their size, a few times, and a loss of 1/τ is the difference of two of them: at
    // τ 0.01 no arithmetic in f32 has 1e-6.
    let rounding = 1e-6f64.max(4.0 * logit * 2f64.powi(-24));
    prop_assert!((loss - wanted).abs() <= rounding * wanted.abs().max(1.0), "loss {loss} instead of {wanted}");
    prop_assert_eq!(read(&ours.accuracy), read(&expected.accuracy));
    let gradient = |pass: &Pass| read(pass.gradient.as_ref().expect("asked for"));
    let (gradient, wanted) = (gradient(ours), gradient(expected));
    let largest = wanted.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    for (ours, wanted) in gradient.iter().zip(&wanted) {
        // Where the keys are alike, or one number long, the terms cancel and leave next to nothing but their rounding.
        let allowed = (4.0 * rounding).max(1e-5) * largest + 4.0 * 2f64.powi(-24) * term;
        prop_assert!((ours - wanted).abs() <= allowed, "gradient {ours} instead of {wanted}, largest {largest}");
    }
    Ok(())
}

#[cfg(feature = "flex")]
fn fused(operands: &Operands, settings: Settings) -> Pass {
    super::flex::pass(operands, settings).expect("f32 on the CPU backend")
}

#[cfg(not(feature = "flex"))]
fn fused(operands: &Operands, settings: Settings) -> Pass {
    stream::pass(operands.clone(), settings, 5)
}

/// Rows of whole numbers up to 8 in size: with a power of two for τ, every logit is exact in f32 and in any order.
fn whole_numbers(n: usize, dim: usize, seed: u64) -> Tensor<2> {
    let numbers: Vec<f32> =
        normals(n * dim, seed, Stream::Rows).into_iter().map(|x| (3.0 * x).round().clamp(-8.0, 8.0)).collect();
    Tensor::from_data(TensorData::new(numbers, [n, dim]), &Device::flex())
}

/// Blocks at the most, eight times as many as a queue of the paper's size has: each rounds the running sums once.
const MOST: usize = 64;

/// One query or several; few negatives, or more than one chunk of the CPU's kernel takes.
fn sizes() -> impl Strategy<Value = (usize, usize)> {
    (prop_oneof![Just(1usize), 2usize..70], prop_oneof![1usize..400, 1000usize..3000])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where no logit is rounded: 1e-6 for the loss and 1e-5 for the gradient, up to logits of ±12,288.
    #[test]
    fn all_three_agree_on_exact_logits(
        seed in 0u64..1000, (n, count) in sizes(), dim in 1usize..4, block in 1usize..200,
        inverse in prop::sample::select(vec![1.0, 4.0, 16.0, 64.0]), decoupled: bool,
    ) {
        let operands = Operands {
            queries: whole_numbers(n, dim, seed),
            positives: whole_numbers(n, dim, seed + 1),
            negatives: whole_numbers(count, dim, seed + 2),
        };
        let settings = settings(1.0 / inverse, decoupled);
        let expected = whole(&operands, settings);
        let term = term(&operands, settings);
        compare(&fused(&operands, settings), &expected, 0.0, term)?;
        compare(&stream::pass(operands, settings, block.max(count / MOST)), &expected, 0.0, term)?;
    }

    /// From two dimensions on. In one, keys are ±1 and a gradient is no more than the rounding of two sums that cancel, up to 16
    /// roundings of a term; the test above has them where nothing is rounded.
    #[test]
    fn all_three_agree(
        seed in 0u64..1000, (n, count) in sizes(), dim in 2usize..40, block in 1usize..200,
        temperature in prop::sample::select(vec![0.01, 0.07, 0.2, 1.0]), decoupled: bool,
    ) {
        let (operands, settings) = (operands(n, count, dim, seed), settings(temperature, decoupled));
        let expected = whole(&operands, settings);
        let term = term(&operands, settings);
        compare(&fused(&operands, settings), &expected, 1.0 / temperature, term)?;
        compare(&stream::pass(operands, settings, block.max(count / MOST)), &expected, 1.0 / temperature, term)?;
    }
}

#[test]
fn many_chunks_agree_with_the_whole() {
    for decoupled in [false, true] {
        let operands = operands(33, 5001, 24, 7);
        let settings = settings(0.1, decoupled);
        let expected = whole(&operands, settings);
        let term = term(&operands, settings);
        compare(&fused(&operands, settings), &expected, 10.0, term).expect("equal");
        compare(&stream::pass(operands, settings, 1000), &expected, 10.0, term).expect("equal");
    }
}

#[test]
fn identical_keys_tie_in_every_arithmetic() {
    let device = Device::flex();
    for dim in [1, 3, 128, 1000] {
        let one = rows(1, dim, 3, &device);
        let operands = Operands {
            queries: one.clone().repeat_dim(0, 5),
            positives: one.clone().repeat_dim(0, 5),
            negatives: one.repeat_dim(0, 300),
        };
        let settings = settings(0.07, false);
        // In the others the positive's logit, near 1/τ, is summed in another order than the negatives'.
        let other = 4.0 / settings.temperature * 2f64.powi(-24);
        for (pass, bound) in [
            (fused(&operands, settings), 1e-6),
            (stream::pass(operands.clone(), settings, 64), other),
            (whole(&operands, settings), 1e-6),
        ] {
            assert!((read(&pass.loss)[0] - 301f64.ln()).abs() < bound);
            assert_eq!(read(&pass.accuracy), [0.0], "a tie is a miss, dim {dim}");
            // k₊ pulls as much as all negatives push: nothing is left but rounding.
            assert!(read(&pass.gradient.expect("asked for")).iter().all(|value| value.abs() < 1e-5));
        }
    }
}

#[test]
fn the_papers_size_agrees_with_the_whole() {
    // Chunks of 4,096 negatives, each a sum of as many numbers in f32.
    let operands = operands(20, 65_536, 128, 13);
    for temperature in [0.07, 0.2] {
        let settings = settings(temperature, false);
        let expected = whole(&operands, settings);
        let term = term(&operands, settings);
        compare(&fused(&operands, settings), &expected, 1.0 / temperature, term).expect("equal");
        compare(&stream::pass(operands.clone(), settings, stream::BLOCK), &expected, 1.0 / temperature, term)
            .expect("equal");
    }
}

#[test]
fn logits_of_ten_thousand_of_both_signs() {
    for sign in [1e4, -1e4] {
        let mut operands = operands(9, 300, 8, 11);
        operands.queries = operands.queries.mul_scalar(sign);
        let settings = settings(1.0, false);
        let expected = whole(&operands, settings);
        let term = term(&operands, settings);
        compare(&fused(&operands, settings), &expected, 1e4, term).expect("equal");
        compare(&stream::pass(operands, settings, 37), &expected, 1e4, term).expect("equal");
    }
}

#[test]
fn a_number_that_is_none_is_not_lost() {
    let device = Device::flex();
    let nan = Tensor::<2>::full([1, 4], f32::NAN, &device);
    let fine = operands(20, 300, 4, 5);
    let mut broken = vec![fine.clone(); 3];
    broken[0].queries = Tensor::cat(vec![fine.queries.clone().narrow(0, 1, 19), nan.clone()], 0);
    broken[1].positives = Tensor::cat(vec![fine.positives.clone().narrow(0, 1, 19), nan.clone()], 0);
    broken[2].negatives = Tensor::cat(vec![nan, fine.negatives.narrow(0, 1, 299)], 0);
    for operands in broken {
        assert!(read(&fused(&operands, settings(0.1, false)).loss)[0].is_nan());
    }
}

#[test]
fn the_loss_of_a_part_of_a_queue_and_of_transposed_queries() {
    let mut operands = operands(6, 300, 6, 13);
    operands.queries = operands.queries.transpose();
    operands.negatives = operands.negatives.narrow(0, 100, 150);
    let settings = settings(0.2, false);
    let term = term(&operands, settings);
    compare(&fused(&operands, settings), &whole(&operands, settings), 5.0, term).expect("equal");
}

#[test]
fn the_gradient_is_scaled_by_what_comes_after_the_loss() {
    let device = Device::flex().autodiff();
    let q = rows(4, 8, 1, &device).require_grad();
    let loss = || {
        InfoNce::new(0.1).info_nce(q.clone(), rows(4, 8, 2, &device), rows(50, 8, 3, &device)).expect("they fit").loss
    };
    let once = read(&q.grad(&loss().backward()).expect("a gradient"));
    let thrice = read(&q.grad(&loss().mul_scalar(3.0).backward()).expect("a gradient"));
    once.iter().zip(&thrice).for_each(|(once, thrice)| assert!((3.0 * once - thrice).abs() < 1e-6));
    assert!(once.iter().any(|value| value.abs() > 1e-3));
}

/// With 1 and 2 threads all queries are one group; with more there are up to five.
#[cfg(feature = "flex")]
#[test]
fn the_result_is_the_same_in_every_bit_for_any_number_of_threads() {
    let (operands, settings) = (operands(150, 1500, 19, 17), settings(0.1, false));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let pass = pool.install(|| fused(&operands, settings));
        [read(&pass.loss), read(&pass.accuracy), read(&pass.gradient.expect("asked for"))]
    };
    let expected = with(1);
    let term = term(&operands, settings);
    compare(&fused(&operands, settings), &whole(&operands, settings), 10.0, term).expect("equal");
    for threads in [2, 3, 7, 64] {
        assert_eq!(with(threads), expected, "{threads} threads");
    }
}

/// Each has other panels: of the machine's widest vectors, of eight lanes, and of one.
#[cfg(feature = "flex")]
#[test]
fn every_set_of_instructions_gives_the_same_sums() {
    use super::panel::{Chunk, Matrix, Part};
    use pulp::Simd;
    let (n, count, dim) = (37, 300, 19);
    let numbers = |rows: usize, seed| normals(rows * dim, seed, Stream::Rows);
    let (queries, negatives) = (numbers(n, 1), numbers(count, 2));
    let chunk = || Chunk {
        queries: Matrix { values: &queries, dim },
        negatives: Matrix { values: &negatives, dim },
        scale: 0.5,
        gradient: true,
    };
    let expected: Part = pulp::Arch::new().dispatch(chunk());
    let mut others = vec![Simd::vectorize(pulp::Scalar::new(), chunk())];
    #[cfg(target_arch = "x86_64")]
    others.extend(pulp::x86::V3::try_new().map(|simd| Simd::vectorize(simd, chunk())));
    let flat = |part: &Part| [&part.max[..], &part.sum, &part.weighted].concat();
    for other in others {
        assert_eq!(flat(&other).len(), n * (2 + dim));
        for (ours, wanted) in flat(&other).into_iter().zip(flat(&expected)) {
            assert!((ours - wanted).abs() <= 2e-5 * wanted.abs().max(1.0), "{ours} instead of {wanted}");
        }
    }
}
