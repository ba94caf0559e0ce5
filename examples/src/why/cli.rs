use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

use super::train::{GRID, Problem};
use super::{Idea, Moons, Outcome, Recipe, Row, Summary, train};
use slowburn::advice::in_flags;
use slowburn::cli::set;
use slowburn::device;
use slowburn::recipe::seeds;
use slowburn::report::{Region, Regions, draw_regions};
use slowburn_train::run::{RunFolder, default_folder};

/// Unlabelled points in a panel: more of them would hide what is under them.
const SHOWN: usize = 300;

/// Draw why a student should agree with an averaged teacher: five trainings of a small network on two moons, each
/// with one idea more than the one before.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "why_consistency", args_override_self = true)]
pub struct Cli {
    /// How many seeds; the panels show the first [default: 20]
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// The first seed [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Points to learn from [default: 1000]
    #[arg(long, value_name = "N")]
    pub points: Option<usize>,
    /// Points among them that have a label [default: 12]
    #[arg(long, value_name = "N")]
    pub labels: Option<usize>,
    /// Standard deviation of the points around their half circle [default: 0.2]
    #[arg(long, value_name = "STD")]
    pub spread: Option<f32>,
    /// Standard deviation of the noise on inputs [default: 0.15]
    #[arg(long, value_name = "STD")]
    pub noise: Option<f32>,
    /// Points in a batch, where unlabelled ones take part [default: 32]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Optimizer steps of each training [default: 2000]
    #[arg(long)]
    pub steps: Option<u64>,
    /// Adam's learning rate [default: 0.03]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// The consistency cost's weight at full strength [default: 30]
    #[arg(long)]
    pub weight: Option<f64>,
    /// The average's decay, after its warm-up [default: 0.98]
    #[arg(long)]
    pub decay: Option<f64>,
    /// cpu, or a backend built in, such as cuda:0, vulkan, metal, wgpu [default: cpu]
    #[arg(long)]
    pub device: Option<String>,
    /// Where to write settings, scores and picture, if not to `runs/why_consistency-<time>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl Cli {
    fn recipe(&self) -> Result<Recipe> {
        let mut recipe = Recipe::default();
        set(&mut recipe.seeds, &self.seeds);
        set(&mut recipe.seed, &self.seed);
        set(&mut recipe.points, &self.points);
        set(&mut recipe.labels, &self.labels);
        set(&mut recipe.spread, &self.spread);
        set(&mut recipe.noise, &self.noise);
        set(&mut recipe.batch, &self.batch);
        set(&mut recipe.steps, &self.steps);
        set(&mut recipe.learning_rate, &self.learning_rate);
        set(&mut recipe.weight, &self.weight);
        set(&mut recipe.decay, &self.decay);
        recipe.validate()?;
        Ok(recipe)
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag or a file; before anything is written, where it can be known then.
pub fn run(cli: &Cli) -> Result<()> {
    let recipe = cli.recipe()?;
    let device = device::parse(cli.device.as_deref().unwrap_or("cpu"))?.autodiff();
    let out = cli.out.clone().unwrap_or_else(|| default_folder("why_consistency"));
    let seeds = seeds(recipe.seed, recipe.seeds)?;
    let folder = RunFolder::create(&out, &recipe, "two moons, drawn from the seed").map_err(in_flags)?;

    let started = Instant::now();
    let problem = Problem::new(&recipe, recipe.seed)?;
    let (mut rows, mut regions) = (Vec::new(), Vec::new());
    for idea in Idea::ALL {
        let mut accuracy = Vec::new();
        for &seed in &seeds {
            let outcome = train(idea, &recipe, &Problem::new(&recipe, seed)?, seed, &device)?;
            println!("{}, seed {seed}: {:.2} %", idea.title(), 100.0 * outcome.accuracy);
            accuracy.push(outcome.accuracy);
            if seed == recipe.seed {
                regions.push(region(idea, outcome, &problem));
            }
        }
        rows.push(Row { idea, accuracy });
    }
    let summary = Summary { seeds, rows, train_seconds: started.elapsed().as_secs_f64() };
    let scores = summary.rows.iter().map(|row| row.accuracy.clone()).collect();
    draw_regions(&Regions { regions, scores, range: Moons::RANGE, grid: GRID }, folder.path())?;
    folder.write_summary(&summary)?;
    println!("\n{summary}");
    println!("{}", folder.path().display());
    Ok(())
}

fn region(idea: Idea, outcome: Outcome, problem: &Problem) -> Region {
    let Moons { points, labels } = &problem.moons;
    Region {
        title: idea.title(),
        accuracy: outcome.accuracy,
        field: outcome.field,
        labeled: problem.labeled.iter().map(|&point| (points[point], labels[point])).collect(),
        unlabeled: if idea.unlabeled() { points.iter().copied().take(SHOWN).collect() } else { Vec::new() },
    }
}
