use anyhow::Result;
use serde::Serialize;

use super::{Config, Origins, table};
use crate::args::Files;
use crate::say;

/// Prints every setting of a run with where it came from, and writes them to a file where that was asked for. Says whether to go
/// on.
///
/// # Errors
/// Those of the file.
pub fn announce<R: Serialize>(recipe: &R, origins: &Origins<'_, R>, files: &Files) -> Result<bool> {
    say!("{}", table(recipe, origins));
    if let Some(path) = &files.write_config {
        Config::write(recipe, path)?;
        say!("{}", path.display());
        return Ok(false);
    }
    Ok(!files.dry_run)
}
