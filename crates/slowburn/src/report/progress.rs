use slowburn_train::Reporter;
use slowburn_train::progress::{Both, TensorBoard, lines_or_dashboard};
use slowburn_train::run::RunFolder;

use crate::args::Files;

/// Who is told of a run's progress: lines or, where it is asked for, a dashboard, and TensorBoard where that is asked for.
pub fn progress(files: &Files, curves: &[(&'static str, bool)], folder: &RunFolder) -> Box<dyn Reporter> {
    let shown = lines_or_dashboard(!files.dashboard, curves);
    match files.tensorboard {
        true => Box::new(Both(shown, TensorBoard::new(folder.path()))),
        false => shown,
    }
}
