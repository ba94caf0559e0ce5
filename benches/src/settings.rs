//! How the layers' kernels compute, and PyTorch beside them.

use anyhow::Result;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use slowburn_layers::{Arithmetic, ComputePath, arithmetic, fast_path, has_bf16, set_arithmetic};

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Settings {
    /// The instruction set of both sides at most; without, the best that the processor has. It reaches the layers' kernels
    /// and PyTorch; Burn's own matrix products keep theirs, and so does InfoNCE, which is left out therefore.
    #[arg(long, value_enum, value_name = "SET")]
    isa: Option<InstructionSet>,
    /// Convolutions by their definition everywhere: none by fewer multiplications.
    #[arg(long)]
    exact: bool,
    /// Convolutions on numbers rounded to bf16, where the processor has a unit for it. PyTorch stays in f32.
    #[arg(long, conflicts_with = "exact")]
    bf16: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InstructionSet {
    Avx2,
}

impl Settings {
    /// From now on, for the whole process.
    pub(crate) fn apply(self) -> Result<()> {
        if let Some((_, arithmetic)) = self.arithmetic() {
            set_arithmetic(arithmetic);
        }
        match self.isa {
            Some(InstructionSet::Avx2) => limit_to_avx2(),
            None => Ok(()),
        }
    }

    /// What was asked for, where it is not the default, behind its option.
    fn arithmetic(self) -> Option<(&'static str, Arithmetic)> {
        match (self.exact, self.bf16) {
            (true, _) => Some(("--exact", Arithmetic::Exact)),
            (_, true) => Some(("--bf16", Arithmetic::Bf16)),
            _ => None,
        }
    }

    /// Whether instructions are limited.
    pub(crate) fn limits(self) -> bool {
        self.isa.is_some()
    }

    /// The options that ask another process of this program for the same.
    pub(crate) fn options(self) -> Vec<&'static str> {
        let isa: &[&str] = match self.isa {
            Some(InstructionSet::Avx2) => &["--isa", "avx2"],
            None => &[],
        };
        isa.iter().copied().chain(self.arithmetic().map(|(option, _)| option)).collect()
    }

    /// What asks PyTorch for the same: its own kernels, oneDNN and MKL have a variable each.
    pub(crate) fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self.isa {
            Some(InstructionSet::Avx2) => {
                &[("ATEN_CPU_CAPABILITY", "avx2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"), ("MKL_ENABLE_INSTRUCTIONS", "AVX2")]
            }
            None => &[],
        }
    }
}

/// How the layers are computed on this device, where that is by the kernels: the instruction set that they use now, and
/// their arithmetic if it is not the default.
pub(crate) fn kernels(device: &Device) -> Option<String> {
    let how = match arithmetic() {
        Arithmetic::Exact => ", exact",
        Arithmetic::Bf16 if has_bf16() => ", bf16",
        Arithmetic::Bf16 => ", no unit for bf16",
        _ => "",
    };
    (fast_path(device) == ComputePath::Kernels).then(|| format!("{}{how}", instruction_set()))
}

#[cfg(feature = "flex")]
fn limit_to_avx2() -> Result<()> {
    slowburn_layers::limit_instruction_set(Some(slowburn_layers::InstructionSet::Avx2));
    Ok(())
}

#[cfg(not(feature = "flex"))]
fn limit_to_avx2() -> Result<()> {
    anyhow::bail!("--isa: only the kernels of `flex` can be told, which is not built in")
}

#[cfg(feature = "flex")]
fn instruction_set() -> &'static str {
    match slowburn_layers::instruction_set() {
        slowburn_layers::InstructionSet::Avx512 => "AVX-512",
        // What the processor's own vectors are where it is none of x86's.
        slowburn_layers::InstructionSet::Avx2 if cfg!(target_arch = "x86_64") => "AVX2",
        slowburn_layers::InstructionSet::Avx2 => "vectors of 128 bits",
        _ => "no vector instructions",
    }
}

#[cfg(not(feature = "flex"))]
fn instruction_set() -> &'static str {
    "no kernels"
}
