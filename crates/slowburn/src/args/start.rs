use std::path::PathBuf;

use clap::Args;

/// Which weights a training starts from.
#[derive(Debug, Clone, Default, Args)]
pub struct Start {
    /// Start from a run or a weights file (safetensors, .pth, .ckpt, …)
    #[arg(long, value_name = "RUN|FILE")]
    pub from: Option<PathBuf>,
    /// Which network of that file, by what stands before its names (encoder_k, state_dict_ema, …) [default: the trained one]
    #[arg(long, value_name = "PREFIX", requires = "from", hide_short_help = true)]
    pub branch: Option<String>,
}
