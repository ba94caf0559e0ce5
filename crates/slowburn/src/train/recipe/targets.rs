//! Which predictions become targets.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use slowburn_semi::{Alignment, FlexThresholds, LabelForm, LabelSource, PseudoLabelConfig, Selection};

use super::{Method, Recipe, check_flag};

/// Which targets count, and what they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetConfig {
    /// Soft, sharpened or hard.
    pub form: LabelForm,
    /// By which threshold.
    pub selection: Selection,
    /// Whether predictions are made to have the classes of the data first.
    #[serde(default)]
    pub alignment: Option<Alignment>,
    /// Whose predictions: Mean Teacher's average, the student of FixMatch and its kin, if nothing is said.
    #[serde(default)]
    pub source: Option<LabelSource>,
}

impl TargetConfig {
    /// Whose predictions become targets.
    pub fn source_of(&self, method: Method) -> LabelSource {
        self.source.unwrap_or(match method {
            Method::MeanTeacher => LabelSource::Average,
            _ => LabelSource::Student,
        })
    }

    /// Checks every setting, and that they are targets of this method and not of another under its name. Labels alone ignore them.
    ///
    /// # Errors
    /// An error that names the setting and the method.
    pub(super) fn validate_for(&self, method: Method) -> Result<()> {
        let own = match method {
            Method::FixMatch | Method::MeanTeacher => {
                matches!(self.selection, Selection::All | Selection::Fixed { .. })
            }
            Method::FlexMatch => matches!(self.selection, Selection::Flex(_)),
            Method::FreeMatch => matches!(self.selection, Selection::Free(_)),
            _ => true,
        };
        ensure!(own, "targets.selection is not that of {method}: leave it out, or say another method");
        ensure!(
            method != Method::MeanTeacher || self.source_of(method) == LabelSource::Average,
            "targets.source says whose predictions are targets, and those of mean-teacher are the average's: leave it out"
        );
        let Self { form, selection, alignment, source: _ } = self.clone();
        // Whether source and buffers of the average fit is for the method to say, when it is made.
        let source = LabelSource::Average;
        Ok(PseudoLabelConfig { source, form, selection, alignment, ..PseudoLabelConfig::default() }.validate()?)
    }
}

/// Changes what targets are.
///
/// # Errors
/// For methods whose targets have one form.
pub fn set_form(recipe: &mut Recipe, form: LabelForm) -> Result<()> {
    check_flag(recipe.method, "--targets")?;
    let targets = recipe.targets.take().unwrap_or(SOFT);
    recipe.targets = Some(TargetConfig { form, ..targets });
    Ok(())
}

/// Changes from which probability on targets count.
///
/// # Errors
/// For methods that find their own thresholds or have none.
pub fn set_threshold(recipe: &mut Recipe, threshold: f64) -> Result<()> {
    let targets = recipe.targets.take().unwrap_or(SOFT);
    let selection = match targets.selection {
        Selection::Flex(flex) => Selection::Flex(FlexThresholds { threshold, ..flex }),
        Selection::Free(_) => bail!("--threshold says nothing to freematch, which finds its own"),
        _ if matches!(recipe.method, Method::MeanTeacher | Method::FixMatch) => Selection::Fixed { threshold },
        _ => bail!("--threshold says nothing to {}: all its targets count", recipe.method),
    };
    recipe.targets = Some(TargetConfig { selection, ..targets });
    Ok(())
}

/// Changes whose predictions become targets.
///
/// # Errors
/// For methods that know one source only.
pub fn set_source(recipe: &mut Recipe, source: LabelSource) -> Result<()> {
    match recipe.method {
        Method::FixMatch | Method::FlexMatch | Method::FreeMatch => {
            let targets = recipe.targets.take().unwrap_or(SOFT);
            recipe.targets = Some(TargetConfig { source: Some(source), ..targets });
            Ok(())
        }
        method => bail!("--targets-from is for fixmatch, flexmatch and freematch, not for {method}"),
    }
}

/// Aligns predictions with even classes.
///
/// # Errors
/// For methods whose targets are not predictions of one step.
pub fn set_alignment(recipe: &mut Recipe) -> Result<()> {
    check_flag(recipe.method, "--align")?;
    let targets = recipe.targets.take().unwrap_or(SOFT);
    recipe.targets = Some(TargetConfig { alignment: Some(Alignment::default()), ..targets });
    Ok(())
}

/// Mean Teacher's.
pub(super) const SOFT: TargetConfig =
    TargetConfig { form: LabelForm::Soft, selection: Selection::All, alignment: None, source: None };

#[cfg(test)]
mod tests {
    use slowburn_ema::Decay;
    use slowburn_semi::FreeThresholds;

