//! Where the time of a full training step goes, and what a method costs beside the passes of its networks.
//!
//! Two kinds of steps take turns: the library's own, timed as a whole with the loader working ahead as in a training,
//! and one that does the same by public parts, each of them timed, with the batch made before it. Two networks are taken
//! apart further: every kernel of their layers by itself.

mod batches;
mod clock;
#[cfg(feature = "flex")]
mod layers;
mod mean_teacher;
mod methods;
mod moco;
mod report;
mod sgd;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use slowburn_benches::backend::Backend;

use crate::measure;
use crate::settings::Settings;
use report::Report;

#[derive(Args)]
pub(crate) struct Options {
    /// This backend, of those that were built in; the first without.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Images in a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Steps of either kind; medians over them count.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A small batch once, to see whether it works.
    #[arg(long)]
    quick: bool,
    /// Only parts whose name contains this: moco, mean_teacher, methods, sgd, layers/resnet18-cifar, layers/small.
    #[arg(long, default_value = "")]
    only: String,
    /// Also write the parts as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// What was measured.
#[derive(Default, Serialize)]
struct Profile {
    steps: Vec<Report>,
    methods: Vec<methods::Row>,
    #[cfg(feature = "flex")]
    layers: Vec<layers::Table>,
}

/// Profiles two methods part by part, the others as a whole, the optimizer that neither uses, and the layers of two networks.
pub(crate) fn run(options: &Options) -> Result<()> {
    options.settings.apply()?;
    let backend = measure::backend(options.backend.as_deref())?;
    let (batch, rounds) = if options.quick { (8, 1) } else { (options.batch, options.rounds) };
    println!("{}; medians of {rounds} steps", measure::machine(&backend)?);
    measure::warn_of_load();
    let (device, wanted) = (&backend.device, |name: &str| name.contains(&options.only));
    let mut profile = Profile::default();
    type OfMethod = fn(usize, u32, &burn::tensor::Device) -> Result<Report>;
    let methods: [(&str, OfMethod); 2] = [("moco", moco::profile), ("mean_teacher", mean_teacher::profile)];
    for (_, of_method) in methods.into_iter().filter(|(name, _)| wanted(name)) {
        let report = of_method(batch, rounds, device)?;
        println!("\n{}", report.text());
        profile.steps.push(report);
    }
    if wanted("sgd") {
        println!("\n{}", sgd::profile(rounds, device)?);
    }
    profile.take_layers(&backend, batch, rounds, wanted)?;
    // Behind the layers, whose step is to take memory as in a training: these leave much of it with the process.
    if wanted("methods") {
        profile.methods = methods::profile(batch, rounds, device)?;
        println!("\n{}", methods::text(&profile.methods, batch));
    }
    match &options.json {
        Some(path) => {
            std::fs::write(path, serde_json::to_string_pretty(&profile)?).with_context(|| path.display().to_string())
        }
        None => Ok(()),
    }
}

impl Profile {
    /// Of the networks that are wanted, on a backend that has the kernels.
    #[cfg(feature = "flex")]
    fn take_layers(
        &mut self,
        backend: &Backend,
        batch: usize,
        rounds: u32,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let networks = layers::NETWORKS.into_iter().filter(|network| wanted(&format!("layers/{}", network.name())));
        let networks: Vec<_> = networks.collect();
        if networks.is_empty() || crate::settings::kernels(&backend.device).is_none() {
            return Ok(());
        }
        let peaks = layers::Peaks::measure(rounds)?;
        println!("\nthe machine {}", peaks.text());
        for network in networks {
            let table = layers::profile(network, batch, rounds, backend, &peaks)?;
            println!("\n{}", table.text());
            self.layers.push(table);
        }
        Ok(())
    }

    #[cfg(not(feature = "flex"))]
    fn take_layers(&mut self, _: &Backend, _: usize, _: u32, _: impl Fn(&str) -> bool) -> Result<()> {
        Ok(())
    }
}
