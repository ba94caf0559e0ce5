use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{OnCorrupt, ReadBuffers, Source, ViewLoader, ViewLoaderConfig};
use slowburn_augment::{ImageSize, Pipeline, Views};

use crate::task::TaskError;

/// Images in one forward pass at most.
const BATCH: usize = 500;
/// Values in one forward pass at most, 16 MiB of them, so that large images come in smaller batches.
const VALUES: usize = 1 << 22;

/// Images as an encoder sees them in evaluation, made batch by batch; nothing of them is kept.
#[derive(Clone)]
pub struct ImageSet {
    loader: Arc<ViewLoader<Arc<dyn Source>>>,
    /// Index and class of each; images without a known class have 0.
    chosen: Vec<(usize, usize)>,
}

impl ImageSet {
    /// Images of a source by index, with the class of each, prepared by the fixed part of a pipeline.
    ///
    /// # Errors
    /// If there is no image, the first cannot be read, or the pipeline does not fit it.
    pub fn new(source: Arc<dyn Source>, chosen: Vec<(usize, usize)>, pipeline: &Pipeline) -> Result<Self, TaskError> {
        Self::with_on_corrupt(source, chosen, pipeline, OnCorrupt::Stop)
    }

    /// The same, which may leave out images that cannot be decoded.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_on_corrupt(
        source: Arc<dyn Source>,
        chosen: Vec<(usize, usize)>,
        pipeline: &Pipeline,
        on_corrupt: OnCorrupt,
    ) -> Result<Self, TaskError> {
        Self::load(source, chosen, pipeline, on_corrupt, false)
    }

    /// The same of images that are trained on as well, whose loader warns of those that are left out.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn trained_on(
        source: Arc<dyn Source>,
        chosen: Vec<(usize, usize)>,
        pipeline: &Pipeline,
        on_corrupt: OnCorrupt,
    ) -> Result<Self, TaskError> {
        Self::load(source, chosen, pipeline, on_corrupt, true)
    }

    fn load(
        source: Arc<dyn Source>,
        chosen: Vec<(usize, usize)>,
        pipeline: &Pipeline,
        on_corrupt: OnCorrupt,
        quiet: bool,
    ) -> Result<Self, TaskError> {
        let pipeline = pipeline.evaluation();
        let size = first_size(source.as_ref(), &chosen, &pipeline, on_corrupt)?;
        let values = pipeline.output_size(size).values().max(1);
        let config = ViewLoaderConfig::new((VALUES / values).clamp(1, BATCH))
            .with_shuffle(false)
            .with_drop_last(false)
            .with_on_corrupt(on_corrupt);
        let views = Views::repeat(pipeline, 1).map_err(TaskError::other)?;
        let loader = config.init(source, views)?;
        let loader = if quiet { loader.without_warnings() } else { loader };
        Ok(Self { loader: Arc::new(loader), chosen })
    }

    /// The same images in batches of another size, read by so many threads; 0 for one a core.
    ///
    /// # Errors
    /// For a batch of no image.
    pub fn with_loading(self, batch: usize, workers: usize) -> Result<Self, TaskError> {
        let config = ViewLoaderConfig { batch_size: batch, workers, ..*self.loader.config() };
        let loader = config.init(Arc::clone(self.loader.source()), self.loader.views().clone())?;
        Ok(Self { loader: Arc::new(loader), ..self })
    }

    /// All but every `n`-th image, and every `n`-th.
    pub fn split(&self, n: usize) -> (Self, Self) {
        let part = |held_out: bool| {
            let kept = self.chosen.iter().enumerate().filter(|(place, _)| place.is_multiple_of(n) == held_out);
            Self { chosen: kept.map(|(_, chosen)| *chosen).collect(), ..self.clone() }
        };
        (part(false), part(true))
    }

    /// `count` of them at most, spread evenly: files are often sorted by class.
    pub fn thinned(&self, count: usize) -> Self {
        let (total, count) = (self.chosen.len(), count.min(self.chosen.len()));
        let chosen = (0..count).map(|place| self.chosen[place * total / count.max(1)]).collect();
        Self { chosen, ..self.clone() }
    }

    /// Some of them, by place.
    pub fn slice(&self, places: std::ops::Range<usize>) -> Self {
        let chosen = self.chosen.get(places).unwrap_or_default().to_vec();
        Self { chosen, ..self.clone() }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// What was handed out and left out so far.
    pub fn report(&self) -> slowburn_augment::loader::Report {
        self.loader.report()
    }

    /// Index and class of each image.
    pub fn chosen(&self) -> &[(usize, usize)] {
        &self.chosen
    }

    /// Images `[batch, channels, height, width]` on a device, with index and class of each, in order. Images that were left
    /// out are missing.
    ///
    /// # Errors
    /// Those of the loader.
    pub fn batches(
        &self,
        device: &Device,
    ) -> Result<impl Iterator<Item = Result<ImageBatch, TaskError>> + '_, TaskError> {
        let size = self.loader.config().batch_size;
        let chunks: Vec<&[(usize, usize)]> = self.chosen.chunks(size).collect();
        let indices = chunks.iter().map(|chunk| chunk.iter().map(|&(index, _)| index).collect()).collect();
        let device = device.clone();
        Ok(self.loader.sampled(0, indices)?.map(move |batch| {
            let batch = batch?;
            let mut wanted = chunks[batch.index].iter();
            // In order, with gaps where images were left out.
            let class = |sample: &usize| wanted.find(|(index, _)| index == sample).map_or(0, |&(_, class)| class);
            let classes = batch.samples.iter().map(class).collect();
            let samples = batch.samples.clone();
            let Some(images) = batch.into_tensors(&device).into_iter().next() else {
                return Err(TaskError::other("the loader made no view"));
            };
            Ok(ImageBatch { images, classes, samples })
        }))
    }
}

/// The size of the first image that can be decoded, which fits the pipeline.
fn first_size(
    source: &dyn Source,
    chosen: &[(usize, usize)],
    pipeline: &Pipeline,
    on_corrupt: OnCorrupt,
) -> Result<ImageSize, TaskError> {
    let mut buffers = ReadBuffers::default();
    let mut broken = None;
    for &(index, _) in chosen {
        match source.read(index, &mut buffers) {
            Ok(sample) => {
                let size = sample.image.size();
                let unsuitable = |error| TaskError::other(format!("{}: {error}", source.name(index)));
                return pipeline.validate_for(size).map(|()| size).map_err(unsuitable);
            }
            Err(error) if on_corrupt == OnCorrupt::Skip => broken = broken.or(Some(error)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(TaskError::other(match broken {
        Some(error) => format!("none of the images can be read; the first: {error}"),
        None => "there is no image to evaluate on".to_owned(),
    }))
}

impl std::fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSet").field("images", &self.len()).finish_non_exhaustive()
    }
}

/// A batch of an [`ImageSet`].
#[derive(Debug)]
pub struct ImageBatch {
    /// `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// The class of each.
    pub classes: Vec<usize>,
    /// The index of each in the source.
    pub samples: Vec<usize>,
}
