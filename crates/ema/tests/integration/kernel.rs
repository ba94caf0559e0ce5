//! The kernel gives the bits of the plain operations, whatever size, layout and type, and touches nobody else's memory.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use proptest::prelude::*;
use slowburn_ema::{Decay, Ema, EmaConfig};

use crate::numbers;

/// Weights that a core moves at a time, and that wake another: sizes on both sides of each.
const PIECE: usize = 1 << 15;
const LOAD: usize = 4 * PIECE;

#[derive(Module, Debug)]
struct Weights {
    all: Vec<Param<Tensor<2>>>,
}

impl Weights {
    fn new(tensors: Vec<Tensor<2>>) -> Self {
        Self { all: tensors.into_iter().map(Param::from_tensor).collect() }
    }

    fn value(&self, at: usize) -> Tensor<2> {
        self.all[at].val().without_autodiff()
    }
}

fn tensor(seed: u32, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(numbers(seed, shape[0] * shape[1]), shape), device)
}

/// A tensor of that shape in one of the ways in which it may lie in memory.
fn laid_out(layout: usize, seed: u32, [rows, columns]: [usize; 2], device: &Device) -> Tensor<2> {
    let of = |shape| tensor(seed, shape, device);
    match layout {
        // Burn cuts nothing out of a tensor without numbers.
        2.. if rows * columns == 0 => of([rows, columns]),
        1 => of([columns, rows]).transpose(),
        // Part of a larger one, with and without gaps.
        2 => of([rows, columns + 2]).narrow(1, 1, columns),
        3 => of([rows + 2, columns]).narrow(0, 1, rows),
        4 => of([rows, columns]).flip([0, 1]),
        // One number for all.
        5 => of([1, 1]).expand([rows, columns]),
        _ => of([rows, columns]),
    }
}

fn bits(tensor: &Tensor<2>) -> Vec<u32> {
    tensor.clone().into_data().try_into_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn address(tensor: &Tensor<2>) -> usize {
    tensor.clone().try_into_primitive::<Flex>().unwrap().storage::<f32>().as_ptr() as usize
}

fn average(start: &Weights, decay: f64) -> Ema<Weights> {
    EmaConfig::new(Decay::Constant { decay }).init(start).unwrap()
}

/// `d·θ̄ + (1−d)·θ` in Burn's operations, as a step from the nearer one.
fn plainly(average: Tensor<2>, student: Tensor<2>, decay: f64) -> Tensor<2> {
    let student = student.without_autodiff().cast(FloatDType::F32);
    let step = |from: Tensor<2>, to: Tensor<2>, share: f64| from.clone() + (to - from).mul_scalar(share);
    if decay < 0.5 { step(student, average, decay) } else { step(average, student, 1.0 - decay) }
}

/// Two updates both ways.
fn assert_equal(start: &Weights, students: [&Weights; 2], decay: f64) -> Result<(), TestCaseError> {
    let mut ema = average(start, decay);
    let mut expected: Vec<Tensor<2>> = (0..start.all.len()).map(|at| ema.module().value(at)).collect();
    for student in students {
        ema = ema.update(student).unwrap();
        for (at, expected) in expected.iter_mut().enumerate() {
            *expected = plainly(expected.clone(), student.value(at), decay);
            prop_assert_eq!(bits(&ema.module().value(at)), bits(expected), "tensor {} of {:?}", at, expected.dims());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_layout_and_type_gives_the_same_bits(
        shapes in prop::collection::vec(([0usize..40, 0usize..40], 0usize..6, 0usize..6, 0usize..3), 1..8),
        seed in 0u32..1000, decay in 0.0f64..=1.0, autodiff: bool,
    ) {
        let device = if autodiff { Device::flex().autodiff() } else { Device::flex() };
        let types = [FloatDType::F32, FloatDType::F16, FloatDType::BF16];
        let start = shapes.iter().map(|&(shape, layout, ..)| laid_out(layout, seed, shape, &device)).collect();
        let student = |seed| {
            let each = shapes.iter().map(|&(shape, _, layout, dtype)| {
                laid_out(layout, seed, shape, &device).cast(types[dtype])
            });
            Weights::new(each.collect())
        };
        assert_equal(&Weights::new(start), [&student(seed + 1), &student(seed + 2)], decay)?;
    }
}

#[test]
fn sizes_around_a_piece_and_a_load_give_the_same_bits() {
    let sizes = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3, LOAD - 1, LOAD + 1, 5 * LOAD + 7, 2];
    for device in [Device::flex(), Device::flex().autodiff()] {
        for dtype in [FloatDType::F32, FloatDType::F16, FloatDType::BF16] {
            let network = |seed| {
                let each = sizes.iter().map(|&size| tensor(seed, [1, size], &device).cast(dtype));
                Weights::new(each.collect())
            };
            assert_equal(&network(1), [&network(2), &network(3)], 0.999).unwrap();
        }
    }
}

#[test]
fn memory_of_one_owner_is_used_again() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let network = |seed| Weights::new([7, 2 * LOAD].map(|size| tensor(seed, [1, size], &device)).into());
        let mut ema = average(&network(1), 0.9);
        let places = |ema: &Ema<Weights>| [0, 1].map(|at| address(&ema.module().value(at)));
        let before = places(&ema);
        let student = network(2);
        let students = [0, 1].map(|at| address(&student.value(at)));
        for _ in 0..3 {
            ema = ema.update(&student).unwrap();
            assert_eq!(places(&ema), before);
        }
        assert_eq!([0, 1].map(|at| address(&student.value(at))), students);
        // Nothing of the student is kept: its optimizer may write in place.
        let owned = student.all.into_iter().map(|param| param.into_value().without_autodiff());
        for tensor in owned {
            assert!(tensor.try_into_primitive::<Flex>().unwrap().is_unique());
        }
    }
}

