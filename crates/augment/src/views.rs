use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AugmentError, Image, ImageSize, Key, Pipeline, View};

/// The most views that one image may become.
const MAX_VIEWS: usize = 1024;

/// What one image becomes: groups of views, each group drawn from a pipeline of its own.
///
/// MoCo takes two views from one pipeline, Mean Teacher one for the student and one for the teacher, SwAV two large
/// and six small crops. View `v` counts through the groups in their order, and is the [`Key::view`] it is drawn with.
///
/// ```
/// use slowburn_augment::{Operation, Pipeline, Views};
///
/// let weak = Pipeline::new("weak", vec![Operation::HorizontalFlip { probability: 0.5 }])?;
/// let strong = Pipeline::new("strong", vec![Operation::GaussianNoise { std: 0.1 }])?;
/// let views = Views::groups(vec![(weak, 1), (strong, 2)])?;
/// assert_eq!(views.len(), 3);
/// assert_eq!(views.pipeline_of(2).map(|pipeline| pipeline.name()), Some("strong"));
/// assert_eq!(
///     views.to_string(),
///     "view 0 of weak: flip with probability 0.5\nviews 1 and 2 of strong: Gaussian noise of std 0.1"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Views {
    groups: Vec<Group>,
}

/// A pipeline and how many views of each image it makes, at least one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    pipeline: Pipeline,
    count: usize,
}

/// Views as a file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    groups: Vec<Group>,
}

impl TryFrom<Unchecked> for Views {
    type Error = ViewsError;

    fn try_from(Unchecked { groups }: Unchecked) -> Result<Self, ViewsError> {
        Self::groups(groups.into_iter().map(|Group { pipeline, count }| (pipeline, count)).collect())
    }
}

/// What can be wrong with [`Views`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewsError {
    /// There is no group.
    #[error("there are no groups of views, allowed: at least 1")]
    NoGroups,
    /// A group has no views.
    #[error("group {group} ({pipeline}) has 0 views, allowed: at least 1")]
    NoViews {
        /// Index of the group.
        group: usize,
        /// Name of its pipeline.
        pipeline: String,
    },
    /// More views than an image may become.
    #[error("{found} views of each image, allowed: up to {allowed}")]
    TooManyViews {
        /// Number of views, capped at `usize::MAX`.
        found: usize,
        /// The largest number.
        allowed: usize,
    },
    /// The list to apply does not have one entry per view.
    #[error("{found} drawn views, an image becomes {expected}")]
    Count {
        /// Number of views.
        expected: usize,
        /// Entries of the list.
        found: usize,
    },
    /// A pipeline is wrong, or does not fit the image.
    #[error("view {view} ({pipeline}): {source}")]
    Pipeline {
        /// Index of the view.
        view: usize,
        /// Name of its pipeline.
        pipeline: String,
        /// What is wrong.
        source: Box<AugmentError>,
    },
}

impl Views {
    /// Two views from one pipeline, as contrastive methods take them.
    pub fn two(pipeline: Pipeline) -> Self {
        Self { groups: vec![Group { pipeline, count: 2 }] }
    }

    /// `count` views from one pipeline.
    ///
    /// # Errors
    ///
    /// Those of [`groups`](Views::groups).
    pub fn repeat(pipeline: Pipeline, count: usize) -> Result<Self, ViewsError> {
        Self::groups(vec![(pipeline, count)])
    }

    /// Groups of (pipeline, number of views): crops of several sizes, or an asymmetric pair.
    ///
    /// # Errors
    ///
    /// [`ViewsError::NoGroups`], [`ViewsError::NoViews`] for the first group without any, [`ViewsError::TooManyViews`] beyond
    /// 1,024.
    pub fn groups(groups: Vec<(Pipeline, usize)>) -> Result<Self, ViewsError> {
        if groups.is_empty() {
            return Err(ViewsError::NoGroups);
        }
        if let Some(group) = groups.iter().position(|(_, count)| *count == 0) {
            return Err(ViewsError::NoViews { group, pipeline: groups[group].0.name().to_owned() });
        }
        let found = groups.iter().fold(0, |found: usize, (_, count)| found.saturating_add(*count));
        if found > MAX_VIEWS {
            return Err(ViewsError::TooManyViews { found, allowed: MAX_VIEWS });
        }
        Ok(Self { groups: groups.into_iter().map(|(pipeline, count)| Group { pipeline, count }).collect() })
    }

    /// Checks that every pipeline fits an image of `size`.
    ///
    /// # Errors
    ///
    /// [`ViewsError`] names the first view that does not.
    pub fn validate_for(&self, size: ImageSize) -> Result<(), ViewsError> {
        self.pipelines().enumerate().try_for_each(|(view, pipeline)| {
            pipeline.validate_for(size).map_err(|source| wrong(view, pipeline, source))
        })
    }

