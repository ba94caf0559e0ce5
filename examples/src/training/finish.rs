use anyhow::Result;

use super::{CURVES, Session, panels};
use crate::report;
use crate::run::{Checkpoint, Summary};

impl Session<'_> {
    /// Runs to the end, shows what is active, progress and result, and writes curves and summary.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of files.
    pub fn finish(&self, checkpoint: Option<Checkpoint>, plain: bool) -> Result<Summary> {
        print!("{}", report::active_terms(self.recipe, self.plan, self.data));
        println!("{:<18} {}\n", "run", self.folder.path().display());
        let (summary, progress) = {
            let mut report = report::choose(plain, CURVES);
            self.run(checkpoint, report.as_mut())?
        };
        report::draw_curves(&panels(&progress.metrics), self.folder.path())?;
        self.folder.write_summary(&summary)?;
        println!("\n{}", report::final_table(&summary));
        println!("{}", self.folder.path().display());
        Ok(summary)
    }
}
