//! The settings of `ablation`, which are the lines of its table; what is finished is not run again.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use slowburn_models::HeadVersion;
use slowburn_train::data::{Dataset, labeled};
use slowburn_train::defaults::{self, PretrainDefaults};
use slowburn_train::run::write_atomically;

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Keys in the queue: "large".
    Queue,
    /// The average's decay: "consistent".
    Decay,
    /// Split batch normalisation and shuffled keys.
    Statistics,
    /// Head, temperature, fall of the learning rate and views of v1 and v2.
    Version,
    /// Where keys come from.
    Method,
}

/// Where keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// From nowhere: random weights, which learn nothing.
    Random,
    /// A queue of keys of an average of the encoder.
    Moco,
    /// The other images of the batch.
    EndToEnd,
    /// One remembered embedding of each image.
    MemoryBank,
}

/// Everything that differs between two runs beside the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Where keys come from.
    pub method: Method,
    /// Which of the papers: head, temperature, fall of the learning rate, views.
    pub version: HeadVersion,
    /// Keys in the queue, or negatives drawn from the memory bank.
    pub queue: usize,
    /// The weight of the old value in the average of weights, or in a slot of the memory bank.
    pub decay: f64,
    /// Parts of a batch with batch statistics of their own.
    pub splits: usize,
    /// Whether keys are encoded in another order than queries.
    pub shuffle: bool,
    /// Passes over the images.
    pub epochs: f64,
    /// Images in a batch.
    pub batch: usize,
    /// Neighbours that vote.
    pub neighbours: usize,
}

impl Setting {
    /// MoCo v2 as it is for so many images, in so many epochs if they are given.
    pub fn base(data: &Dataset, epochs: Option<f64>) -> Self {
        let chosen = defaults::pretrain(data.train.len(), labeled(&data.train.labels).len());
        let PretrainDefaults { batch, splits, queue, k: neighbours, epochs: by_images } = chosen;
        // A third of the program's passes: the table compares settings, and was measured with so many.
        let epochs = epochs.unwrap_or((f64::from(by_images) / 3.0).ceil());
        let (method, version) = (Method::Moco, HeadVersion::V2);
        Self { method, version, queue, decay: 0.99, splits, shuffle: true, epochs, batch, neighbours }
    }

