//! Modules of every build: lists, nested modules, options, enums, integers and booleans.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Bool, Device, Int, Tensor};
use slowburn_ema::{Buffers, Decay, EmaConfig};

use crate::{assert_close, fill, tensor, tensors};

// A value of one test: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
enum Head {
    Plain(Linear),
    Normed(Block),
}

#[derive(Module, Debug)]
struct Block {
    linear: Linear,
    norm: BatchNorm,
}

#[derive(Module, Debug)]
struct Everything {
    blocks: Vec<Block>,
    pair: (Linear, Block),
    array: [Linear; 2],
    skipped: Option<Linear>,
    present: Option<Block>,
    heads: Vec<Head>,
    counts: Param<Tensor<1, Int>>,
    mask: Param<Tensor<1, Bool>>,
}

fn everything(seed: u32, count: i32, device: &Device) -> Everything {
    let linear = || LinearConfig::new(2, 3).init(device);
    let block = || Block { linear: linear(), norm: BatchNormConfig::new(3).init(device) };
    let id = burn::module::ParamId::new;
    let everything = Everything {
        blocks: vec![block(), block()],
        pair: (linear(), block()),
        array: [linear(), linear()],
        skipped: None,
        present: Some(block()),
        heads: vec![Head::Plain(linear()), Head::Normed(block())],
        counts: Param::initialized(id(), Tensor::from_data([count], device)),
        mask: Param::initialized(id(), Tensor::from_data([count > 1], device)),
    };
    fill(everything, seed)
}

#[test]
fn every_tensor_is_found_and_averaged() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let (start, student) = (everything(1, 1, &device), everything(2, 2, &device));
        let config = EmaConfig::new(Decay::Constant { decay: 0.25 });
        let ema = config.with_buffers(Buffers::Average).init(&start).unwrap().update(&student).unwrap();
        let (start, student, average) = (tensors(&start), tensors(&student), tensors(ema.module()));
        // Linear layers: 2 in blocks, 2 in the pair, 2 in the array, 1 present, 2 heads, of two tensors each; five
        // batch norms of four; the counts.
        assert_eq!(average.len(), 9 * 2 + 5 * 4 + 1);
        let paths: Vec<&str> = average.iter().map(|(path, _)| path.as_str()).collect();
        for path in
            ["blocks.1.linear.weight", "pair.1.norm.gamma", "array.1.bias", "heads.0.Plain.weight", "present.norm.beta"]
        {
            assert!(paths.contains(&path), "{path} in {paths:?}");
        }
        for (((path, ours), (_, start)), (_, student)) in average.iter().zip(&start).zip(&student) {
            let expected: Vec<f64> = match path.as_str() {
                "counts" => student.clone(),
                _ => start.iter().zip(student).map(|(start, student)| 0.25 * start + 0.75 * student).collect(),
            };
            // One update: three roundings of 2^-24.
            assert_close(ours, &expected, 2e-7);
        }
    }
}

#[test]
fn integers_and_booleans_follow_the_policy_of_buffers() {
    let device = Device::flex();
    let (start, student) = (everything(1, 1, &device), everything(2, 2, &device));
    for (buffers, expected) in [(Buffers::Own, 1.0), (Buffers::Copy, 2.0), (Buffers::Average, 2.0)] {
        let config = EmaConfig::new(Decay::Constant { decay: 0.25 }).with_buffers(buffers);
        let ema = config.init(&start).unwrap().update(&student).unwrap();
        assert_eq!(tensor(ema.module(), "counts"), [expected], "{buffers:?}");
        let mask: bool = ema.module().mask.val().into_data().try_into_vec::<bool>().unwrap()[0];
        assert_eq!(mask, expected > 1.0, "{buffers:?}");
    }
}

#[test]
fn another_variant_of_an_enum_is_another_model() {
    let device = Device::flex();
    let (start, mut student) = (everything(1, 1, &device), everything(1, 1, &device));
    student.heads.swap(0, 1);
    let error = EmaConfig::default().init(&start).unwrap().update(&student).unwrap_err();
    assert!(error.to_string().contains("heads.0.Normed"), "{error}");
}
