//! Why a student should agree with an averaged teacher: five trainings of a small network on two moons (`src/moons.rs`), each
//! with one idea more than the one before (after figure 1 of arXiv 1703.01780). docs/why_consistency.md discusses what comes out.
//!
//! `cargo run --release -p slowburn-examples --example why_consistency` prints a table and draws a picture in
//! `runs/why_consistency-<time>`; `-- --help` lists what can be varied.

use anyhow::Result;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use clap::Parser;
use serde::Serialize;
use slowburn_ema::{Decay, EmaConfig};
use slowburn_examples::moons::{POINTS, Perceptron, Problem, Score};
use slowburn_examples::regions::draw;
use slowburn_examples::table::{Row, table};
use slowburn_semi::{
    CostReduction, MeanTeacherConfig, Mix, Objective, PiModelConfig, Ramp, Refused, SemiBatch, SemiSupervised,
    SupervisedConfig, Teacher, TwoStream,
};
use slowburn_train::run::{RunFolder, default_folder};

/// Draw why a student should agree with an averaged teacher.
#[derive(Debug, Parser, Serialize)]
struct Recipe {
    /// How many seeds: of points, labels, weights and noise. The panels show seed 0
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Points among the thousand that have a label
    #[arg(long, default_value_t = 12)]
    labels: usize,
    /// Standard deviation of the points around their half circle
    #[arg(long, default_value_t = 0.2)]
    spread: f32,
    /// Standard deviation of the noise on inputs
    #[arg(long, default_value_t = 0.15)]
    noise: f32,
    /// Points in a batch, labelled ones included
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Optimizer steps of each training
    #[arg(long, default_value_t = 2000)]
    steps: u64,
    /// Adam's learning rate
    #[arg(long, default_value_t = 0.03)]
    learning_rate: f64,
    /// The consistency cost's weight at full strength
    #[arg(long, default_value_t = 30.0)]
    weight: f64,
    /// The average's decay, after its warm-up
    #[arg(long, default_value_t = 0.98)]
    decay: f64,
}

/// What a training has that the one before it has not: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Idea {
    Labels,
    NoisyInputs,
    /// Agreement with its own prediction for points without a label, which are noisy to the student only.
    Consistency,
    NoisyTargets,
    /// Targets from the average of the student's weights.
    AveragedTeacher,
}

const IDEAS: [(Idea, &str); 5] = [
    (Idea::Labels, "labels only"),
    (Idea::NoisyInputs, "noise on labelled inputs"),
    (Idea::Consistency, "consistency on unlabelled points"),
    (Idea::NoisyTargets, "noise on targets too"),
    (Idea::AveragedTeacher, "the averaged teacher"),
];

type Method<T> = SemiSupervised<Perceptron, T>;

fn main() -> Result<()> {
    let recipe = Recipe::parse();
    let device = Device::flex().autodiff();
    let mut rows = IDEAS.map(|(_, title)| Row::new("two moons", title, 1));
    let mut regions = Vec::new();
    for seed in 0..recipe.seeds {
        // Points, labels, first weights and learning rate of a seed are the same for all ideas.
        let problem = Problem::new(recipe.spread, recipe.labels, seed, &device)?;
        for ((idea, title), row) in IDEAS.into_iter().zip(&mut rows) {
            let score = recipe.train(idea, &problem)?;
            row.scores[0].push(score.0);
            if seed == 0 {
                regions.push(problem.region(title, score, idea >= Idea::Consistency));
            }
        }
    }
    let folder = RunFolder::create(&default_folder("why_consistency"), &recipe, "two moons, drawn from the seed")?;
    let scores: Vec<_> = rows.iter().map(|row| row.scores[0].clone()).collect();
    draw(&regions, &scores, &folder.file("why_consistency.svg"))?;
    folder.write_summary(&rows.to_vec())?;
    let table = table(&["new points"], &rows);
    println!("accuracy, {} seeds, mean ± standard deviation\n{table}{}", recipe.seeds, folder.path().display());
    Ok(())
}

impl Recipe {
    /// Trains as `idea` says; the result is the teacher's where there is one, else the student's.
    fn train(&self, idea: Idea, problem: &Problem) -> Result<Score> {
        let student = Perceptron::new(&mut problem.random(0x0000_f125_7000), &problem.device);
        let objective = Objective {
            weight: self.weight,
            ramp_up: Ramp::SigmoidUp { length: self.steps / 4 },
            class_reduction: CostReduction::Selected, // a mean over labelled points; the other cost is one over all
            ..Objective::default()
        };
        if idea < Idea::Consistency {
            return self.learn(SupervisedConfig { objective }.init(student, &problem.device)?, idea, problem);
        }
        if idea < Idea::AveragedTeacher {
            // The target is a constant in all three trainings with one, so that only its source differs.
            let config = PiModelConfig { objective, gradient_to_target: false };
            return self.learn(config.init(student, &problem.device)?, idea, problem);
        }
        let average = EmaConfig::new(Decay::WarmUp { decay: self.decay });
        self.learn(MeanTeacherConfig { objective, average }.init(student, &problem.device)?, idea, problem)
    }

    fn learn<T: Teacher<Perceptron>>(&self, mut method: Method<T>, idea: Idea, problem: &Problem) -> Result<Score> {
        let mut optimizer = AdamConfig::new().init();
        let mut random = problem.random(0x0000_5e1f_c0de);
        let (labeled, mix) = (problem.labeled.clone(), Mix::Fixed { labeled: self.labels });
        let stream = match idea < Idea::Consistency {
            true => TwoStream::new(labeled, Vec::new(), self.labels, mix, problem.seed)?,
            false => TwoStream::new(labeled, (0..POINTS).collect(), self.batch, mix, problem.seed)?,
        };
        let student_noise = if idea < Idea::NoisyInputs { 0.0 } else { self.noise };
        let teacher_noise = if idea < Idea::NoisyTargets { 0.0 } else { self.noise };
        let batches = (0..).flat_map(|epoch| stream.epoch(epoch).collect::<Vec<_>>());
        for batch in batches.take(self.steps as usize) {
            let samples = batch.samples(); // labelled ones first
            let label = |place| (place < batch.labeled.len()).then_some(problem.moons.labels[samples[place]]);
            let batch = SemiBatch {
                labels: (0..samples.len()).map(label).collect(),
                student: problem.view(&samples, student_noise, &mut random),
                teacher: problem.view(&samples, teacher_noise, &mut random),
                samples,
            };
            let losses = method.losses(batch)?;
            let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
            method = method.optimize(&mut optimizer, self.learning_rate, gradients).map_err(Refused::into_error)?;
        }
        problem.score(|points| method.valid().predict_with_teacher(points).class)
    }
}