/// Plain operations put what lies amid a larger memory into memory of its own: here nothing but the kernel is at work.
#[test]
fn a_part_of_a_larger_memory_is_moved_where_it_lies() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let network = |seed| Weights::new(vec![tensor(seed, [9, LOAD / 4], &device).narrow(0, 1, 7)]);
        let place = |ema: &Ema<Weights>| {
            let tensor = ema.module().value(0).try_into_primitive::<Flex>().unwrap();
            (tensor.storage::<f32>().as_ptr() as usize, tensor.layout().start_offset())
        };
        // The first update parts it from the tensor that it began with.
        let mut ema = average(&network(1), 0.9).update(&network(2)).unwrap();
        let before = place(&ema);
        assert_eq!(before.1, LOAD / 4);
        for seed in 3..6 {
            ema = ema.update(&network(seed)).unwrap();
            assert_eq!(place(&ema), before);
        }
    }
}

#[test]
fn a_clone_that_is_alive_elsewhere_does_not_change() {
    for size in [100, 2 * LOAD] {
        let network = |seed| Weights::new(vec![tensor(seed, [1, size], &Device::flex())]);
        let (start, student) = (network(1), network(2));
        let ema = average(&start, 0.5);
        let (tensor, whole) = (ema.module().value(0), ema.clone());
        let moved = ema.update(&student).unwrap();
        assert_eq!(bits(&tensor), bits(&start.value(0)));
        assert_eq!(bits(&whole.module().value(0)), bits(&start.value(0)));
        assert_eq!(bits(&student.value(0)), bits(&network(2).value(0)));
        assert_eq!(bits(&moved.module().value(0)), bits(&plainly(tensor, student.value(0), 0.5)));
    }
}

#[test]
fn on_one_thread_and_on_a_thread_of_the_pool_it_is_the_same() {
    let network = |seed| Weights::new([9, 3 * LOAD, 5].map(|size| tensor(seed, [1, size], &Device::flex())).into());
    let update = || {
        let ema = average(&network(1), 0.99).update(&network(2)).unwrap();
        [0, 1, 2].map(|at| bits(&ema.module().value(at)))
    };
    let expected = update();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    assert_eq!(pool(1).install(update), expected);
    assert_eq!(pool(3).install(update), expected);
}
