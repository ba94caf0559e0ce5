use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use super::{Recipe, Start, Summary};
use crate::advice::in_flags;
use crate::evaluate::Checkpointed;
use crate::network::Arch;
use crate::recipe::{Labels, Method};
use crate::training::Plan;
use crate::{cli, data, device, moco};
use slowburn_train::run::{RunFolder, default_folder};

/// Pre-train on all images, then train with few labels: from the pre-trained encoder, and from scratch.
///
/// Without flags it pre-trains with MoCo on the shipped Fashion-MNIST images and then trains on 100 labels, twice, with
/// the same labels, batches and steps. With --mean-teacher each of the two is trained with Mean Teacher as well.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "fine_tune", args_override_self = true)]
pub struct Cli {
    /// A folder with IDX files, or with images in `train/<class>/`, `test/<class>/` and optionally `train/unlabeled/`
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Start from a run folder of `moco` or `mean_teacher`, or a safetensors file with --arch, instead of pre-training
    #[arg(long, value_name = "DIR|FILE")]
    pub from: Option<PathBuf>,
    /// The views whose fixed part (resizing, normalisation) the encoder of --from is used to; needed for a bare file of
    /// colour images [default: the run's; `fashion` for a bare file of grey images]
    #[arg(long, value_name = "PRESET", requires = "from")]
    pub views: Option<String>,
    /// Train with Mean Teacher too, from both starts
    #[arg(long)]
    pub mean_teacher: bool,
    /// Which labels to use: a number in all, `all`, or a file of `image label` lines [default: 100]
    #[arg(long, value_name = "N|all|FILE")]
    pub labels: Option<Labels>,
    /// The encoder [default: small, or that of --from]
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Passes over the training images in pre-training [default: 20]
    #[arg(long, value_name = "EPOCHS", conflicts_with = "from")]
    pub pretrain_epochs: Option<f64>,
    /// Images in a batch of pre-training [default: 128]
    #[arg(long, value_name = "N", conflicts_with = "from")]
    pub pretrain_batch: Option<usize>,
    /// Keys in MoCo's queue [default: 4096]
    #[arg(long, value_name = "K", conflicts_with = "from")]
    pub queue: Option<usize>,
    /// Neighbours that vote when the pre-trained encoder is scored [default: 200]
    #[arg(long, value_name = "K", conflicts_with = "from")]
    pub knn: Option<usize>,
    /// Passes over the unlabelled images in training with labels [default: 10]
    #[arg(long)]
    pub epochs: Option<f64>,
    /// Images in a batch of it [default: 64]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Labelled images among them [default: 16]
    #[arg(long, value_name = "N")]
    pub labeled_batch: Option<usize>,
    /// Its learning rate at full strength, from both starts [default: 0.003]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Seed of every random choice [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// cpu, or a backend built in, such as cuda:0, vulkan, metal, wgpu [default: cpu]
    #[arg(long)]
    pub device: Option<String>,
    /// Convolutions as other frameworks compute them, without Winograd's way: to compare digit by digit, slower
    #[arg(long)]
    pub exact: bool,
    /// Where to write the run, if not to `runs/fine-tune-<time>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped, with its settings
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "data", "from", "views", "mean_teacher", "labels", "arch", "pretrain_epochs", "pretrain_batch", "queue", "knn",
        "epochs", "batch", "labeled_batch", "lr", "seed", "device", "exact", "out",
    ])]
    pub resume: Option<PathBuf>,
    /// Progress as plain lines even on a terminal
    #[arg(long)]
    pub plain: bool,
}