    /// A name for the folder of its runs: another one for every other setting, but for epochs and batch.
    pub fn folder(&self) -> String {
        let &Self { queue, decay, splits, shuffle, .. } = self;
        let (method, version) = (format!("{:?}", self.method), format!("{:?}", self.version));
        let order = if shuffle { "shuffled" } else { "in-order" };
        format!("{method}-{version}-queue{queue}-decay{decay}-splits{splits}-{order}").to_lowercase()
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What is varied.
    pub group: &'static str,
    /// The value that it has here; the base says that it is the default.
    pub name: String,
    /// The value, where it is a number.
    pub value: Option<f64>,
    /// The setting.
    pub setting: Setting,
}

/// Random weights, and then the settings of these groups, for a number of images.
pub fn grid(groups: &[Group], base: &Setting, images: usize) -> Vec<Line> {
    let random = Setting { method: Method::Random, ..base.clone() };
    let random = Line { group: "random weights", name: String::new(), value: None, setting: random };
    let lines = groups.iter().flat_map(|group| match group {
        Group::Queue => queue(base, images),
        Group::Decay => [0.0, 0.9, 0.99, 0.999, 0.9999]
            .map(|decay| line("decay", decay.to_string(), Some(decay), Setting { decay, ..base.clone() }, base))
            .into(),
        Group::Statistics => [
            ("split, shuffled", base.splits, true),
            ("split, not shuffled", base.splits, false),
            ("whole batch", 1, false),
        ]
        .map(|(name, splits, shuffle)| {
            line("statistics", name, None, Setting { splits, shuffle, ..base.clone() }, base)
        })
        .into(),
        Group::Version => [("v1", HeadVersion::V1), ("v2", HeadVersion::V2)]
            .map(|(name, version)| line("version", name, None, Setting { version, ..base.clone() }, base))
            .into(),
        Group::Method => [
            ("MoCo", Method::Moco, base.decay),
            ("end-to-end", Method::EndToEnd, base.decay),
            ("memory bank", Method::MemoryBank, 0.5), // of a slot (arXiv 1805.01978), not of weights
        ]
        .map(|(name, method, decay)| line("method", name, None, Setting { method, decay, ..base.clone() }, base))
        .into(),
    });
    std::iter::once(random).chain(lines).collect()
}

/// Queues from one batch to all keys that so many images allow, in steps of 4.
fn queue(base: &Setting, images: usize) -> Vec<Line> {
    let sizes = std::iter::successors(Some(base.batch), |size| size.checked_mul(4));
    let sizes = sizes.take_while(|size| size.saturating_add(base.batch) <= images);
    let mut sizes: Vec<usize> = sizes.chain([base.queue]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let setting = |queue| Setting { queue, ..base.clone() };
    sizes.into_iter().map(|size| line("queue", size.to_string(), Some(size as f64), setting(size), base)).collect()
}

fn line(group: &'static str, name: impl Into<String>, value: Option<f64>, setting: Setting, base: &Setting) -> Line {
    let default = if setting == *base { " (default)" } else { "" };
    Line { group, name: name.into() + default, value, setting }
}

/// What a run leaves behind when it is over.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    setting: Setting,
    data_sha256: String,
    scores: [f64; 2],
}

/// The scores of a run: those in its folder where it is finished, else what `run` makes.
///
/// # Errors
/// Those of `run` and of files, and for a folder that holds scores of another setting or of other images.
pub fn once(
    folder: &Path,
    setting: &Setting,
    data: &Dataset,
    run: impl FnOnce() -> Result<[f64; 2]>,
) -> Result<[f64; 2]> {
    let (file, data_sha256) = (folder.join("scores.json"), data.fingerprint()?);
    if file.exists() {
        let held = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let held: Finished = serde_json::from_slice(&held).with_context(|| file.display().to_string())?;
        let same = held.setting == *setting && held.data_sha256 == data_sha256;
        ensure!(same, "{} is of other epochs or images: give another --out", folder.display());
        return Ok(held.scores);
    }
    let scores = run()?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let finished = Finished { setting: setting.clone(), data_sha256, scores };
    write_atomically(&file, &serde_json::to_vec_pretty(&finished)?).with_context(|| file.display().to_string())?;
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use slowburn_train::data::Dataset;

    use super::*;
    use crate::FASHION_MNIST;

    fn base() -> (Dataset, Setting) {
        let data = Dataset::load(FASHION_MNIST).expect("the shipped images");
        let base = Setting::base(&data, None);
        (data, base)
    }

    #[test]
    fn the_base_is_the_recipe_of_the_results() {
        let expected = Setting {
            method: Method::Moco,
            version: HeadVersion::V2,
            queue: 4096,
            decay: 0.99,
            splits: 8,
            shuffle: true,
            epochs: 20.0,
            batch: 128,
            neighbours: 200,
        };
        assert_eq!(base().1, expected);
        assert_eq!(expected.folder(), "moco-v2-queue4096-decay0.99-splits8-shuffled");
    }

    #[test]
    fn every_group_has_the_default_once_and_every_setting_a_folder_of_its_own() {
        let base = base().1;
        let lines = grid(Group::value_variants(), &base, 10_000);
        assert_eq!(lines.len(), 1 + 18);
        assert_eq!(lines[0].setting.method, Method::Random);
        for group in ["queue", "decay", "statistics", "version", "method"] {
            let defaults = lines.iter().filter(|line| line.group == group && line.name.ends_with(" (default)"));
            assert!(defaults.map(|line| &line.setting).eq([&base]), "{group}");
        }
        for (place, one) in lines.iter().enumerate() {
            for other in &lines[..place] {
                assert_eq!(one.setting == other.setting, one.setting.folder() == other.setting.folder());
            }
        }
    }

    #[test]
    fn queues_go_from_one_batch_to_what_the_images_allow() {
        let base = base().1;
        let sizes = |images| -> Vec<usize> { queue(&base, images).iter().map(|line| line.setting.queue).collect() };
        assert_eq!(sizes(10_000), [128, 512, 2048, 4096, 8192]);
        assert_eq!(sizes(8320), [128, 512, 2048, 4096, 8192]);
        assert_eq!(sizes(8319), [128, 512, 2048, 4096]);
    }

    #[test]
    fn one_thing_is_changed_at_a_time() {
        let base = base().1;
        let fields = |setting: &Setting| serde_json::to_value(setting).expect("JSON");
        let changed = |line: &Line| {
            let (is, was) = (fields(&line.setting), fields(&base));
            let names = is.as_object().expect("fields").keys().filter(|key| is[*key] != was[*key]);
            names.cloned().collect::<Vec<_>>().join(" ")
        };
        let all = |group| grid(&[group], &base, 10_000)[1..].iter().map(changed).collect::<Vec<_>>();
        assert_eq!(all(Group::Decay), ["decay", "decay", "", "decay", "decay"]);
        assert_eq!(all(Group::Statistics), ["", "shuffle", "shuffle splits"]);
        assert_eq!(all(Group::Version), ["version", ""]);
        assert_eq!(all(Group::Method), ["", "method", "decay method"], "a slot's decay is another thing");
    }

    #[test]
    fn what_is_finished_is_not_run_again_and_another_setting_is_refused() {
        let (data, base) = base();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let failed = once(&run, &base, &data, || anyhow::bail!("no luck"));
        assert!(failed.is_err() && !run.join("scores.json").exists());
        assert_eq!(once(&run, &base, &data, || Ok([0.1, 0.7])).expect("run"), [0.1, 0.7]);
        let again = once(&run, &base, &data, || panic!("it is finished"));
        assert_eq!(again.expect("read"), [0.1, 0.7]);
        let longer = Setting { epochs: 21.0, ..base };
        let error = once(&run, &longer, &data, || Ok([0.0; 2])).expect_err("of other epochs").to_string();
        assert!(error.contains("give another --out"), "{error}");
    }
}
