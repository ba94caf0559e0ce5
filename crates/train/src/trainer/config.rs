use std::time::Duration;

use serde::{Deserialize, Serialize};
use slowburn_ema::Length;

use super::{OptimizerConfig, TrainError};

/// How long to train, in what batches, with which optimizer: the settings of a [`Trainer`](super::Trainer).
///
/// What is `None` is chosen for the number of images, see [`for_images`](Self::for_images).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `length` | by images | how long to train | > 0 |
/// | `time` | none | seconds to train for, in place of a length | > 0 |
/// | `batch` | by images | images in a batch | ≥ 1 |
/// | `seed` | 0 | of batches, views, dropout and noise | |
/// | `optimizer` | Adam, 3e-3, cosine | update rule and learning rate | |
/// | `patience` | none | epochs without a better score after which training stops | ≥ 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerConfig {
    /// How long to train, in epochs or steps.
    pub length: Option<Length>,
    /// How long to train, in seconds, evaluation included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
    /// Images in a batch.
    pub batch: Option<usize>,
    /// Seed of every random choice but the network's weights at the start.
    pub seed: u64,
    /// How weights are moved.
    pub optimizer: OptimizerConfig,
    /// Epochs without a better [score](crate::Task::score) after which training stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig::adam(3e-3);
        Self { length: None, time: None, batch: None, seed: 0, optimizer, patience: None }
    }
}

/// The batch if there are images enough, and the fewest batches an epoch should have.
const BATCH: usize = 64;
const BATCHES: usize = 8;
/// Steps that a training should have, and the fewest and most epochs that are chosen for it.
const STEPS: usize = 3000;
const EPOCHS: [usize; 2] = [20, 200];

impl TrainerConfig {
    /// The same settings with batch and length chosen for this many images, where they are not given.
    ///
    /// A batch of 64, or as many as leave 8 batches an epoch, at least 2; as many epochs as make 3,000 steps, between 20 and
    /// 200.
    pub fn for_images(&self, images: usize) -> Self {
        let batch = self.batch.unwrap_or_else(|| (images / BATCHES).clamp(2, BATCH));
        let per_epoch = (images / batch.max(1)).max(1);
        let epochs = (STEPS / per_epoch).clamp(EPOCHS[0], EPOCHS[1]);
        let length = self.length.unwrap_or(Length::Epochs(epochs as f64));
        let length = (self.time.is_none() || self.length.is_some()).then_some(length);
        Self { batch: Some(batch), length, ..self.clone() }
    }

    /// Checks every setting that is given.
    ///
    /// # Errors
    /// [`TrainError::Setting`], which names the setting, or those of the optimizer.
    pub fn validate(&self) -> Result<(), TrainError> {
        let wrong = |field, value: String, range: &str| TrainError::Setting { field, value, range: range.to_owned() };
        match self.length {
            Some(Length::Steps(0)) => return Err(wrong("length", "0 steps".to_owned(), "at least 1")),
            Some(Length::Epochs(epochs)) if !(epochs > 0.0 && epochs.is_finite()) => {
                return Err(wrong("epochs", epochs.to_string(), "positive and finite"));
            }
            Some(Length::Share(_)) => return Err(wrong("length", "a share".to_owned(), "in steps or epochs")),
            _ => {}
        }
        if self.batch == Some(0) {
            return Err(wrong("batch", "0".to_owned(), "at least 1"));
        }
        if self.patience == Some(0) {
            return Err(wrong("patience", "0".to_owned(), "at least 1"));
        }
        if let Some(time) = self.time {
            if Duration::try_from_secs_f64(time).is_err() || time == 0.0 {
                return Err(wrong("time", time.to_string(), "positive and finite, in seconds"));
            }
            if self.length.is_some() {
                return Err(wrong("time", time.to_string(), "left out where a length is given"));
            }
        }
        self.optimizer.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_chosen_for_the_images() {
        for (images, batch, epochs) in [(2, 2, 200.0), (60, 7, 200.0), (1000, 64, 200.0), (10_000, 64, 20.0)] {
            let chosen = TrainerConfig::default().for_images(images);
            assert_eq!((chosen.batch, chosen.length), (Some(batch), Some(Length::Epochs(epochs))), "{images}");
        }
        let given = TrainerConfig { batch: Some(5), length: Some(Length::Steps(3)), ..TrainerConfig::default() };
        assert_eq!(given.for_images(10_000), given);
        let timed = TrainerConfig { time: Some(60.0), ..TrainerConfig::default() };
        assert_eq!(timed.for_images(10_000).length, None);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let good = TrainerConfig::default;
        let spared = OptimizerConfig { decay_norm_and_bias: true, ..OptimizerConfig::lars(0.1) };
        OptimizerConfig::lars(0.1).validate().expect("fine");
        for (config, name) in [
            (TrainerConfig { batch: Some(0), ..good() }, "batch"),
            (TrainerConfig { length: Some(Length::Steps(0)), ..good() }, "length"),
            (TrainerConfig { length: Some(Length::Epochs(f64::NAN)), ..good() }, "epochs"),
            (TrainerConfig { length: Some(Length::Share(0.5)), ..good() }, "length"),
            (TrainerConfig { patience: Some(0), ..good() }, "patience"),
            (TrainerConfig { time: Some(-1.0), ..good() }, "time"),
            (TrainerConfig { time: Some(1.0), length: Some(Length::Steps(1)), ..good() }, "time"),
            (TrainerConfig { optimizer: OptimizerConfig::adam(0.0), ..good() }, "learning_rate"),
            (TrainerConfig { optimizer: spared, ..good() }, "decay_norm_and_bias"),
        ] {
            let error = config.validate().expect_err(name).to_string();
            assert!(error.starts_with(name), "{error}");
        }
        good().validate().expect("fine");
    }
}
