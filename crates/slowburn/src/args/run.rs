use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

/// How long a command trains, from which seed, and where the run is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Training")]
pub struct Run {
    /// Passes over the images [default: by their number]
    #[arg(long)]
    pub epochs: Option<f64>,
    /// Train for about this long instead, such as 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "epochs")]
    pub time: Option<Duration>,
    /// Stop after so many epochs without a better score, and keep the best
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: Option<u64>,
    /// Images in a batch [default: by their number]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// The learning rate at full strength [default: the recipe's]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Seed of every random choice [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Convolutions as other frameworks compute them, without Winograd's way: to compare digit by digit, slower
    #[arg(long, hide_short_help = true)]
    pub exact: bool,
    /// Convolutions on numbers rounded to bf16, summed in f32: faster where the processor has Intel's AMX, no change elsewhere
    #[arg(long, hide_short_help = true, conflicts_with = "exact")]
    pub bf16: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub files: Files,
}

/// What a command that trains reads and writes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Run")]
pub struct Files {
    /// Where to write the run, if not to `runs/<method>-<time>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// A published recipe; `slowburn recipes` lists them
    #[arg(long, value_name = "NAME", alias = "preset")]
    pub recipe: Option<String>,
    /// Settings of a file of --write-config, whole or in part, or of a run's config.json
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Write all settings to a file, and stop
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub write_config: Option<PathBuf>,
    /// Print every setting and where it came from, and stop
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// Write TensorBoard's event files into the run, beside metrics.jsonl
    #[arg(long, hide_short_help = true)]
    pub tensorboard: bool,
    /// Progress on Burn's dashboard, on a terminal; `q` stops it
    #[arg(long, hide_short_help = true)]
    pub dashboard: bool,
    /// Progress as plain lines, which is the default
    #[arg(long, hide = true, conflicts_with = "dashboard")]
    pub plain: bool,
}

/// Help of commands with more flags than fit a screen.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(disable_help_flag = true, next_help_heading = "Help")]
pub struct HelpAll {
    /// The flags that most need
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Every flag, with what values mean
    #[arg(long, action = ArgAction::HelpLong)]
    help_all: Option<bool>,
}

/// A length of time: a number with `s`, `m` or `h`.
///
/// # Errors
/// With what is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` must be a positive number with s, m or h behind it, such as 90s, 30m or 1.5h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let length = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    if length.is_zero() { Err(wrong()) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "30", "m", "-1m", "0s", "NaNs", "1d", "1e400h", "3µ"] {
            assert!(duration(wrong).is_err_and(|said| said.contains("30m")), "{wrong}");
        }
    }
}
