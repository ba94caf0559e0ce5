//! Applying views to a batch on the device that holds it, with tensor operations.

mod augment;
mod blur;
mod color;
mod geometry;
mod values;

use burn::tensor::Tensor;

use crate::plan::{SourceMap, augmented, moves_pixels};
use crate::{AugmentError, Augmented, Drawn, ImageSize, Operation, Pipeline, View};

/// What one operation drew for each image of the batch; `None` where it is not applied.
type DrawnBatch<'a> = [Option<&'a Drawn>];

impl Pipeline {
    /// Applies one view to each image of a batch with tensor operations, on the device that holds the batch. Values
    /// in \[0, 1\] are assumed, bytes divided by 255.
    ///
    /// Consecutive movements are one gather. Noise, the corners of rotations and shears and the masks of patches are computed on
    /// the host and copied to the device (N·C·H·W floats and N·H·W indices); of all else a few numbers per image, row or column
    /// are. `RandAugment` computes the images that drew operations of a kind together.
    ///
    /// Agrees with [`apply_batch`](Pipeline::apply_batch) in f32 to 1e-6 (absolute) for movements, flips, noise and
    /// normalisation; to 1e-5 for colours, blurs and standardisation, whose sums are made in another order; and to
    /// 1.01/255 for each bilinear resized crop (1.13/255 for a bicubic one), which the CPU path rounds to bytes as
    /// Pillow does and this path does not. Operations after a crop amplify the difference as they amplify the values: a
    /// jitter of strength 0.4 makes it 4/255 at most, 0.4/255 on average. In
    /// [`PixelArithmetic::Bytes`](crate::PixelArithmetic::Bytes) the CPU path rounds colours and blurs too.
    ///
    /// `Equalize` and `Posterize` begin with the nearest bytes on both paths: on images of bytes they are equal, behind an
    /// operation in real numbers a value half-way between two bytes may become the other one.
    ///
    /// # Shapes
    ///
    /// `[batch, channels, height, width]` to the same with the [output size](Pipeline::output_size).
    ///
    /// # Errors
    ///
    /// Those of [`apply_batch`](Pipeline::apply_batch).
    pub fn apply_on_device(&self, batch: Tensor<4>, views: &[View]) -> Result<Tensor<4>, AugmentError> {
        let [count, channels, height, width] = batch.dims();
        if count != views.len() {
            return Err(AugmentError::BatchLength { images: count, views: views.len() });
        }
        if count == 0 {
            return Ok(batch);
        }
        let size = ImageSize::new(height, width, channels);
        self.validate_for(size)?;
        for view in views {
            self.check_view(view, size)?;
        }

        let mut canvas = Canvas { batch, maps: None, unit_range: true };
        for (position, operation) in self.operations().iter().enumerate() {
            let drawn: Vec<Option<&Drawn>> = views.iter().map(|view| Some(&view.drawn[position])).collect();
            canvas.apply(operation, &drawn, views);
        }
        Ok(canvas.settle())
    }
}

/// A batch with movements that are put off.
struct Canvas {
    batch: Tensor<4>,
    /// One map per image, of the movements since the last operation of another kind.
    maps: Option<Vec<SourceMap>>,
    unit_range: bool,
}

impl Canvas {
    fn apply(&mut self, operation: &Operation, drawn: &DrawnBatch<'_>, views: &[View]) {
        if let Operation::RandomApply { operations, .. } = operation {
            for (index, operation) in operations.iter().enumerate() {
                let inner: Vec<_> = drawn.iter().map(|drawn| nested(*drawn, index)).collect();
                self.apply(operation, &inner, views);
            }
        } else if drawn.iter().all(Option::is_none) {
            // Applied to no image.
        } else if drawn.iter().flatten().any(|drawn| moves_pixels(drawn)) {
            let [count, channels, height, width] = self.batch.dims();
            let size = ImageSize::new(height, width, channels);
            let maps = self.maps.get_or_insert_with(|| vec![SourceMap::identity(size); count]);
            for (map, drawn) in maps.iter_mut().zip(drawn) {
                if let Some(drawn) = drawn {
                    map.then(drawn);
                }
            }
        } else {
            let batch = self.settle();
            self.batch = self.change(operation, batch, drawn, views);
            self.unit_range &= !operation.leaves_unit_range();
        }
    }

