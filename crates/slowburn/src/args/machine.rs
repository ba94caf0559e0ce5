use anyhow::{Context, Result};
use clap::Args;

/// On what a command computes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Machine")]
pub struct Machine {
    /// cpu, or a backend built in, such as cuda:0, vulkan, metal, wgpu [default: cpu]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Threads that compute and read images [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl Machine {
    /// The device's name.
    pub fn device(&self) -> &str {
        self.device.as_deref().unwrap_or("cpu")
    }

    /// Limits the threads of this process. Once, before anything is computed.
    ///
    /// # Errors
    /// For no thread, or when threads run already.
    pub fn limit_threads(&self) -> Result<()> {
        let Some(threads) = self.threads else {
            return Ok(());
        };
        anyhow::ensure!(threads > 0, "--threads is 0: it must be at least 1");
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("--threads")
    }

    /// Threads that read images, as loaders take them: 0 for one a core.
    pub fn workers(&self) -> usize {
        self.threads.unwrap_or(0)
    }
}