    /// Number of views of an image.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Always false: an image becomes at least one view.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The pipeline of each view, in order.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        self.groups.iter().flat_map(|group| std::iter::repeat_n(&group.pipeline, group.count))
    }

    /// The pipeline of view `view`, or `None` beyond the last.
    pub fn pipeline_of(&self, view: usize) -> Option<&Pipeline> {
        self.pipelines().nth(view)
    }

    /// Size of each view of an image of `size`.
    pub fn output_sizes(&self, size: ImageSize) -> Vec<ImageSize> {
        self.pipelines().map(|pipeline| pipeline.output_size(size)).collect()
    }

    /// Draws every view of one image of `size`: a pure function of its arguments.
    ///
    /// # Errors
    ///
    /// [`ViewsError::Pipeline`] for the first view whose pipeline does not fit the image.
    pub fn draw(&self, seed: u64, epoch: u64, sample: u64, size: ImageSize) -> Result<Vec<View>, ViewsError> {
        self.draw_occurrence(Key { seed, epoch, sample, view: 0 }, size)
    }

    /// As [`draw`](Views::draw) for an image that comes for the `key.view`-th time, from 0: of n views, the views
    /// from n·`key.view` on.
    pub(crate) fn draw_occurrence(&self, key: Key, size: ImageSize) -> Result<Vec<View>, ViewsError> {
        let first = key.view.wrapping_mul(self.len() as u64);
        self.pipelines()
            .enumerate()
            .map(|(view, pipeline)| {
                let key = Key { view: first.wrapping_add(view as u64), ..key };
                pipeline.draw(key, size).map_err(|source| wrong(view, pipeline, source))
            })
            .collect()
    }

    /// Applies drawn views to their image: C×H×W values each, of the [output sizes](Views::output_sizes).
    ///
    /// # Errors
    ///
    /// [`ViewsError::Count`] if `drawn` has not one entry per view; [`ViewsError::Pipeline`] for the first view that
    /// cannot be applied.
    pub fn apply(&self, drawn: &[View], image: Image<'_>) -> Result<Vec<Vec<f32>>, ViewsError> {
        if drawn.len() != self.len() {
            return Err(ViewsError::Count { expected: self.len(), found: drawn.len() });
        }
        self.pipelines()
            .zip(drawn)
            .enumerate()
            .map(|(view, (pipeline, drawn))| {
                let mut values = vec![0.0; pipeline.output_size(image.size()).values()];
                pipeline.apply(drawn, image, &mut values).map_err(|source| wrong(view, pipeline, source))?;
                Ok(values)
            })
            .collect()
    }
}

pub(crate) fn wrong(view: usize, pipeline: &Pipeline, source: AugmentError) -> ViewsError {
    ViewsError::Pipeline { view, pipeline: pipeline.name().to_owned(), source: Box::new(source) }
}

impl From<Pipeline> for Views {
    /// As [`Views::two`].
    fn from(pipeline: Pipeline) -> Self {
        Self::two(pipeline)
    }
}

impl fmt::Display for Views {
    /// One line per group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = 0;
        for (position, Group { pipeline, count }) in self.groups.iter().enumerate() {
            let line_end = if position == 0 { "" } else { "\n" };
            let last = (first + count).saturating_sub(1);
            match count {
                1 => write!(f, "{line_end}view {first} of {pipeline}")?,
                2 => write!(f, "{line_end}views {first} and {last} of {pipeline}")?,
                _ => write!(f, "{line_end}views {first} to {last} of {pipeline}")?,
            }
            first += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn noise(std: f32) -> Pipeline {
        Pipeline::new(format!("noise {std}"), vec![Operation::GaussianNoise { std }]).unwrap()
    }

    #[test]
    fn views_count_through_the_groups() {
        let views = Views::groups(vec![(noise(0.1), 2), (noise(0.2), 3)]).unwrap();
        assert_eq!(views.len(), 5);
        let names: Vec<_> = views.pipelines().map(|pipeline| pipeline.name()).collect();
        assert_eq!(names, ["noise 0.1", "noise 0.1", "noise 0.2", "noise 0.2", "noise 0.2"]);
        assert_eq!(views.pipeline_of(5), None);
        assert_eq!(views, serde_json::from_str(&serde_json::to_string(&views).unwrap()).unwrap());
        assert_eq!(Views::two(noise(0.1)), Views::repeat(noise(0.1), 2).unwrap());
    }

    #[test]
    fn a_view_is_what_its_pipeline_draws_under_its_own_index() {
        let size = ImageSize::new(2, 3, 1);
        let image = Image::new(size, &[0, 51, 102, 153, 204, 255]).unwrap();
        let views = Views::groups(vec![(noise(0.1), 2), (noise(0.2), 1)]).unwrap();
        let drawn = views.draw(5, 6, 7, size).unwrap();
        let applied = views.apply(&drawn, image).unwrap();
        assert_ne!(applied[0], applied[1]);
        let mut values = [0.0; 6];
        let key = Key { seed: 5, epoch: 6, sample: 7, view: 2 };
        noise(0.2).apply(&noise(0.2).draw(key, size).unwrap(), image, &mut values).unwrap();
        assert_eq!(applied[2], values);
        assert_eq!(views.apply(&drawn[1..], image), Err(ViewsError::Count { expected: 3, found: 2 }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Views::groups(vec![]), Err(ViewsError::NoGroups));
        let message = |groups| Views::groups(groups).unwrap_err().to_string();
        assert_eq!(
            message(vec![(noise(0.1), 1), (noise(0.2), 0)]),
            "group 1 (noise 0.2) has 0 views, allowed: at least 1"
        );
        assert_eq!(message(vec![(noise(0.1), 1025)]), "1025 views of each image, allowed: up to 1024");
        assert_eq!(message(vec![(noise(0.1), usize::MAX); 2]).split(' ').next(), Some("18446744073709551615"));
        let stored = serde_json::to_string(&Views::two(noise(0.1))).unwrap();
        let none =
            serde_json::from_str::<Views>(&stored.replace("\"count\":2", "\"count\":0")).unwrap_err().to_string();
        assert!(none.starts_with("group 0 (noise 0.1) has 0 views"), "{none}");
        let shift = Pipeline::new("shift", vec![Operation::Translate { max_pixels: 4 }]).unwrap();
        let error = Views::two(shift).validate_for(ImageSize::new(3, 9, 1)).unwrap_err();
        assert!(error.to_string().starts_with("view 0 (shift): operation 0 (Translate)"), "{error}");
    }
}
