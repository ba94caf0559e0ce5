use burn::tensor::{Int, Tensor, TensorData};

use super::DrawnBatch;
use super::values::{like, mask};
use crate::plan::{self, Affine, PatchGrid, Rotation, SourceMap, Taps, center_start, square};
use crate::view::noise;
use crate::{Border, Drawn, Filter, ImageSize, MaskFill, RotationFilter, View};

/// Places as a tensor.
fn places<const D: usize>(batch: &Tensor<4>, places: Vec<i32>, shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(places, shape), &batch.device())
}

/// Takes each pixel of the output from the place its image's map says.
pub(super) fn gather(batch: Tensor<4>, maps: Option<Vec<SourceMap>>) -> Tensor<4> {
    let [count, _, height, width] = batch.dims();
    let maps = match maps {
        Some(maps) if !maps.iter().all(|map| map.is_identity(height, width)) => maps,
        _ => return batch,
    };
    let axis = |of: fn(&SourceMap) -> &[usize], shape: [usize; 3]| {
        places(&batch, maps.iter().flat_map(|map| of(map).iter().map(|place| *place as i32)).collect(), shape)
    };
    let rows = axis(|map| &map.rows, [count, height, 1]);
    let columns = axis(|map| &map.columns, [count, 1, width]);
    gather_pixels(batch, (rows * width as i64 + columns).reshape([count, height * width]))
}

/// Takes each pixel of the output, `[batch, height·width]`, from that place in its image.
fn gather_pixels(batch: Tensor<4>, places: Tensor<2, Int>) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let places = places.reshape([count, 1, height * width]).expand([count, channels, height * width]);
    batch.reshape([count, channels, height * width]).gather(2, places).reshape([count, channels, height, width])
}

/// The boxes (top, left, height, width) of crops.
pub(super) fn boxes(drawn: &DrawnBatch<'_>, batch: &Tensor<4>) -> Vec<[usize; 4]> {
    let [_, _, rows, columns] = batch.dims();
    drawn
        .iter()
        .map(|drawn| match drawn {
            Some(Drawn::RandomResizedCrop { top, left, height, width }) => {
                [*top, *left, *height, *width].map(|number| number as usize)
            }
            _ => [0, 0, rows, columns],
        })
        .collect()
}

/// Resizes one box of each image: along each axis a sum of as many gathers as the widest box has weights.
pub(super) fn resize(
    batch: Tensor<4>,
    boxes: &[[usize; 4]],
    [height, width]: [usize; 2],
    filter: Filter,
    clamp: bool,
) -> Tensor<4> {
    let columns = || boxes.iter().map(|[_, left, _, columns]| Taps::new(*left, *columns, width, filter)).collect();
    let rows = || boxes.iter().map(|[top, _, rows, _]| Taps::new(*top, *rows, height, filter)).collect();
    // A cubic overshoots. That is cut off between the axes too, as on the CPU, where bytes cannot hold it.
    let cuts = clamp && filter == Filter::Bicubic;
    let cut = |resized: Tensor<4>| if cuts { resized.clamp(0.0, 1.0) } else { resized };
    let width_first = || cut(resample(cut(resample(batch.clone(), 3, columns())), 2, rows()));
    let height_first = || cut(resample(cut(resample(batch.clone(), 2, rows())), 3, columns()));
    // Which axis is first matters where something is cut off between them.
    let output = ImageSize::new(height, width, batch.dims()[1]);
    let first: Vec<bool> =
        boxes.iter().map(|[_, _, rows, columns]| cuts && plan::height_first([*rows, *columns], output)).collect();
    match (first.contains(&false), first.contains(&true)) {
        (_, false) => width_first(),
        (false, true) => height_first(),
        (true, true) => {
            let resized = width_first();
            let first = mask(&resized, first.into_iter()).expand(resized.dims());
            resized.mask_where(first, height_first())
        }
    }
}

/// Resizes along the axis 2 (rows) or 3 (columns), each image with its own weights.
fn resample(batch: Tensor<4>, axis: usize, taps: Vec<Taps>) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let last = batch.dims()[axis] - 1;
    let output = taps[0].starts.len();
    let widest = taps.iter().map(|taps| taps.width).max().unwrap_or(0);
    let (mut shape, mut expanded) = ([count, 1, 1, 1], [count, channels, height, width]);
    shape[axis] = output;
    expanded[axis] = output;
    let mut sum = Tensor::zeros(expanded, (&batch.device(), batch.dtype()));
    for tap in 0..widest {
        let mut from = Vec::with_capacity(count * output);
        let mut weights = Vec::with_capacity(count * output);
        for taps in &taps {
            for (place, start) in taps.starts.iter().enumerate() {
                from.push((start + tap).min(last) as i32);
                weights.push(taps.of(place).get(tap).copied().unwrap_or(0.0));
            }
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            continue;
        }
        let from = places(&batch, from, shape).expand(expanded);
        sum = sum + batch.clone().gather(axis, from) * like(&batch, weights, shape);
    }
    sum
}

pub(super) fn center_crop(batch: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [_, _, rows, columns] = batch.dims();
    batch.narrow(2, center_start(rows, height), height).narrow(3, center_start(columns, width), width)
}

