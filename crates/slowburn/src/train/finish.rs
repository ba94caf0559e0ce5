use anyhow::Result;
use slowburn_train::data::write_labels;
use slowburn_train::run::RunFolder;
use slowburn_train::task::SemiMetrics;

use super::{Resume, Session, Summary, panels};
use crate::args::Files;
use crate::{report, say};

impl Session<'_> {
    /// Runs to the end, shows what is active and progress, and writes labels and curves.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of files.
    pub fn finish(&self, folder: &RunFolder, checkpoint: Option<Resume>, files: &Files) -> Result<Summary> {
        say!("{}", report::active_terms(self.recipe, self.plan, self.data));
        say!("{:<18} {}\n", "run", folder.path().display());
        let names = &self.data.train.names;
        for (file, labels) in [("labels.txt", &self.plan.labels), ("validation.txt", &self.plan.held_out)] {
            if labels.iter().any(Option::is_some) {
                write_labels(&folder.file(file), labels, &self.data.classes, |image| names[image].clone())?;
            }
        }
        let (summary, progress) = {
            let mut report = report::progress(files, SemiMetrics::CURVES, folder);
            self.run(folder, checkpoint, report.as_mut())?
        };
        let monitored = (self.recipe.curve_images.min(summary.test_images), summary.test_images);
        report::draw_curves(&panels(&progress.metrics, monitored), folder.path())?;
        Ok(summary)
    }
}
