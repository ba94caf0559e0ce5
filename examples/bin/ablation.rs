//! What MoCo's parts bring: queue, decay, batch statistics, version, method, one changed at a time, on several seeds.
//!
//! ```sh
//! cargo run --release -p slowburn-examples --example ablation                       # half a minute a setting and seed
//! cargo run --release -p slowburn-examples --example ablation -- --only decay,queue --seeds 1
//! ```
//!
//! Table and picture are written to `runs/ablation`. Settings that are finished there are not trained again; one that was stopped is
//! resumed.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use burn::tensor::Device;
use clap::{Parser, ValueEnum as _};
use slowburn_augment::presets;
use slowburn_contrastive::{Contrastive, EndToEndConfig, InfoNce, MemoryBankConfig, MocoConfig};
use slowburn_ema::{Decay, Length, RampShape, Schedule};
use slowburn_examples::FASHION_MNIST;
use slowburn_examples::curves::{Across, Panel, draw};
use slowburn_examples::settings::{Group, Method, Setting, grid, once};
use slowburn_examples::table::{Row, table};
use slowburn_models::{HeadVersion, Norm, ProjectionConfig, Projector, SmallConvNet, SmallConvNetConfig};
use slowburn_train::data::{Dataset, labeled};
use slowburn_train::monitor::{ImageSet, Scoring};
use slowburn_train::run::write_atomically;
use slowburn_train::trainer::{initialized, mix};
use slowburn_train::{OptimizerConfig, Pretrain, Trainer};

/// Vary MoCo's parts, one at a time.
#[derive(Debug, Parser)]
struct Cli {
    /// What is varied, comma-separated [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// Seeds of each setting, from 0 on
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Passes over the images in each run [default: by their number; 20 for 10,000]
    #[arg(long)]
    epochs: Option<f64>,
    /// Grey images: a folder with IDX files, or with train/<class>/ and test/<class>/
    #[arg(long, default_value = FASHION_MNIST)]
    data: PathBuf,
    /// Where runs, table and picture are
    #[arg(long, default_value = "runs/ablation")]
    out: PathBuf,
}

/// The length of an embedding.
const DIM: usize = 64;

type Network = Projector<SmallConvNet>;

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let cli = Cli::parse();
    let data = Dataset::load(&cli.data)?;
    ensure!(data.image_size().channels == 1, "{}: network and views are for grey images", cli.data.display());
    let groups = if cli.only.is_empty() { Group::value_variants() } else { &cli.only };
    let base = Setting::base(&data, cli.epochs);

    let columns = ["kNN", "linear probe"];
    let panel = |title, axis, across| Panel { title, axis, across, curves: columns, points: Vec::new() };
    let mut large = panel("large: test accuracy, %", "keys in the queue", Across::Sizes);
    let mut consistent = panel("consistent: test accuracy, %", "decay of the average", Across::Decays);
    let mut rows = Vec::new();
    for setting in grid(groups, &base, data.train.len()) {
        let mut row = Row::new(setting.group, &setting.name, columns.len());
        for seed in 0..cli.seeds {
            // The default is in every group and trained once.
            let folder = cli.out.join(format!("{}-seed{seed}", setting.setting.folder()));
            let scores = once(&folder, &setting.setting, &data, || run(&setting.setting, &data, seed, &folder))?;
            row.scores.iter_mut().zip(scores).for_each(|(column, score)| column.push(score));
        }
        let panel = if setting.group == "queue" { &mut large } else { &mut consistent };
        panel.points.extend(setting.value.map(|value| (value, [row.scores[0].clone(), row.scores[1].clone()])));
        rows.push(row);
    }
    draw(&[large, consistent], &cli.out.join("ablation.svg"))?;
    let text = format!(
        "test accuracy, {} epochs, {} seeds, mean ± standard deviation\n{}",
        base.epochs,
        cli.seeds,
        table(&columns, &rows)
    );
    write_atomically(&cli.out.join("table.txt"), text.as_bytes())?;
    println!("{text}{}", cli.out.display());
    Ok(())
}

/// Trains as a setting says, and scores the encoder on the test images: nearest neighbours, linear probe.
fn run(setting: &Setting, data: &Dataset, seed: u64, folder: &Path) -> Result<[f64; 2]> {
    let &Setting { version, queue, decay, splits, shuffle, .. } = setting;
    let device = Device::flex().autodiff();
    // The first weights of a seed are the same for all settings of one network.
    device.seed(mix(seed, u64::MAX));
    let encoder = SmallConvNetConfig::new().with_norm(Norm::Split { splits }).init(&device)?;
    let network = initialized(ProjectionConfig::new(version).with_dim(DIM).init(encoder, &device)?);

    let loss = InfoNce::new(if version == HeadVersion::V1 { 0.07 } else { 0.2 });
    let network = match setting.method {
        Method::Random => network,
        Method::Moco => {
            let decay = Decay::Constant { decay };
            let config = MocoConfig { dim: DIM, queue, decay, loss, shuffle, seed, ..MocoConfig::v2() };
            train(config.init(network, &device)?, setting, data, seed, folder)?
        }
        Method::EndToEnd => {
            let config = EndToEndConfig { loss, shuffle, seed, ..EndToEndConfig::default() };
            train(config.init(network, &device)?, setting, data, seed, folder)?
        }
        Method::MemoryBank => {
            let config = MemoryBankConfig { dim: DIM, negatives: queue, decay, loss, seed };
            train(config.init(network, data.train.len(), &device)?, setting, data, seed, folder)?
        }
    };

    let fixed = presets::moco_fashion(data.image_size().height as u32).evaluation();
    let train = ImageSet::new(data.train.images.clone(), labeled(&data.train.labels), &fixed)?;
    let known = data.test.labels.iter().copied().enumerate().collect();
    let test = ImageSet::new(data.test.images.clone(), known, &fixed)?;
    let mut scoring = Scoring::default();
    scoring.knn.k = setting.neighbours;
    let scores = scoring.score(&scoring.sets(&network, &train, &test, &device.without_autodiff())?)?;
    Ok([scores.knn.accuracy, scores.linear.probe.accuracy])
}

fn train<M: Contrastive<Encoder = Network>>(
    method: M,
    setting: &Setting,
    data: &Dataset,
    seed: u64,
    folder: &Path,
) -> Result<Network> {
    let side = data.image_size().height as u32;
    // The original falls after 120 and 160 of 200 epochs in v1.
    let (views, ramp_down) = match setting.version {
        HeadVersion::V1 => (presets::moco_fashion_v1(side), RampShape::Milestones(0.6, 0.8)),
        _ => (presets::moco_fashion(side), RampShape::CosineDown(Length::Share(1.0))),
    };
    let schedule = Schedule { ramp_down, ..Schedule::constant(0.06) };
    let optimizer = OptimizerConfig::sgd(0.06).with_schedule(schedule).with_weight_decay(5e-4);
    let task = Pretrain::new(method, data.train.images.clone(), views).without_monitor();
    let trainer = Trainer::new(folder).epochs(setting.epochs).batch(setting.batch).seed(seed).optimizer(optimizer);
    Ok(trainer.fit(task)?.method.query().clone())
}
