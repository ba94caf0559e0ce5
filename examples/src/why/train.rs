use anyhow::Result;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use slowburn_semi::{
    MeanTeacherConfig, Mix, PiModelConfig, Refused, SemiBatch, SemiSupervised, SupervisedConfig, Teacher, TwoStream,
    choose_balanced,
};

use super::moons::normal;
use super::{Idea, Moons, Perceptron, Recipe};

/// Points that a trained network is scored on.
const TEST_POINTS: usize = 4000;

/// Columns and rows of the picture of what a network predicts.
pub(super) const GRID: [usize; 2] = [80, 56];

/// What came of one training.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The share of new points that are classified right.
    pub accuracy: f64,
    /// The probability of class 1 over [`Moons::RANGE`], row by row from the bottom.
    pub field: Vec<f32>,
}

/// What a training learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// All points, with labels that are mostly not used.
    pub moons: Moons,
    /// The points whose labels are used.
    pub labeled: Vec<usize>,
    test: Moons,
}

impl Problem {
    /// The points and labels of a seed.
    ///
    /// # Errors
    /// If there are more labels asked for than points.
    pub fn new(recipe: &Recipe, seed: u64) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let moons = Moons::draw(recipe.points, recipe.spread, &mut random);
        let test = Moons::draw(TEST_POINTS, recipe.spread, &mut random);
        let labels: Vec<_> = moons.labels.iter().copied().map(Some).collect();
        let labeled = choose_balanced(&labels, 2, recipe.labels, seed)?;
        Ok(Self { moons, labeled, test })
    }
}

/// Trains a network as `idea` says and scores it: the teacher where there is one, else the student.
///
/// The trainings of one seed differ by nothing but the idea: points, labels, first weights and learning rate are the
/// same.
///
/// # Errors
/// For settings out of range.
pub fn train(idea: Idea, recipe: &Recipe, problem: &Problem, seed: u64, device: &Device) -> Result<Outcome> {
    let student = Perceptron::new(recipe.hidden, &mut ChaCha8Rng::seed_from_u64(seed ^ 0x0000_f125_7000), device);
    let objective = recipe.objective();
    match idea {
        Idea::Labels | Idea::NoisyInputs => {
            learn(SupervisedConfig { objective }.init(student, device)?, idea, recipe, problem, seed, device)
        }
        Idea::Consistency | Idea::NoisyTargets => {
            // The target is a constant in all three trainings with one, so that only its source differs.
            let config = PiModelConfig { objective, gradient_to_target: false };
            learn(config.init(student, device)?, idea, recipe, problem, seed, device)
        }
        Idea::AveragedTeacher => {
            let config = MeanTeacherConfig { objective, average: recipe.average() };
            learn(config.init(student, device)?, idea, recipe, problem, seed, device)
        }
    }
}

fn learn<T: Teacher<Perceptron>>(
    mut method: SemiSupervised<Perceptron, T>,
    idea: Idea,
    recipe: &Recipe,
    problem: &Problem,
    seed: u64,
    device: &Device,
) -> Result<Outcome> {
    let mut optimizer = AdamConfig::new().init();
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x0000_5e1f_c0de);
    let labeled = problem.labeled.clone();
    let labels = labeled.len();
    let stream = match idea.unlabeled() {
        true => {
            let all = (0..problem.moons.points.len()).collect();
            TwoStream::new(labeled, all, recipe.batch, Mix::Fixed { labeled: labels }, seed)?
        }
        false => TwoStream::new(labeled, Vec::new(), labels, Mix::Fixed { labeled: labels }, seed)?,
    };
    for batch in (0..).flat_map(|epoch| stream.epoch(epoch).collect::<Vec<_>>()).take(recipe.steps as usize) {
        let samples = batch.samples();
        let student = if idea == Idea::Labels { 0.0 } else { recipe.noise };
        let teacher = if matches!(idea, Idea::NoisyTargets | Idea::AveragedTeacher) { recipe.noise } else { 0.0 };
        let mut view = |noise| view(&problem.moons.points, &samples, noise, &mut random, device);
        let labels = samples
            .iter()
            .enumerate()
            .map(|(place, &sample)| (place < batch.labeled.len()).then_some(problem.moons.labels[sample]))
            .collect();
        let batch = SemiBatch { student: view(student), teacher: view(teacher), labels, samples: samples.clone() };
        let losses = method.losses(batch)?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        method = method.optimize(&mut optimizer, recipe.learning_rate, gradients).map_err(Refused::into_error)?;
    }
    let method = method.valid();
    let predict = |points: &[[f32; 2]]| {
        let logits = method.predict_with_teacher(tensor(points, &device.clone().without_autodiff())).class;
        probabilities(logits)
    };
    let right = predict(&problem.test.points)?
        .iter()
        .zip(&problem.test.labels)
        .filter(|(probability, label)| usize::from(**probability > 0.5) == **label)
        .count();
    Ok(Outcome { accuracy: right as f64 / TEST_POINTS as f64, field: predict(&grid())? })
}

