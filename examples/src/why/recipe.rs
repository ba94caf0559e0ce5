use anyhow::ensure;
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_semi::{CostReduction, Objective, Ramp};

/// What a training has that the one before it has not (arXiv 1703.01780, figure 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idea {
    /// The labelled points and nothing else.
    Labels,
    /// Noise on the labelled inputs.
    NoisyInputs,
    /// Agreement with the network's own prediction for unlabelled points, which are noisy to the student only.
    Consistency,
    /// Noise on the points that the targets are for, too.
    NoisyTargets,
    /// Targets from the average of the student's weights.
    AveragedTeacher,
}

impl Idea {
    /// All, each with what the one before it has.
    pub const ALL: [Self; 5] =
        [Self::Labels, Self::NoisyInputs, Self::Consistency, Self::NoisyTargets, Self::AveragedTeacher];

    /// What it is called in the picture.
    pub fn title(self) -> &'static str {
        match self {
            Self::Labels => "labels only",
            Self::NoisyInputs => "noise on labelled inputs",
            Self::Consistency => "consistency on unlabelled points",
            Self::NoisyTargets => "noise on targets too",
            Self::AveragedTeacher => "the averaged teacher",
        }
    }

    /// Whether points without a label take part.
    pub fn unlabeled(self) -> bool {
        !matches!(self, Self::Labels | Self::NoisyInputs)
    }
}

/// Everything that decides how the trainings end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The first seed: of points, labels, weights and noise.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Points to learn from.
    pub points: usize,
    /// Points among them that have a label.
    pub labels: usize,
    /// Standard deviation of the points around their half circle.
    pub spread: f32,
    /// Standard deviation of the noise on inputs.
    pub noise: f32,
    /// Units in each of the two hidden layers.
    pub hidden: usize,
    /// Points in a batch, where unlabelled ones take part.
    pub batch: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The consistency cost's weight at full strength.
    pub weight: f64,
    /// The share of the steps in which that weight rises.
    pub ramp_up: f64,
    /// The average's decay, after its warm-up.
    pub decay: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 0,
            seeds: 20,
            points: 1000,
            labels: 12,
            spread: 0.2,
            noise: 0.15,
            hidden: 64,
            batch: 32,
            steps: 2000,
            learning_rate: 0.03,
            weight: 30.0,
            ramp_up: 0.25,
            decay: 0.98,
        }
    }
}

impl Recipe {
    /// Checks every setting.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { seeds, points, labels, spread, noise, batch, steps, learning_rate, .. } = *self;
        ensure!((1..=1000).contains(&seeds), "--seeds is {seeds}: it must be in [1, 1000]");
        ensure!((4..=1_000_000).contains(&points), "--points is {points}: it must be in [4, 1000000]");
        ensure!(
            (2..points).contains(&labels),
            "--labels is {labels}: it must be at least 2 and below --points, {points}"
        );
        ensure!((0.0..=10.0).contains(&spread), "--spread is {spread}: it must be in [0, 10]");
        ensure!((0.0..=10.0).contains(&noise), "--noise is {noise}: it must be in [0, 10]");
        let range = labels + 1..=points;
        ensure!(
            range.contains(&batch),
            "--batch is {batch}: it must be above --labels, {labels}, and at most --points"
        );
        ensure!(steps >= 1, "--steps is {steps}: it must be at least 1");
        let range = "it must be above 0, at most 1";
        ensure!(learning_rate > 0.0 && learning_rate <= 1.0, "--learning-rate is {learning_rate}: {range}");
        self.objective().validate()?;
        self.average().decay.validate()?;
        Ok(())
    }

    /// The costs: both are means, over labelled points and over all.
    pub fn objective(&self) -> Objective {
        Objective {
            weight: self.weight,
            ramp_up: Ramp::SigmoidUp { length: (self.ramp_up * self.steps as f64) as u64 },
            class_reduction: CostReduction::Selected,
            ..Objective::default()
        }
    }

    /// How the teacher follows the student.
    pub fn average(&self) -> EmaConfig {
        EmaConfig::new(Decay::WarmUp { decay: self.decay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |change: &dyn Fn(&mut Recipe)| {
            let mut recipe = Recipe::default();
            change(&mut recipe);
            recipe.validate().expect_err("out of range").to_string()
        };
        Recipe::default().validate().expect("the defaults are in range");
        assert!(refused(&|recipe| recipe.labels = 1).contains("--labels"));
        assert!(refused(&|recipe| recipe.batch = 12).contains("--batch"));
        assert!(refused(&|recipe| recipe.noise = f32::NAN).contains("--noise"));
        assert!(refused(&|recipe| recipe.spread = -0.1).contains("--spread"));
        assert!(refused(&|recipe| recipe.learning_rate = 0.0).contains("--learning-rate"));
        assert!(refused(&|recipe| recipe.weight = -1.0).contains("weight"));
        assert!(refused(&|recipe| recipe.decay = 2.0).contains("decay"));
    }
}