pub(super) fn rotate(batch: Tensor<4>, drawn: &DrawnBatch<'_>, filter: RotationFilter, border: Border) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let size = ImageSize::new(height, width, channels);
    let rotations = drawn.iter().map(|drawn| match drawn {
        Some(Drawn::Rotate { degrees }) => Rotation::new(*degrees, size),
        _ => Rotation::new(0.0, size),
    });
    let pixels = height * width;
    let corners = match filter {
        RotationFilter::Nearest => 1,
        RotationFilter::Bilinear => 4,
    };
    // One list of places and weights per corner, over all images.
    let mut from = vec![Vec::with_capacity(count * pixels); corners];
    let mut weights = vec![Vec::with_capacity(count * pixels); corners];
    let mut outside = Vec::with_capacity(count * pixels);
    for rotation in rotations {
        match filter {
            RotationFilter::Nearest => {
                for (row, column) in rotation.nearest() {
                    let (y, x) = (row.clamp(0, height as i64 - 1), column.clamp(0, width as i64 - 1));
                    from[0].push((y * width as i64 + x) as i32);
                    weights[0].push(1.0);
                    outside.push(if (y, x) == (row, column) { 0.0 } else { 1.0 });
                }
            }
            RotationFilter::Bilinear => {
                for (corner_list, inside) in rotation.bilinear() {
                    for (corner, (place, weight)) in corner_list.into_iter().enumerate() {
                        from[corner].push(place as i32);
                        weights[corner].push(weight);
                    }
                    outside.push(if inside { 0.0 } else { 1.0 });
                }
            }
        }
    }
    let image_shape = [count, 1, height, width];
    let rotated = from
        .into_iter()
        .zip(weights)
        .map(|(from, weights)| {
            let gathered = gather_pixels(batch.clone(), places(&batch, from, [count, pixels]));
            if corners == 1 { gathered } else { gathered * like(&batch, weights, image_shape) }
        })
        .reduce(|sum, corner| sum + corner)
        .unwrap_or_else(|| batch.clone());
    match border {
        Border::Edge => rotated,
        Border::Fill(value) => {
            let outside = like(&batch, outside, image_shape).greater_elem(0.5).expand([count, channels, height, width]);
            rotated.mask_fill(outside, value)
        }
    }
}

/// Takes each pixel of each image from the place that the image's map says.
pub(super) fn move_nearest(batch: Tensor<4>, maps: Vec<Affine>, border: Border) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let (last_row, last_column) = (height as i64 - 1, width as i64 - 1);
    let mut from = Vec::with_capacity(count * height * width);
    let mut outside = Vec::with_capacity(count * height * width);
    for (row, column) in maps.iter().flat_map(|map| map.nearest([height, width])) {
        let (y, x) = (row.clamp(0, last_row), column.clamp(0, last_column));
        from.push((y * width as i64 + x) as i32);
        outside.push(if (y, x) == (row, column) { 0.0 } else { 1.0 });
    }
    let moved = gather_pixels(batch.clone(), places(&batch, from, [count, height * width]));
    match border {
        Border::Edge => moved,
        Border::Fill(value) => {
            let outside = like(&batch, outside, [count, 1, height, width]).greater_elem(0.5);
            moved.mask_fill(outside.expand([count, channels, height, width]), value)
        }
    }
}

pub(super) fn shear(batch: Tensor<4>, border: Border, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let maps = drawn.iter().map(|drawn| match drawn {
        Some(Drawn::Shear { x, y }) => Affine::shear(*x, *y),
        _ => Affine::IDENTITY,
    });
    move_nearest(batch, maps.collect(), border)
}

pub(super) fn mask_patches(
    batch: Tensor<4>,
    patch: u32,
    fill: MaskFill,
    drawn: &DrawnBatch<'_>,
    views: &[View],
) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let grid = PatchGrid::new(patch, ImageSize::new(height, width, channels));
    let mut masks = Vec::with_capacity(count * height * width);
    let mut filled = Vec::new();
    for (drawn, view) in drawn.iter().zip(views) {
        let (patches, stream): (&[u32], _) = match drawn {
            Some(Drawn::MaskPatches { patches, noise }) => (patches, *noise),
            _ => (&[], None),
        };
        let covered = grid.covered(patches);
        masks.extend(covered.iter().map(|covered| if *covered { 1.0 } else { 0.0 }));
        if let MaskFill::Noise { std } = fill {
            let mut noise = stream.map(|stream| noise(view.key, stream));
            let mut value = |covered: bool| if covered { noise.as_mut().and_then(Iterator::next) } else { None };
            for _ in 0..channels {
                filled.extend(covered.iter().map(|covered| value(*covered).map_or(0.0, |noise| std * noise)));
            }
        }
    }
    let masked = like(&batch, masks, [count, 1, height, width]).greater_elem(0.5);
    let masked = masked.expand([count, channels, height, width]);
    match fill {
        MaskFill::Value(value) => batch.mask_fill(masked, value),
        MaskFill::Noise { .. } => {
            let noise = like(&batch, filled, [count, channels, height, width]);
            batch.mask_where(masked, noise)
        }
    }
}

pub(super) fn cut_out(batch: Tensor<4>, side: usize, fill: f32, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let size = ImageSize::new(height, width, channels);
    let (mut in_rows, mut in_columns) = (vec![0.0; count * height], vec![0.0; count * width]);
    for (image, drawn) in drawn.iter().enumerate() {
        if let Some(Drawn::Cutout { x, y }) = drawn {
            let [rows, columns] = square(side, (*x as usize, *y as usize), size);
            in_rows[image * height..][rows].fill(1.0);
            in_columns[image * width..][columns].fill(1.0);
        }
    }
    let rows = like(&batch, in_rows, [count, 1, height, 1]);
    let columns = like(&batch, in_columns, [count, 1, 1, width]);
    let inside = (rows * columns).greater_elem(0.5).expand([count, channels, height, width]);
    let applied = mask(&batch, drawn.iter().map(Option::is_some));
    batch.mask_fill(inside.bool_and(applied), fill)
}
