use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use serde::{Deserialize, Serialize};

use super::{Group, Row, Setting, Summary, grid};
use slowburn::advice::in_flags;
use slowburn::data::Dataset;
use slowburn::network::Arch;
use slowburn::recipe::seeds;
use slowburn::{data, device, moco, report};
use slowburn_train::run::{Part, RunFolder, default_folder};

/// Vary MoCo's parts, one at a time: queue, decay, batch statistics, version, method.
///
/// Each setting is pre-trained and scored as `moco` does it, on several seeds; settings that are the default are run
/// once for all groups.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "ablation", args_override_self = true)]
pub struct Cli {
    /// A folder with IDX files, or with images in `train/<class>/`, `test/<class>/` and optionally `train/unlabeled/`
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// What is varied, comma-separated [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP")]
    pub only: Vec<Group>,
    /// Seeds of each setting, from --seed on [default: 3]
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// The first seed [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// The encoder [default: small]
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Passes over the training images in each run [default: 20]
    #[arg(long)]
    pub epochs: Option<f64>,
    /// Images in a batch [default: 128]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Keys in the queue, where it is not varied [default: 4096]
    #[arg(long, value_name = "K")]
    pub queue: Option<usize>,
    /// Neighbours that vote [default: 200]
    #[arg(long, value_name = "K")]
    pub knn: Option<usize>,
    /// cpu, or a backend built in, such as cuda:0, vulkan, metal, wgpu [default: cpu]
    #[arg(long)]
    pub device: Option<String>,
    /// Convolutions as other frameworks compute them, without Winograd's way: to compare digit by digit, slower
    #[arg(long)]
    pub exact: bool,
    /// Where to write the runs, if not to `runs/ablation-<time>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with runs that were stopped, with their settings
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "data", "only", "seeds", "seed", "arch", "epochs", "batch", "queue", "knn", "device", "exact", "out",
    ])]
    pub resume: Option<PathBuf>,
    /// Progress as plain lines even on a terminal
    #[arg(long)]
    pub plain: bool,
}

/// Everything that decides how the runs end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    base: moco::Recipe,
    groups: Vec<Group>,
    seeds: Vec<u64>,
}

impl Cli {
    fn plan(&self) -> Result<Plan> {
        let count = self.seeds.unwrap_or(3);
        ensure!((1..=100).contains(&count), "--seeds is {count}: it must be in [1, 100]");
        let first = self.seed.unwrap_or(0);
        let base = moco::Cli {
            data: self.data.clone(),
            arch: self.arch,
            epochs: self.epochs,
            batch: self.batch,
            queue: self.queue,
            knn: self.knn,
            device: self.device.clone(),
            exact: self.exact,
            ..moco::Cli::default()
        };
        let groups = if self.only.is_empty() { Group::ALL.to_vec() } else { self.only.clone() };
        Ok(Plan { base: base.recipe()?, groups, seeds: seeds(first, count)? })
    }
}

impl Plan {
    fn settings(&self, images: usize) -> Vec<Setting> {
        self.groups.iter().flat_map(|&group| grid(group, &self.base, images)).collect()
    }

    fn check(&self, data: &Dataset) -> Result<()> {
        device::parse(&self.base.device)?;
        for setting in self.settings(data.train.len()) {
            setting.recipe.validate()?;
            moco::check(&setting.recipe, data)?;
        }
        Ok(())
    }

    /// All runs that are not finished, each in a folder of its own.
    fn run(&self, data: &Dataset, folder: &RunFolder, plain: bool) -> Result<Summary> {
        let settings = self.settings(data.train.len());
        let fingerprint = data.fingerprint()?;
        let known = (data.path.as_path(), fingerprint.as_str());
        let mut summary = Summary {
            seeds: self.seeds.clone(),
            epochs: moco::Session::steps(&self.base, data).epochs(),
            rows: Vec::new(),
            random_knn: Vec::new(),
            random_linear: Vec::new(),
            train_seconds: 0.0,
        };
        let mut done: Vec<(moco::Recipe, moco::Summary)> = Vec::new();
        for (place, setting) in settings.iter().enumerate() {
            let Setting { group, name, value, recipe } = setting;
            let default = *recipe == self.base;
            let (mut knn, mut linear) = (Vec::new(), Vec::new());
            for &seed in &self.seeds {
                let recipe = moco::Recipe { seed, ..recipe.clone() };
                let earlier = done.iter().find(|(other, _)| *other == recipe).map(|(_, run)| run.clone());
                let run = match earlier {
                    Some(run) => run,
                    None => {
                        println!("\n{group:?} {name}, seed {seed}");
                        let name = format!("{place:02}-seed{seed}");
                        let run: moco::Summary = match Part::find(folder, &name, &recipe, known)? {
                            Part::Finished(run) => run,
                            Part::Open(folder, checkpoint) => {
                                moco::finish(plain, &recipe, data, &folder, checkpoint.map(|resume| *resume))?
                            }
                        };
                        summary.train_seconds += run.train_seconds;
                        done.push((recipe, run.clone()));
                        run
                    }
                };
                // The random encoder of a seed is the same for all settings of one network.
                if place == 0 {
                    summary.random(&run);
                }
                knn.push(run.knn_accuracy);
                linear.push(run.linear_accuracy);
            }
            summary.rows.push(Row { group: *group, name: name.clone(), value: *value, default, knn, linear });
        }
        Ok(summary)
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the data or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    let (folder, plan, data) = match &cli.resume {
        Some(path) => {
            let (folder, plan): (_, Plan) = RunFolder::open(path)?;
            let data = data::load(&plan.base.data)?;
            folder.check_same(&plan, &plan.base.data, &data.fingerprint()?)?;
            (folder, plan, data)
        }
        None => {
            let mut plan = cli.plan()?;
            let out = cli.out.clone().unwrap_or_else(|| default_folder("ablation"));
            RunFolder::check_free(&out).map_err(in_flags)?;
            let data = data::load(&plan.base.data)?;
            plan.base.fit_views(data.image_size());
            plan.check(&data)?;
            (RunFolder::create(&out, &plan, &data.fingerprint()?)?, plan, data)
        }
    };
    let summary = plan.run(&data, &folder, cli.plain)?;
    report::draw_curves(&summary.panels(), folder.path())?;
    folder.write_summary(&summary)?;
    println!("\n{summary}");
    println!("{}", folder.path().display());
    Ok(())
}