/// Points with fresh noise.
fn view(points: &[[f32; 2]], samples: &[usize], noise: f32, random: &mut ChaCha8Rng, device: &Device) -> Tensor<2> {
    let noisy: Vec<_> =
        samples.iter().map(|&sample| points[sample].map(|place| place + noise * normal(random))).collect();
    tensor(&noisy, device)
}

fn tensor(points: &[[f32; 2]], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(points.as_flattened().to_vec(), [points.len(), 2]), device)
}

/// The probability of class 1.
fn probabilities(logits: Tensor<2>) -> Result<Vec<f32>> {
    let values = softmax(logits, 1).into_data().try_into_vec_as::<f32>();
    let values = values.map_err(|error| anyhow::anyhow!("the predictions cannot be read: {error:?}"))?;
    Ok(values.chunks_exact(2).map(|pair| pair[1]).collect())
}

/// The middles of the cells of the picture.
fn grid() -> Vec<[f32; 2]> {
    let middle = |axis: usize, cell: usize| {
        let [low, high] = Moons::RANGE[axis];
        low + (high - low) * (cell as f32 + 0.5) / GRID[axis] as f32
    };
    (0..GRID[1]).flat_map(|row| (0..GRID[0]).map(move |column| [middle(0, column), middle(1, row)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Recipe {
        Recipe { points: 200, steps: 60, ..Recipe::default() }
    }

    fn outcome(idea: Idea, recipe: &Recipe) -> Outcome {
        let problem = Problem::new(recipe, 3).expect("enough points");
        train(idea, recipe, &problem, 3, &Device::flex().autodiff()).expect("trained")
    }

    #[test]
    fn a_training_is_a_function_of_its_seed() {
        assert_eq!(outcome(Idea::AveragedTeacher, &small()), outcome(Idea::AveragedTeacher, &small()));
    }

    #[test]
    fn every_idea_changes_what_is_learned() {
        let outcomes = Idea::ALL.map(|idea| outcome(idea, &small()));
        for (place, one) in outcomes.iter().enumerate() {
            assert!(one.field.iter().all(|value| (0.0..=1.0).contains(value)));
            assert!(outcomes[..place].iter().all(|other| other.field != one.field), "{:?}", Idea::ALL[place]);
        }
    }

    #[test]
    fn without_noise_the_first_two_are_the_same() {
        let recipe = Recipe { noise: 0.0, ..small() };
        assert_eq!(outcome(Idea::Labels, &recipe), outcome(Idea::NoisyInputs, &recipe));
    }

    #[test]
    fn the_picture_covers_its_range() {
        let cells = grid();
        assert_eq!(cells.len(), GRID[0] * GRID[1]);
        assert!(cells[0][0] < cells[1][0] && cells[0][1] < cells[GRID[0]][1], "columns first, from the bottom");
    }
}
