//! Applying views on the CPU: one image at a time, from bytes to values.

mod augment;
mod blur;
mod canvas;
mod color;
mod movement;
mod pillow;
mod resize;
mod rotate;
mod scratch;
mod values;

use rayon::prelude::*;

use crate::plan::{moves_pixels, steps};
use crate::{AugmentError, Image, Pipeline, View};
use canvas::Canvas;
use scratch::Scratch;

impl Pipeline {
    /// Applies `view` to `image` on the CPU and writes C×H×W values of the [output size](Pipeline::output_size).
    ///
    /// Crops and movements at the start work on the bytes, as Pillow's do; they, the division by 255 and the change
    /// to C×H×W are one pass. Everything after it is computed in f32, in the pipeline's [`PixelArithmetic`](crate::PixelArithmetic).
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for); [`AugmentError::ForeignView`] if another pipeline drew the view;
    /// [`AugmentError::TranslateTooFar`] or [`AugmentError::InvalidDraw`] if it was drawn for a larger image;
    /// [`AugmentError::NeedsUnitRange`] if an operation on values in [0, 1] meets an image of other
    /// [values](Image::from_values); [`AugmentError::OutputLength`]. Nothing is written then.
    pub fn apply(&self, view: &View, image: Image<'_>, out: &mut [f32]) -> Result<(), AugmentError> {
        let size = image.size();
        self.validate_for(size)?;
        self.check_image(image)?;
        self.check_view(view, size)?;
        let expected = self.output_size(size).values();
        if out.len() != expected {
            return Err(AugmentError::OutputLength { expected, found: out.len() });
        }
        self.apply_valid(view, image, out);
        Ok(())
    }

    /// Applies one view to each image, on all threads of rayon's pool; N×C×H×W values. The images may differ in size
    /// if the pipeline gives them one.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Pipeline::apply); [`AugmentError::BatchLength`] if there is not one view per image;
    /// [`AugmentError::BatchSizes`] if the views differ in size.
    pub fn apply_batch(&self, images: &[Image<'_>], views: &[View]) -> Result<Vec<f32>, AugmentError> {
        if images.len() != views.len() {
            return Err(AugmentError::BatchLength { images: images.len(), views: views.len() });
        }
        let Some(first) = images.first() else {
            return Ok(Vec::new());
        };
        let size = self.output_size(first.size());
        let mut checked = None;
        for (index, (image, view)) in images.iter().zip(views).enumerate() {
            if checked != Some(image.size()) {
                self.validate_for(image.size())?;
                checked = Some(image.size());
            }
            self.check_image(*image)?;
            let found = self.output_size(image.size());
            if found != size {
                return Err(AugmentError::BatchSizes { index, expected: size, found });
            }
            self.check_view(view, image.size())?;
        }

        let values = size.values();
        let mut batch = vec![0.0; images.len() * values];
        batch
            .par_chunks_exact_mut(values)
            .zip(images.par_iter().zip(views))
            .for_each(|(out, (image, view))| self.apply_valid(view, *image, out));
        Ok(batch)
    }

    /// Operations on values in [0, 1] cannot be applied to images of other values.
    fn check_image(&self, image: Image<'_>) -> Result<(), AugmentError> {
        if image.bytes().is_some() {
            return Ok(());
        }
        let mut left = Some("an image of values, whose range is not known,".to_owned());
        let mut operations = self.operations().iter().enumerate();
        operations.try_for_each(|(position, operation)| operation.validate_units(position, &mut left))
    }

    /// Applies a view that was checked.
    fn apply_valid(&self, view: &View, image: Image<'_>, out: &mut [f32]) {
        let steps = steps(self.operations(), view);
        // What comes before the last change of size, and the movements behind it, is done where the image is; the
        // rest in the output.
        let resized = steps.iter().rposition(|(operation, _)| operation.changes_size()).map_or(0, |last| last + 1);
        let moved = steps[resized..].iter().take_while(|(_, drawn)| moves_pixels(drawn)).count();
        let (before, after) = steps.split_at(resized + moved);
        Scratch::with(|scratch| {
            let mut canvas = Canvas::new(image);
            for (operation, drawn) in before {
                canvas.apply(self.arithmetic(), (operation, drawn), view.key, scratch);
            }
            let size = canvas.size();
            canvas.finish(out, scratch);
            for (operation, drawn) in after {
                values::change(self.arithmetic(), (operation, drawn), view.key, size, out, scratch);
            }
        });
    }
}
