use anyhow::Result;

use slowburn_train::progress::lines_or_dashboard;

use super::{CURVES, Resume, Session, Summary, panels};
use crate::report;

impl Session<'_> {
    /// Runs to the end, shows what is active, progress and result, and writes curves and summary.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of files.
    pub fn finish(&self, checkpoint: Option<Resume>, plain: bool) -> Result<Summary> {
        print!("{}", report::active_terms(self.recipe, self.plan, self.data));
        println!("{:<18} {}\n", "run", self.folder.path().display());
        let (summary, progress) = {
            let mut report = lines_or_dashboard(plain, CURVES);
            self.run(checkpoint, report.as_mut())?
        };
        report::draw_curves(&panels(&progress.metrics), self.folder.path())?;
        self.folder.write_summary(&summary)?;
        println!("\n{}", report::final_table(&summary));
        println!("{}", self.folder.path().display());
        Ok(summary)
    }
}
