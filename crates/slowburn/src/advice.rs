//! What the library advises, in the words of the programs' flags.

use anyhow::anyhow;
use slowburn_ema::EmaError;
use slowburn_train::TrainError;
use slowburn_train::run::RunError;

/// The error, with the flags that help.
pub fn in_flags(error: impl Into<TrainError>) -> anyhow::Error {
    match error.into() {
        TrainError::Interrupted { folder } => anyhow!("stopped. Go on with --resume {}", folder.display()),
        TrainError::Run(RunError::Occupied { path }) => {
            let path = path.display();
            anyhow!("{path} already holds a run: choose another --out, or go on with it by --resume {path}")
        }
        TrainError::Run(RunError::NotEmpty { path }) => {
            anyhow!("{} is not empty: choose another --out", path.display())
        }
        TrainError::Schedule(EmaError::Setting { field: "learning_rate", value, range }) => {
            anyhow!("--lr is {value}: it must be {range}")
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_names_the_flag_that_goes_on() {
        let said = in_flags(TrainError::Interrupted { folder: "runs/a".into() }).to_string();
        assert_eq!(said, "stopped. Go on with --resume runs/a");
        let said = in_flags(RunError::Occupied { path: "runs/a".into() }).to_string();
        assert!(said.contains("another --out, or go on with it by --resume runs/a"), "{said}");
    }
}
