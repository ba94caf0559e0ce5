//! An inspection as lines of text.

use std::fmt;

use slowburn_models::weights::Metadata;

use super::{Inspection, Network};

/// Classes and differences that are shown.
const SHOWN: usize = 10;

/// What a file says of its network, in the words of people.
pub(super) fn says(metadata: &Metadata) -> Vec<(String, String)> {
    let Metadata { version, network, role, image, mean, std, classes, recipe, more } = metadata;
    let mut lines = Vec::new();
    let mut add = |key: &str, value: Option<String>| lines.extend(value.map(|value| (key.to_owned(), value)));
    add("written by", version.as_ref().map(|version| format!("slowburn {version}")));
    add("network", network.clone());
    add("role", role.clone());
    add("image", image.map(|[channels, height, width]| format!("{channels} × {height} × {width}")));
    let normalisation = (!mean.is_empty()).then(|| format!("mean {mean:?}, std {std:?} of values in [0, 1]"));
    add("normalisation", normalisation);
    let names = classes.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let rest = if classes.len() > SHOWN { ", …" } else { "" };
    add("classes", (!classes.is_empty()).then(|| format!("{}: {names}{rest}", classes.len())));
    add("recipe", recipe.as_ref().map(|recipe| format!("{} characters of JSON", recipe.len())));
    for (key, value) in more {
        add(key, Some(if value.len() > 60 { format!("{} characters", value.len()) } else { value.clone() }));
    }
    lines
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, format, bytes, digest, says, networks, not_recognised, tensors } = self;
        let digest = if *digest { "; its digest holds" } else { "" };
        writeln!(f, "{}\n{format}, {bytes} bytes, {} tensors{digest}", path.display(), tensors.len())?;
        if !says.is_empty() {
            writeln!(f)?;
        }
        for (key, value) in says {
            writeln!(f, "  {key:<15} {value}")?;
        }
        for network in networks {
            writeln!(f)?;
            network.write(f)?;
        }
        if let Some(reason) = not_recognised {
            writeln!(f, "\nno network of this program: {reason}")?;
        }
        writeln!(f)?;
        let width = tensors.iter().map(|tensor| tensor.name.len()).max().unwrap_or(0);
        for tensor in tensors {
            writeln!(f, "  {:<width$}  {:<5} {:?}", tensor.name, tensor.dtype, tensor.shape)?;
        }
        Ok(())
    }
}

impl Network {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arch, channels, whole, branch, taken, others, differences, head, outside } = self;
        let images = if *channels == 1 { "grey images" } else { "colour images" };
        match whole {
            true => writeln!(f, "--arch {arch} fits ({images}): {taken} tensors, {branch}")?,
            false => writeln!(f, "closest is --arch {arch} ({images}): {taken} tensors, {branch}")?,
        }
        for other in others {
            writeln!(f, "  fits as well: --branch {other}")?;
        }
        for difference in differences.iter().take(SHOWN) {
            writeln!(f, "  {difference}")?;
        }
        if differences.len() > SHOWN {
            writeln!(f, "  and {} more: --json lists all", differences.len() - SHOWN)?;
        }
        if !head.is_empty() {
            writeln!(f, "  its head: {}", head.join(", "))?;
        }
        match outside {
            0 => Ok(()),
            count => writeln!(f, "  left out: {count} tensors outside of it"),
        }
    }
}
