use std::collections::HashMap;
use std::path::Path;

use super::{DataError, Dataset, LabelProblem};

/// Reads a label file: which training images have which class. Gives (index of the image in `dataset.train`, class),
/// sorted by index.
///
/// A line is `filename label`. The filename is the path below `train/`, or the bare name of the file where only one
/// image has it, or the decimal index of an image of an IDX file; it may have spaces. The label is the name of a
/// class or else its index. Empty lines and lines that begin with `#` are skipped; the same line twice is one.
///
/// The file has the last word: it may name images of a class folder, and it is not compared with that folder.
///
/// # Errors
///
/// [`DataError::LabelLine`] names the file and the line; [`DataError::NoLabels`]; [`DataError::Unreadable`].
pub fn read_labels(path: impl AsRef<Path>, dataset: &Dataset) -> Result<Vec<(usize, usize)>, DataError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|source| DataError::unreadable(path, source))?;
    let names = Names::new(&dataset.train.names);
    // Image → class and line.
    let mut labels: HashMap<usize, (usize, usize)> = HashMap::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let wrong = |problem| DataError::LabelLine { path: path.to_owned(), line, problem };
        let (name, class) = split_line(text, &dataset.classes).map_err(wrong)?;
        let image = names.find(name).map_err(wrong)?;
        match labels.get(&image) {
            Some((earlier, earlier_line)) if *earlier != class => {
                return Err(wrong(LabelProblem::Conflict {
                    name: name.to_owned(),
                    label: dataset.classes[class].clone(),
                    earlier: dataset.classes[*earlier].clone(),
                    earlier_line: *earlier_line,
                }));
            }
            Some(_) => {}
            None => {
                labels.insert(image, (class, line));
            }
        }
    }
    if labels.is_empty() {
        return Err(DataError::NoLabels { path: path.to_owned() });
    }
    let mut labels: Vec<(usize, usize)> = labels.into_iter().map(|(image, (class, _))| (image, class)).collect();
    labels.sort_unstable();
    Ok(labels)
}

/// Filename and class. A class name is looked for first, the longest that ends the line; then an index.
fn split_line<'a>(text: &'a str, classes: &[String]) -> Result<(&'a str, usize), LabelProblem> {
    let named = classes
        .iter()
        .enumerate()
        .filter_map(|(class, name)| {
            let before = text.strip_suffix(name.as_str())?;
            let filename = before.trim_end();
            (filename.len() < before.len() && !filename.is_empty()).then_some((filename, class))
        })
        .min_by_key(|(filename, _)| filename.len());
    if let Some(found) = named {
        return Ok(found);
    }
    let Some((filename, label)) = text.rsplit_once(char::is_whitespace) else {
        return Err(LabelProblem::NotTwoWords { text: text.to_owned() });
    };
    match label.parse::<usize>() {
        Ok(class) if class < classes.len() => Ok((filename.trim_end(), class)),
        _ => Err(LabelProblem::UnknownClass { label: label.to_owned(), classes: classes.to_vec() }),
    }
}

/// The training images by path and by bare name.
struct Names<'a> {
    all: &'a [String],
    by_path: HashMap<&'a str, usize>,
    /// The first image of each bare name, and the second if there is one.
    by_file: HashMap<&'a str, (usize, Option<usize>)>,
}

impl<'a> Names<'a> {
    fn new(all: &'a [String]) -> Self {
        let mut by_path = HashMap::with_capacity(all.len());
        let mut by_file: HashMap<&str, (usize, Option<usize>)> = HashMap::with_capacity(all.len());
        for (index, name) in all.iter().enumerate() {
            by_path.insert(name.as_str(), index);
            let file = name.rsplit('/').next().unwrap_or(name);
            by_file.entry(file).and_modify(|(_, second)| *second = second.or(Some(index))).or_insert((index, None));
        }
        Self { all, by_path, by_file }
    }

    fn find(&self, name: &str) -> Result<usize, LabelProblem> {
        if let Some(index) = self.by_path.get(name) {
            return Ok(*index);
        }
        match self.by_file.get(name) {
            Some((index, None)) => Ok(*index),
            Some((first, Some(second))) => Err(LabelProblem::AmbiguousImage {
                name: name.to_owned(),
                first: self.all[*first].clone(),
                second: self.all[*second].clone(),
            }),
            None => Err(LabelProblem::MissingImage {
                name: name.to_owned(),
                samples: self.all.len(),
                first: self.all.first().cloned().unwrap_or_default(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        ["boot", "ankle boot", "7"].map(String::from).to_vec()
    }

    #[test]
    fn names_and_labels_may_have_spaces() {
        let split = |text| split_line(text, &classes());
        assert_eq!(split("a.png boot"), Ok(("a.png", 0)));
        assert_eq!(split("a b.png ankle boot"), Ok(("a b.png", 1)));
        assert_eq!(split("a b.png\t 1"), Ok(("a b.png", 1)));
    }

    #[test]
    fn a_class_name_goes_before_an_index() {
        assert_eq!(split_line("a.png 7", &classes()), Ok(("a.png", 2)));
        assert_eq!(split_line("a.png 2", &classes()), Ok(("a.png", 2)));
        for label in ["3", "-1", "shoe", "1.0"] {
            assert!(matches!(
                split_line(&format!("a.png {label}"), &classes()),
                Err(LabelProblem::UnknownClass { .. })
            ));
        }
        assert!(matches!(split_line("a.png", &classes()), Err(LabelProblem::NotTwoWords { .. })));
    }
}