    /// Moves the pixels.
    fn settle(&mut self) -> Tensor<4> {
        geometry::gather(self.batch.clone(), self.maps.take())
    }

    /// An operation that is not a movement.
    fn change(&self, operation: &Operation, batch: Tensor<4>, drawn: &DrawnBatch<'_>, views: &[View]) -> Tensor<4> {
        match operation {
            Operation::RandomResizedCrop { height, width, filter, .. } => {
                let boxes = geometry::boxes(drawn, &batch);
                geometry::resize(batch, &boxes, [*height as usize, *width as usize], *filter, self.unit_range)
            }
            Operation::Resize { to, filter } => {
                let [count, channels, height, width] = batch.dims();
                let output = to.applied_to(ImageSize::new(height, width, channels));
                let boxes = vec![[0, 0, height, width]; count];
                geometry::resize(batch, &boxes, [output.height, output.width], *filter, self.unit_range)
            }
            Operation::CenterCrop { height, width } => geometry::center_crop(batch, *height as usize, *width as usize),
            Operation::Rotate { filter, border, .. } => geometry::rotate(batch, drawn, *filter, *border),
            Operation::ColorJitter { .. } => color::jitter(batch, drawn),
            Operation::Grayscale { .. } => color::gray(batch, drawn),
            Operation::Solarize { threshold, .. } => color::solarize(batch, *threshold, drawn),
            Operation::Shear { border, .. } => geometry::shear(batch, *border, drawn),
            Operation::AutoContrast { .. }
            | Operation::Equalize { .. }
            | Operation::Posterize { .. }
            | Operation::Sharpness { .. } => {
                let single: Vec<_> = drawn.iter().map(|drawn| drawn.and_then(augmented)).collect();
                augment::augment(batch, &single)
            }
            Operation::RandAugment { ops, .. } => (0..*ops as usize).fold(batch, |batch, place| {
                let of_place: Vec<_> = drawn.iter().map(|drawn| augmented_at(*drawn, place)).collect();
                augment::augment(batch, &of_place)
            }),
            Operation::MaskPatches { patch, fill, .. } => geometry::mask_patches(batch, *patch, *fill, drawn, views),
            Operation::GaussianBlur { kernel, .. } => blur::blur(batch, *kernel, drawn),
            Operation::Cutout { side, fill } => geometry::cut_out(batch, *side as usize, *fill, drawn),
            Operation::GaussianNoise { std } => values::add_noise(batch, *std, drawn, views),
            // These draw nothing, but a `RandomApply` may contain them.
            Operation::Normalize { .. } | Operation::Standardize { .. } | Operation::GlobalContrast { .. } => {
                let changed = values::normalize(operation, batch.clone());
                values::where_applied(drawn, changed, batch)
            }
            // Movements are gathered, lists taken apart.
            Operation::HorizontalFlip { .. } | Operation::Translate { .. } | Operation::RandomApply { .. } => batch,
        }
    }
}

/// What a `RandAugment` applies at `place`.
fn augmented_at(drawn: Option<&Drawn>, place: usize) -> Option<Augmented> {
    match drawn {
        Some(Drawn::RandAugment { applied }) => applied.get(place).copied(),
        _ => None,
    }
}

/// What the operation `index` of a `RandomApply` drew.
fn nested(drawn: Option<&Drawn>, index: usize) -> Option<&Drawn> {
    match drawn {
        Some(Drawn::RandomApply { drawn: Some(drawn) }) => drawn.get(index),
        _ => None,
    }
}
