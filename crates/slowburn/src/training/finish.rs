use anyhow::Result;

use slowburn_train::data::write_labels;
use slowburn_train::progress::lines_or_dashboard;
use slowburn_train::task::SemiMetrics;

use super::{Resume, Session, Summary, panels};
use crate::report;

impl Session<'_> {
    /// Runs to the end, shows what is active, progress and result, and writes curves and summary.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of files.
    pub fn finish(&self, checkpoint: Option<Resume>, plain: bool) -> Result<Summary> {
        print!("{}", report::active_terms(self.recipe, self.plan, self.data));
        println!("{:<18} {}\n", "run", self.folder.path().display());
        let names = &self.data.train.names;
        let labels = self.folder.file("labels.txt");
        write_labels(&labels, &self.plan.labels, &self.data.classes, |image| names[image].clone())?;
        let (summary, progress) = {
            let mut report = lines_or_dashboard(plain, SemiMetrics::CURVES);
            self.run(checkpoint, report.as_mut())?
        };
        let monitored = (self.recipe.curve_images.min(summary.test_images), summary.test_images);
        report::draw_curves(&panels(&progress.metrics, monitored), self.folder.path())?;
        self.folder.write_summary(&summary)?;
        println!("\n{}", report::final_table(&summary));
        println!("{}", self.folder.path().display());
        Ok(summary)
    }
}
