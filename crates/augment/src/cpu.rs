use rayon::prelude::*;

use crate::geometry::{SourceMap, moves_pixels};
use crate::view::noise;
use crate::{Drawn, Error, Image, ImageSize, Operation, Pipeline, View};

impl Pipeline {
    /// Applies `view` to `image` on the CPU and writes C×H×W values of the [output size](Pipeline::output_size).
    ///
    /// Bytes are divided by 255 first. The movements before the first other operation cost nothing of their own:
    /// they and the conversion are one pass over the pixels.
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for); [`Error::ForeignView`] if another pipeline drew the view;
    /// [`Error::TranslateTooFar`] if it was drawn for a larger image; [`Error::OutputLength`].
    /// Nothing is written then.
    pub fn apply(&self, view: &View, image: Image<'_>, out: &mut [f32]) -> Result<(), Error> {
        let size = image.size();
        self.validate_for(size)?;
        self.check_view(view, size)?;
        let expected = self.output_size(size).values();
        if out.len() != expected {
            return Err(Error::OutputLength { expected, found: out.len() });
        }
        self.apply_valid(view, image, out);
        Ok(())
    }

    /// Applies one view to each image, on all threads of rayon's pool; N×C×H×W values.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Pipeline::apply); [`Error::BatchLength`] if there is not one view per image;
    /// [`Error::BatchSizes`] if the images differ in size.
    pub fn apply_batch(&self, images: &[Image<'_>], views: &[View]) -> Result<Vec<f32>, Error> {
        if images.len() != views.len() {
            return Err(Error::BatchLength { images: images.len(), views: views.len() });
        }
        let Some(first) = images.first() else {
            return Ok(Vec::new());
        };
        let size = first.size();
        self.validate_for(size)?;
        for (index, (image, view)) in images.iter().zip(views).enumerate() {
            if image.size() != size {
                return Err(Error::BatchSizes { index, expected: size, found: image.size() });
            }
            self.check_view(view, size)?;
        }

        let values = self.output_size(size).values();
        let mut batch = vec![0.0; images.len() * values];
        batch
            .par_chunks_exact_mut(values)
            .zip(images.par_iter().zip(views))
            .for_each(|(out, (image, view))| self.apply_valid(view, *image, out));
        Ok(batch)
    }

    /// Applies a view that was checked.
    fn apply_valid(&self, view: &View, image: Image<'_>, out: &mut [f32]) {
        let size = image.size();
        let leading = view.drawn.iter().take_while(|d| moves_pixels(d)).count();
        let mut map = SourceMap::identity(size);
        for drawn in &view.drawn[..leading] {
            map.then(drawn);
        }
        convert(image, &map, out);
        for (operation, drawn) in self.operations.iter().zip(&view.drawn).skip(leading) {
            if moves_pixels(drawn) {
                let mut map = SourceMap::identity(size);
                map.then(drawn);
                rearrange(size, &map, out);
            } else {
                change_values(operation, drawn, view, size, out);
            }
        }
    }
}

/// Bytes in H×W×C to values of [0, 1] in C×H×W, each from the place `map` says.
fn convert(image: Image<'_>, map: &SourceMap, out: &mut [f32]) {
    let ImageSize { width, channels, .. } = image.size();
    let pixels = image.pixels();
    for (channel, plane) in out.chunks_exact_mut(map.rows.len() * width).enumerate() {
        for (&row, line) in map.rows.iter().zip(plane.chunks_exact_mut(width)) {
            let source = &pixels[row * width * channels..(row + 1) * width * channels];
            for (&column, value) in map.columns.iter().zip(line) {
                *value = f32::from(source[column * channels + channel]) / 255.0;
            }
        }
    }
}

/// Moves values that are C×H×W already.
fn rearrange(size: ImageSize, map: &SourceMap, values: &mut [f32]) {
    if map.is_identity() {
        return;
    }
    let plane_len = size.height * size.width;
    let mut source = vec![0.0; plane_len];
    for plane in values.chunks_exact_mut(plane_len) {
        source.copy_from_slice(plane);
        for (&row, line) in map.rows.iter().zip(plane.chunks_exact_mut(size.width)) {
            for (&column, value) in map.columns.iter().zip(line) {
                *value = source[row * size.width + column];
            }
        }
    }
}

/// An operation that leaves pixels in their place.
fn change_values(operation: &Operation, drawn: &Drawn, view: &View, size: ImageSize, values: &mut [f32]) {
    match (operation, drawn) {
        (Operation::GaussianNoise { std }, Drawn::GaussianNoise { stream }) => {
            for (value, noise) in values.iter_mut().zip(noise(view.key, *stream)) {
                *value += std * noise;
            }
        }
        (Operation::Normalize { mean, std }, _) => {
            let planes = values.chunks_exact_mut(size.height * size.width);
            for (plane, (mean, std)) in planes.zip(mean.iter().zip(std)) {
                for value in plane {
                    *value = (*value - mean) / std;
                }
            }
        }
        (Operation::Standardize { epsilon }, _) => standardize(*epsilon, values),
        // Movements, and pairs that `check_view` refused.
        _ => {}
    }
}

/// Mean and variance are summed in f64, so that a constant image becomes exactly 0.
fn standardize(epsilon: f32, values: &mut [f32]) {
    let count = values.len() as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
    let std = (variance + f64::from(epsilon)).sqrt();
    for value in values {
        *value = ((f64::from(*value) - mean) / std) as f32;
    }
}