impl Cli {
    /// The recipe for a new run, before it has seen the images.
    ///
    /// # Errors
    /// For settings out of range and a checkpoint that cannot be read.
    pub fn recipe(&self) -> Result<Recipe> {
        let (start, start_sha256, arch) = match &self.from {
            Some(path) => {
                let path = std::path::absolute(path)?;
                let Checkpointed { arch, sha256, .. } = Checkpointed::read(&path, false, self.arch)?;
                (Start::From(path), Some(sha256), Some(arch))
            }
            None => (Start::Moco(Box::new(self.pretraining().recipe()?)), None, self.arch),
        };
        let method = if self.mean_teacher { Method::MeanTeacher } else { Method::Supervised };
        let tuning = cli::Cli {
            data: self.data.clone(),
            labels: self.labels.clone(),
            arch,
            method: Some(method),
            epochs: self.epochs,
            batch: self.batch,
            labeled_batch: self.labeled_batch,
            lr: self.lr,
            seed: self.seed,
            device: self.device.clone(),
            exact: self.exact,
            ..cli::Cli::default()
        };
        Ok(Recipe { start, start_sha256, tuning: tuning.recipe()? })
    }

    fn pretraining(&self) -> moco::Cli {
        moco::Cli {
            data: self.data.clone(),
            arch: self.arch,
            epochs: self.pretrain_epochs,
            batch: self.pretrain_batch,
            queue: self.queue,
            knn: self.knn,
            seed: self.seed,
            device: self.device.clone(),
            exact: self.exact,
            ..moco::Cli::default()
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the data or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    let (folder, recipe, data) = match &cli.resume {
        Some(path) => {
            let (folder, recipe): (_, Recipe) = RunFolder::open(path)?;
            let data = data::load(&recipe.tuning.data)?;
            folder.check_same(&recipe, &recipe.tuning.data, &data.fingerprint()?)?;
            recipe.check(&data)?;
            (folder, recipe, data)
        }
        None => {
            let mut recipe = cli.recipe()?;
            let out = cli.out.clone().unwrap_or_else(|| default_folder("fine-tune"));
            RunFolder::check_free(&out).map_err(in_flags)?;
            let data = data::load(&recipe.tuning.data)?;
            device::parse(&recipe.tuning.device)?;
            recipe.fit(cli.views.as_deref(), &data)?;
            Plan::new(&recipe.tuning, &data)?;
            recipe.check(&data)?;
            (RunFolder::create(&out, &recipe, &data.fingerprint()?)?, recipe, data)
        }
    };
    let summary: Summary = recipe.run(&data, &folder, cli.plain)?;
    folder.write_summary(&summary)?;
    println!("\n{summary}");
    println!("{}", folder.path().display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("fine_tune").chain(flags.iter().copied()))
    }

    #[test]
    fn both_parts_have_their_programs_defaults() {
        let recipe = parse(&[]).expect("no flags").recipe().expect("valid");
        assert_eq!(recipe.start, Start::Moco(Box::new(moco::fashion())));
        let supervised = crate::recipe::Recipe { method: Method::Supervised, ..crate::recipe::fashion() };
        assert_eq!(recipe.tuning, supervised);
        let recipe = parse(&["--mean-teacher"]).expect("a flag").recipe().expect("valid");
        assert_eq!(recipe.tuning, crate::recipe::fashion());
    }

    #[test]
    fn flags_reach_the_part_they_name() {
        let flags = ["--pretrain-epochs=3", "--epochs=2", "--seed=7", "--lr=0.1", "--queue=512"];
        let recipe = parse(&flags).expect("flags").recipe().expect("valid");
        let Start::Moco(pretraining) = recipe.start else { panic!("it pre-trains") };
        assert_eq!((pretraining.queue, pretraining.seed), (512, 7));
        assert_eq!(pretraining.length, slowburn_ema::Length::Epochs(3.0));
        assert_eq!(recipe.tuning.length, slowburn_ema::Length::Epochs(2.0));
        assert_eq!((recipe.tuning.optimizer.schedule.learning_rate, recipe.tuning.seed), (0.1, 7));
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for flags in [["--resume=a", "--seed=1"], ["--from=a", "--queue=64"], ["--from=a", "--pretrain-epochs=1"]] {
            assert!(parse(&flags).is_err(), "{flags:?}");
        }
        assert!(parse(&["--views=moco_cifar"]).is_err(), "what is pre-trained here has views of its own");
    }
}
