use anyhow::Result;
use slowburn_train::run::{Part, RunFolder};

use super::recipe::{Labels, Recipe};
use super::{Plan, Resume, Session, Summary, pretrained};
use crate::args::Files;
use crate::{next, report, say};

/// The part of a run that starts from random weights.
const SCRATCH: &str = "scratch";

/// Trains to the end: pre-trains first where that is wanted, then from random weights, in a folder of its own below, where that comparison is wanted. Prints the
/// result and what to do next.
///
/// # Errors
/// Those of training, data and files.
pub(super) fn finish(
    session: &Session<'_>,
    folder: &RunFolder,
    checkpoint: Option<Resume>,
    fingerprint: &str,
    files: &Files,
) -> Result<()> {
    let pretrained = pretrained::weights(session, folder, fingerprint, files)?;
    let session = &Session { start: pretrained.as_ref().or(session.start), ..session.clone() };
    let recipe = session.recipe;
    let scratch = match recipe.compare_scratch {
        true => Some(scratch(session, folder, fingerprint, files)?),
        false => None,
    };
    let mut summary = session.finish(folder, checkpoint, files)?;
    summary.scratch = scratch.map(Box::new);
    folder.write_summary(&summary)?;
    say!("\n{}", report::final_table(&summary));
    say!("{}", folder.path().display());
    let labels = match &recipe.labels {
        Labels::File(path) if session.data.test.is_empty() => Some(path.as_path()),
        _ => None,
    };
    next::after_training(folder.path(), &recipe.data, labels);
    Ok(())
}

/// The same training from random weights: finished earlier, or now.
fn scratch(session: &Session<'_>, folder: &RunFolder, fingerprint: &str, files: &Files) -> Result<Summary> {
    let recipe = Recipe {
        pretrain: None,
        start: None,
        start_views: None,
        start_branch: None,
        start_sha256: None,
        fresh_head: false,
        compare_scratch: false,
        ..session.recipe.clone()
    };
    match Part::find(folder, SCRATCH, &recipe, (&recipe.data, fingerprint))? {
        Part::Finished(summary) => Ok(summary),
        Part::Open(part, checkpoint) => {
            let plan = Plan::new(&recipe, session.data)?;
            let scratch =
                Session { recipe: &recipe, plan: &plan, start: None, device: session.device.clone(), ..*session };
            let summary = scratch.finish(&part, checkpoint.map(|checkpoint| *checkpoint), files)?;
            part.write_summary(&summary)?;
            Ok(summary)
        }
    }
}
