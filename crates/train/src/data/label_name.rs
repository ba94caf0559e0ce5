//! The names of images as label files write them.

use std::collections::HashMap;

use super::LabelProblem;

/// The training images by path and by bare name.
pub(super) struct Names<'a> {
    all: &'a [String],
    by_path: HashMap<&'a str, usize>,
    /// The first image of each bare name, and the second if there is one.
    by_file: HashMap<&'a str, (usize, Option<usize>)>,
}

impl<'a> Names<'a> {
    pub(super) fn new(all: &'a [String]) -> Self {
        let mut by_path = HashMap::with_capacity(all.len());
        let mut by_file: HashMap<&str, (usize, Option<usize>)> = HashMap::with_capacity(all.len());
        for (index, name) in all.iter().enumerate() {
            by_path.insert(name.as_str(), index);
            let file = name.rsplit('/').next().unwrap_or(name);
            by_file.entry(file).and_modify(|(_, second)| *second = second.or(Some(index))).or_insert((index, None));
        }
        Self { all, by_path, by_file }
    }

    /// The number of images.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn find(&self, name: &str) -> Result<usize, LabelProblem> {
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
                near: self.near(name).map(str::to_owned),
            }),
        }
    }
    /// The image of the same file name in other letters, in another folder, or with an ending.
    fn near(&self, name: &str) -> Option<&str> {
        let file = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
        let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
        let wanted = file(name);
        let alike = |same: &dyn Fn(&str) -> bool| self.all.iter().find(|image| same(&file(image))).map(String::as_str);
        alike(&|image| image == wanted).or_else(|| alike(&|image| stem(image) == stem(&wanted)))
    }
}