    use super::*;
    use crate::train::recipe::{change_method, default_recipe, fashion, preset};

    #[test]
    fn targets_are_refused_where_they_say_nothing() {
        for method in [Method::Pi, Method::Temporal, Method::Ict, Method::Supervised] {
            let mut recipe = default_recipe(method);
            for error in [set_form(&mut recipe, LabelForm::Hard), set_alignment(&mut recipe)] {
                let error = error.expect_err("no targets to choose").to_string();
                assert!(error.contains(&method.to_string()), "{error}");
            }
            assert_eq!(recipe.targets, None);
            recipe.targets = Some(TargetConfig { form: LabelForm::Hard, ..SOFT });
            // The baseline of a run is its recipe with another method.
            assert_eq!(recipe.validate().is_err(), method != Method::Supervised, "{method}");
            change_method(&mut recipe, Method::MeanTeacher);
            change_method(&mut recipe, method);
            assert_eq!(recipe.targets, None, "{method}");
        }
    }

    #[test]
    fn targets_are_the_averages_in_short_trainings_and_the_students_in_the_papers() {
        let default = default_recipe(Method::FixMatch);
        let targets = default.targets.as_ref().expect("of FixMatch");
        assert_eq!(targets.source_of(Method::FixMatch), LabelSource::Average);
        assert_eq!(targets.selection, Selection::Fixed { threshold: 0.8 });
        let paper = preset("fixmatch-cifar10-250").expect("exists").recipe();
        let targets = paper.targets.as_ref().expect("of FixMatch");
        assert_eq!(targets.source_of(paper.method), LabelSource::Student);
        assert_eq!(targets.selection, Selection::Fixed { threshold: 0.95 });
        let mut recipe = default_recipe(Method::MeanTeacher);
        assert_eq!(recipe.targets, None, "the paper's form");
        let error = set_source(&mut recipe, LabelSource::Student).expect_err("its teacher is the average").to_string();
        assert!(error.contains("not for mean-teacher"), "{error}");
        assert!(set_alignment(&mut default_recipe(Method::Pi)).is_err());
    }

    #[test]
    fn what_is_anothers_is_refused_in_a_settings_file() {
        let refused = |recipe: Recipe, words: &str| {
            let error = recipe.validate().expect_err(words).to_string();
            assert!(error.contains(words) && error.contains(&recipe.method.to_string()), "{error}");
        };
        let with = |method: Method, change: fn(&mut TargetConfig)| {
            let mut recipe = default_recipe(method);
            change(recipe.targets.get_or_insert(SOFT));
            recipe
        };
        let selection = "targets.selection is not that of";
        refused(with(Method::FlexMatch, |it| it.selection = Selection::Fixed { threshold: 0.9 }), selection);
        refused(with(Method::FreeMatch, |it| it.selection = Selection::All), selection);
        refused(with(Method::FixMatch, |it| it.selection = Selection::Free(FreeThresholds::default())), selection);
        refused(with(Method::MeanTeacher, |it| it.selection = Selection::Flex(FlexThresholds::default())), selection);
        refused(with(Method::MeanTeacher, |it| it.source = Some(LabelSource::Student)), "targets.source");
        with(Method::FixMatch, |it| it.selection = Selection::All).validate().expect("all targets may count");

        let settings = |method: Method, change: fn(&mut Recipe)| {
            let mut recipe = default_recipe(method);
            change(&mut recipe);
            recipe
        };
        refused(settings(Method::Pi, |it| it.strong_unlabeled = true), "strong_unlabeled is for mean-teacher");
        refused(settings(Method::Ict, |it| it.consistency.on_labeled = true), "consistency.on_labeled");
        refused(settings(Method::Ict, |it| it.strong_labels = true), "strong_labels says nothing");
        refused(settings(Method::Temporal, |it| it.strong_labels = true), "strong_labels says nothing");
        let decay = |it: &mut Recipe| it.decay = Decay::WarmUp { decay: 0.8 };
        refused(settings(Method::Temporal, decay), "temporal ensembling needs a constant one");
    }

    #[test]
    fn a_threshold_is_refused_where_it_says_nothing() {
        let mut recipe = fashion();
        set_threshold(&mut recipe, 0.8).expect("Mean Teacher takes one");
        assert_eq!(recipe.targets.as_ref().map(|targets| targets.form), Some(LabelForm::Soft));
        for method in [Method::FreeMatch, Method::Ict, Method::Pi] {
            let mut recipe = fashion();
            change_method(&mut recipe, method);
            let error = set_threshold(&mut recipe, 0.8).expect_err("no threshold");
            assert!(error.to_string().contains(&method.to_string()), "{error}");
        }
    }
}
