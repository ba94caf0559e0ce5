//! Three crates without the others, for a training loop of one's own: an average of weights, random views of an image, MoCo's
//! queue with its loss.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example single_crates
//! ```

use anyhow::{Result, ensure};
use burn::nn::LinearConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use slowburn_augment::{Image, ImageSize, Key, Operation, Pipeline};
use slowburn_contrastive::{InfoNce, KeyQueueConfig, Unfilled, chance_loss, normalize};
use slowburn_ema::{Decay, EmaConfig};

fn main() -> Result<()> {
    average()?;
    views()?;
    queue()
}

/// `slowburn-ema`: the average of the weights of any Burn module, here of a line that is fitted to two points.
fn average() -> Result<()> {
    let device = Device::flex().autodiff();
    device.seed(0);
    let mut line = LinearConfig::new(1, 1).init(&device);
    let mut optimizer = SgdConfig::new().init();
    // `average ← d·average + (1 − d)·line`; the decay d is the weight of the old value.
    let decay = 0.9;
    let mut average = EmaConfig::new(Decay::Constant { decay }).init(&line)?;

    // y = 2x + 1
    let (x, y) = (Tensor::<2>::from_data([[-1.0], [1.0]], &device), Tensor::<2>::from_data([[-1.0], [3.0]], &device));
    let start: f64 = line.weight.val().into_scalar();
    let mut expected = start;
    for _ in 0..50 {
        let loss = (line.forward(x.clone()) - y.clone()).powi_scalar(2).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &line);
        line = optimizer.step(0.1, line, gradients);
        average = average.update(&line)?; // after the optimizer's step, once
        expected = decay * expected + (1.0 - decay) * line.weight.val().into_scalar::<f64>();
    }
    let [line, average]: [f64; 2] = [line.weight.val(), average.module().weight.val()].map(Tensor::into_scalar);
    println!("average: the slope is {line:.3}, its average {average:.3}: it began at {start:.3} and follows");
    ensure!((line - 2.0).abs() < 1e-3, "the line is fitted: {line}");
    ensure!((average - expected).abs() < 1e-5, "the average is that of the definition: {average}, {expected}");
    Ok(())
}

/// `slowburn-augment`: what is random about a view is drawn apart from its use, as a function of a key.
fn views() -> Result<()> {
    let pipeline = Pipeline::new(
        "shift and flip",
        vec![
            Operation::Translate { max_pixels: 1 },
            Operation::HorizontalFlip { probability: 0.5 },
            Operation::Normalize { mean: vec![0.5], std: vec![0.5] },
        ],
    )?;
    let size = ImageSize::new(3, 3, 1); // height, width, channels
    let pixels = [0, 32, 64, 96, 128, 160, 192, 224, 255];
    let image = Image::new(size, &pixels)?;

    // Two views of image 12 in epoch 0: the draws differ by the number of the view alone. Whoever draws them again, on any
    // thread and in any order, gets the same.
    let mut made = Vec::new();
    for view in 0..2 {
        let drawn = pipeline.draw(Key { seed: 5, epoch: 0, sample: 12, view }, size)?;
        let mut values = [0.0; 9]; // C×H×W
        pipeline.apply(&drawn, image, &mut values)?;
        println!("views: {drawn}");
        made.push(values);
    }
    ensure!(made[0] != made[1], "the views differ");

    // At evaluation nothing is random: what is left is the normalisation, (255/255 − 0.5) / 0.5 = 1.
    let fixed = pipeline.evaluation();
    let mut values = [0.0; 9];
    fixed.apply(&fixed.draw(Key::default(), size)?, image, &mut values)?;
    ensure!((values[0], values[8]) == (-1.0, 1.0), "black and white: {values:?}");
    Ok(())
}

/// `slowburn-contrastive`: the dictionary of keys and the loss, without an encoder.
fn queue() -> Result<()> {
    let device = Device::flex().autodiff();
    // Rows that hold no key yet are left out; the original scores queries against random ones at first.
    let config = KeyQueueConfig { size: 4, dim: 2, unfilled: Unfilled::Mask, seed: 0 };
    let mut queue = config.init(&device)?;
    let keys = |rows: [[f32; 2]; 2]| normalize(Tensor::from_data(rows, &device)); // of unit length

    // Six keys in a queue of four: the first two are gone.
    for batch in [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[0.0, -1.0], [0.0, -1.0]]] {
        queue = queue.enqueue(keys(batch))?;
    }
    ensure!((queue.filled(), queue.pointer()) == (4, 2), "the next key goes to row 2");

    // A query beside its key, at a right angle to all that is in the queue. Score first, enqueue afterwards: a key must not
    // be a negative of its own query.
    let queries = keys([[2.0, 0.0], [3.0, 0.0]]).require_grad();
    let positives = keys([[1.0, 0.0], [1.0, 0.0]]);
    let scored = InfoNce::new(0.5).info_nce(queries.clone(), positives.clone(), queue.negatives())?;
    let queue = queue.enqueue(positives)?;

    // −ln(e^(1/τ) / (e^(1/τ) + 4·e⁰)) for τ = 0.5
    let expected = -(2f64.exp() / (2f64.exp() + 4.0)).ln();
    let loss: f64 = scored.loss.clone().into_scalar();
    println!("queue: {} keys, loss {loss:.4}; a guess has ln(5) = {:.4}", queue.filled(), chance_loss(4));
    ensure!((loss - expected).abs() < 1e-5, "the loss is that of the definition: {loss}, {expected}");
    let gradients = scored.loss.backward();
    ensure!(queries.grad(&gradients).is_some(), "the gradient goes to the queries, and to nothing else");
    Ok(())
}
