//! Weights in.

use std::fmt;
use std::panic::resume_unwind;
use std::thread;

use burn::module::Module;

use super::fit::is_head;
use super::{Differences, Fit, WeightsError, WeightsFile};
use crate::{ParameterInfo, parameters, state_dict::fill};

/// What may be different between a file and a network. By default nothing may, but that a network without a head leaves that of
/// the file out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which network of the file: what stands before its names, or the end of it (`encoder_k`). The one that was trained if
    /// nothing is said.
    pub branch: Option<String>,
    /// Keeps the network's own head where the file has none, or one of another size: for another task.
    pub fresh_head: bool,
    /// Takes what fits and keeps the rest of the network as it is. An error by default: networks of random weights have been
    /// scored and published as pre-trained.
    pub partial: bool,
}

/// What was loaded: printed, one line for each kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// How the file fits the network.
    pub fit: Fit,
    /// Tensors of the network that kept their values.
    pub kept: Vec<String>,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fit { branch, taken, body, head, others, outside } = &self.fit;
        write!(f, "{} tensors of {branch}", taken.len())?;
        if let Some(caution) = branch.caution() {
            write!(f, "\n  {caution}")?;
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            write!(f, "\n  fits as well: {}", others.join("; "))?;
        }
        let list = |f: &mut fmt::Formatter<'_>, what: &str, names: &[String]| match names.is_empty() {
            true => Ok(()),
            false => write!(f, "\n  {what}: {}", names.join(", ")),
        };
        list(f, "starts fresh", &self.kept)?;
        list(f, "left out", &[&body.unexpected[..], &head.unexpected[..]].concat())?;
        list(f, "another shape", &[&body.reshaped[..], &head.reshaped[..]].concat())?;
        match outside {
            0 => Ok(()),
            count => write!(f, "\n  {count} tensors are outside of it"),
        }
    }
}

/// Replaces a network's weights and running statistics by those of a file, one tensor at a time.
///
/// Names and shapes are compared before any values are read. Each parameter keeps its identity, its device and whether it is
/// learned. Running statistics are shared with the module's clones in Burn, so that these change as well; on an error they have not
/// changed.
///
/// # Errors
///
/// Those of [`WeightsFile::fit`]; [`WeightsError::Misfit`] with every difference that the options do not allow;
/// [`WeightsError::Damaged`], and what cannot be read.
pub fn load<M: Module>(module: M, file: &WeightsFile, options: &LoadOptions) -> Result<(M, Loaded), WeightsError> {
    let wanted = parameters(&module);
    let fit = file.fit(&wanted, options.branch.as_deref())?;
    let differences = refused(&fit, wanted.iter().any(|parameter| is_head(&parameter.name)), options);
    if !differences.is_empty() {
        let (path, branch) = (file.path().to_owned(), fit.branch.to_string());
        return Err(WeightsError::Misfit { path, branch, differences: Box::new(differences) });
    }
    let value = |parameter: &ParameterInfo| fit.taken.get(&parameter.name).map(|name| file.read(name)).transpose();
    let module = thread::scope(|scope| {
        // The digest takes longer than all else.
        let verified = thread::Builder::new().spawn_scoped(scope, || file.verify());
        fill(module, &wanted, value, || {
            let verified = match verified {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no thread to give.
                Err(_) => file.verify(),
            };
            verified.map(drop)
        })
    })?;
    let kept = wanted.into_iter().map(|parameter| parameter.name).filter(|name| !fit.taken.contains_key(name));
    let kept = kept.collect();
    Ok((module, Loaded { fit, kept }))
}

/// The differences that are not allowed.
fn refused(fit: &Fit, has_head: bool, options: &LoadOptions) -> Differences {
    let mut refused = Differences::default();
    let mut add = |differences: &Differences| {
        refused.missing.extend_from_slice(&differences.missing);
        refused.unexpected.extend_from_slice(&differences.unexpected);
        refused.reshaped.extend_from_slice(&differences.reshaped);
    };
    if !options.partial {
        add(&fit.body);
    }
    if has_head && !options.fresh_head && !options.partial {
        add(&fit.head);
    }
    refused
}
