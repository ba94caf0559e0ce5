use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use slowburn_augment::loader::{Exif, OnCorrupt};

/// Which images, and how their files are read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct Images {
    /// A folder of photos, `<class>/`, `train/<class>/` with `test/<class>/`, or IDX files [default: Fashion-MNIST]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Side in pixels at which the network sees photos [default: 64]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub size: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: ReadingFlags,
}

/// How files are read, as flags.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct ReadingFlags {
    /// Whether photos are turned as their camera noted (EXIF) [default: on; off for published recipes]
    #[arg(long, value_name = "on|off", hide_short_help = true, hide_possible_values = true)]
    pub exif: Option<Switch>,
    /// What happens to a file that cannot be decoded [default: skip; stop for published recipes]
    #[arg(long, value_name = "skip|stop", hide_short_help = true, hide_possible_values = true)]
    pub broken: Option<Broken>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// What happens to a file that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Broken {
    /// It is left out and counted.
    Skip,
    /// It is an error.
    Stop,
}

/// How files are read: part of a run's settings, since it decides which pixels a network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What becomes of a photo's orientation.
    pub exif: Exif,
    /// What happens to a file that cannot be decoded.
    pub broken: OnCorrupt,
}

impl Default for Reading {
    /// As torchvision reads files, which published recipes are compared with: what runs did before there was a choice.
    fn default() -> Self {
        Self { exif: Exif::Ignore, broken: OnCorrupt::Stop }
    }
}

impl Reading {
    /// One's own photos: turned as the camera noted, broken ones left out.
    pub const PHOTOS: Self = Self { exif: Exif::Apply, broken: OnCorrupt::Skip };
}

impl ReadingFlags {
    /// These flags on top of a reading.
    pub fn on(self, reading: Reading) -> Reading {
        let exif = self.exif.map(|exif| if exif == Switch::On { Exif::Apply } else { Exif::Ignore });
        let broken = self.broken.map(|broken| if broken == Broken::Skip { OnCorrupt::Skip } else { OnCorrupt::Stop });
        Reading { exif: exif.unwrap_or(reading.exif), broken: broken.unwrap_or(reading.broken) }
    }
}
