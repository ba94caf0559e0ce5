use burn::tensor::{Int, Tensor, TensorData};

use crate::geometry::{SourceMap, moves_pixels};
use crate::view::noise;
use crate::{Drawn, Error, ImageSize, Operation, Pipeline, View};

impl Pipeline {
    /// Applies one view to each image of a batch with tensor operations, on the device that holds the batch.
    ///
    /// Consecutive movements are one gather. Noise is drawn on the host, with the values of the CPU path, and
    /// copied to the device: N·C·H·W floats per batch, of all operations the only one that copies more than a few
    /// indices per image.
    ///
    /// Agrees with [`apply_batch`](Pipeline::apply_batch) to 1e-6 (absolute) in f32, to 1e-5 after
    /// [`Operation::Standardize`], whose sums the CPU path makes in f64.
    ///
    /// # Shapes
    ///
    /// `[batch, channels, height, width]`, values in [0, 1], to the same.
    ///
    /// # Errors
    ///
    /// Those of [`apply_batch`](Pipeline::apply_batch).
    pub fn apply_on_device(&self, batch: Tensor<4>, views: &[View]) -> Result<Tensor<4>, Error> {
        let [count, channels, height, width] = batch.dims();
        if count != views.len() {
            return Err(Error::BatchLength { images: count, views: views.len() });
        }
        if count == 0 {
            return Ok(batch);
        }
        let size = ImageSize::new(height, width, channels);
        self.validate_for(size)?;
        for view in views {
            self.check_view(view, size)?;
        }

        // One map per image, of the movements since the last operation that was none.
        let mut maps: Option<Vec<SourceMap>> = None;
        let mut batch = batch;
        for (position, operation) in self.operations.iter().enumerate() {
            if moves_pixels(&views[0].drawn[position]) {
                let maps = maps.get_or_insert_with(|| vec![SourceMap::identity(size); count]);
                for (map, view) in maps.iter_mut().zip(views) {
                    map.then(&view.drawn[position]);
                }
            } else {
                batch = gather(batch, maps.take());
                batch = change_values(operation, position, batch, views);
            }
        }
        Ok(gather(batch, maps))
    }
}

/// Takes each pixel of the output from the place its image's map says.
fn gather(batch: Tensor<4>, maps: Option<Vec<SourceMap>>) -> Tensor<4> {
    let maps = match maps {
        Some(maps) if !maps.iter().all(SourceMap::is_identity) => maps,
        _ => return batch,
    };
    let [count, channels, height, width] = batch.dims();
    let device = batch.device();
    let axis = |of: fn(&SourceMap) -> &[usize], shape: [usize; 3]| {
        let places: Vec<i32> = maps.iter().flat_map(|map| of(map).iter().map(|place| *place as i32)).collect();
        Tensor::<3, Int>::from_data(TensorData::new(places, shape), &device)
    };
    let rows = axis(|map| &map.rows, [count, height, 1]);
    let columns = axis(|map| &map.columns, [count, 1, width]);
    let places = (rows * width as i64 + columns) // [batch, height, width]
        .reshape([count, 1, height * width])
        .expand([count, channels, height * width]);
    batch.reshape([count, channels, height * width]).gather(2, places).reshape([count, channels, height, width])
}

/// An operation that leaves pixels in their place.
fn change_values(operation: &Operation, position: usize, batch: Tensor<4>, views: &[View]) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let like_batch = |values: Vec<f32>, shape: [usize; 4]| {
        Tensor::<4>::from_data(TensorData::new(values, shape), (&batch.device(), batch.dtype()))
    };
    match operation {
        Operation::GaussianNoise { std } => {
            let mut values = Vec::with_capacity(count * channels * height * width);
            for view in views {
                if let Drawn::GaussianNoise { stream } = view.drawn[position] {
                    values.extend(noise(view.key, stream).take(channels * height * width).map(|noise| std * noise));
                }
            }
            let noise = like_batch(values, [count, channels, height, width]);
            batch + noise
        }
        Operation::Normalize { mean, std } => {
            let mean = like_batch(mean.clone(), [1, channels, 1, 1]);
            let std = like_batch(std.clone(), [1, channels, 1, 1]);
            (batch - mean) / std
        }
        Operation::Standardize { epsilon } => {
            let mean = batch.clone().mean_dims(&[1, 2, 3]); // [batch, 1, 1, 1]
            let centred = batch - mean;
            let variance = centred.clone().square().mean_dims(&[1, 2, 3]);
            centred / (variance + *epsilon).sqrt()
        }
        // Movements are gathered.
        Operation::HorizontalFlip { .. } | Operation::Translate { .. } => batch,
    }
}
