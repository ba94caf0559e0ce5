//! Gradients as they lie in memory: in the order of their weight, or with its first two axes swapped, which is how Burn
//! leaves those of convolutions; where a convolution has a stride, they are part of a larger tensor besides. Putting a
//! whole one in order takes several times as long as the step itself, most of it for fresh memory, so it is put in order
//! tile by tile, in memory that stays with the thread and in its cache.

use std::cell::RefCell;
use std::ops::Range;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;

/// Weights that a core takes at a time.
const PIECE: usize = 1 << 15;

/// Numbers that lie together in a swapped gradient and are read together.
const TOGETHER: usize = 9 * 16;

/// Columns that are put in order at a time: weights and velocities are two of the three, and like long rows more than
/// the gradient does. The tile, 288 KiB with kernels of 3×3, stays in a core's second cache.
const COLUMNS: usize = 512;

thread_local! {
    static ORDERED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// A gradient in f32, to be read in the order of its weight.
pub(super) struct Gradient {
    tensor: FloatTensor<Flex>,
    /// Where its numbers begin.
    start: usize,
    swapped: Option<Swapped>,
}

/// A weight is `[rows, columns, run…]`, this gradient lies as `[columns, rows, run…]`, or as part of such a tensor.
#[derive(Debug, PartialEq)]
struct Swapped {
    columns: usize,
    /// From a row to the next, and from a column to the next.
    steps: [usize; 2],
    /// Where the numbers of a run lie, those of a kernel.
    run: Vec<usize>,
    /// How far a run reaches.
    span: usize,
}

impl Gradient {
    pub(super) fn of(tensor: FloatTensor<Flex>) -> Self {
        let layout = tensor.layout();
        if let Some((start, _)) = layout.contiguous_offsets() {
            return Self { tensor, start, swapped: None };
        }
        if let Some(swapped) = Swapped::of(layout.shape(), layout.strides()) {
            return Self { start: layout.start_offset(), tensor, swapped: Some(swapped) };
        }
        // Memory that holds it and nothing else.
        Self { tensor: tensor.to_contiguous(), start: 0, swapped: None }
    }

    /// Weights of a piece, but for the last.
    pub(super) fn piece(&self) -> usize {
        match &self.swapped {
            None => PIECE,
            Some(swapped) => (TOGETHER / swapped.run.len()).max(1) * swapped.row(),
        }
    }

    /// Calls `f` with every part of the `length` weights of piece `number` and the gradient there.
    pub(super) fn each(&self, number: usize, length: usize, mut f: impl FnMut(Range<usize>, &[f32])) {
        let all = &self.tensor.storage::<f32>()[self.start..];
        let from = number * self.piece();
        match &self.swapped {
            None => f(0..length, &all[from..][..length]),
            Some(swapped) => ORDERED.with_borrow_mut(|tile| {
                let (first, rows) = (from / swapped.row(), length / swapped.row());
                for left in (0..swapped.columns).step_by(COLUMNS) {
                    let wide = COLUMNS.min(swapped.columns - left) * swapped.run.len();
                    tile.resize(rows * wide, 0.0);
                    swapped.put_in_order(all, (first, left), rows, tile);
                    for (row, gradients) in tile.chunks_exact(wide).enumerate() {
                        let start = row * swapped.row() + left * swapped.run.len();
                        f(start..start + wide, gradients);
                    }
                }
            }),
        }
    }
}

impl Swapped {
    fn of(shape: &[usize], steps: &[isize]) -> Option<Self> {
        let steps: Vec<usize> = steps.iter().map(|&step| step.try_into().ok()).collect::<Option<_>>()?;
        let (&[rows, columns, ref lengths @ ..], &[down, along, ref inner @ ..]) = (shape, &steps[..]) else {
            return None;
        };
        let mut run = vec![0];
        for (&length, &step) in lengths.iter().zip(inner) {
            run = run.iter().flat_map(|start| (0..length).map(move |number| start + number * step)).collect();
        }
        let span = run.iter().max()? + 1;
        // Runs lie behind each other, and columns do.
        let swapped = rows > 0 && columns > 0 && down >= span && along >= (rows - 1) * down + span;
        swapped.then_some(Self { columns, steps: [down, along], run, span })
    }

    /// Weights of a row.
    fn row(&self) -> usize {
        self.columns * self.run.len()
    }

    /// Fills `tile`, of so many rows, with what begins at this row and column.
    fn put_in_order(&self, all: &[f32], (row, column): (usize, usize), rows: usize, tile: &mut [f32]) {
        let columns = tile.len() / (rows * self.run.len());
        let [down, along] = self.steps;
        let reach = (rows - 1) * down + self.span;
        let from = (column..column + columns).map(|column| &all[column * along + row * down..][..reach]);
        // Lengths that are known become a few instructions each: kernels of 1×1, 3×3 and 5×5.
        match self.run.len() {
            1 => self.scatter::<1>(from, columns, tile),
            9 => self.scatter::<9>(from, columns, tile),
            25 => self.scatter::<25>(from, columns, tile),
            run => {
                for (column, from) in from.enumerate() {
                    for (from, to) in from.chunks(down).zip(tile[column * run..].chunks_mut(columns * run)) {
                        to.iter_mut().zip(&self.run).for_each(|(to, &number)| *to = from[number]);
                    }
                }
            }
        }
    }

    /// Puts each column, whose runs lie together, in its place in every row.
    fn scatter<'a, const RUN: usize>(&self, from: impl Iterator<Item = &'a [f32]>, columns: usize, tile: &mut [f32]) {
        let tile = tile.as_chunks_mut::<RUN>().0;
        let Ok(run) = <&[usize; RUN]>::try_from(&self.run[..]) else { unreachable!("a run of this length") };
        // As many numbers as a row has may still be in another order: those of a kernel whose axes are swapped.
        let whole = self.steps[0] == RUN && run.iter().copied().eq(0..RUN);
        for (column, from) in from.enumerate() {
            let rows = tile[column..].iter_mut().step_by(columns);
            if whole {
                from.as_chunks::<RUN>().0.iter().zip(rows).for_each(|(from, to)| *to = *from);
            } else {
                from.chunks(self.steps[0]).zip(rows).for_each(|(from, to)| *to = run.map(|number| from[number]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution, Tensor, TensorData};

    use super::*;

    fn swapped(shape: [usize; 4]) -> Tensor<4> {
        let [rows, columns, height, width] = shape;
        let numbers = (0..rows * columns * height * width).map(|number| number as f32).collect();
        let data = TensorData::new::<f32, _>(numbers, [columns, rows, height, width]);
        Tensor::from_data(data, &Device::flex()).swap_dims(0, 1)
    }

    /// The whole gradient, from its pieces; NaN where no piece wrote.
    fn read(gradient: &Gradient, length: usize) -> Vec<f32> {
        let mut numbers = vec![f32::NAN; length];
        for (number, piece) in numbers.chunks_mut(gradient.piece()).enumerate() {
            gradient.each(number, piece.len(), |range, ours| piece[range].copy_from_slice(ours));
        }
        numbers
    }

    #[test]
    fn pieces_are_in_the_order_of_the_weight() {
        let (tall, wide) = (TOGETHER / 9, COLUMNS);
        for shape in [
            [5, 7, 3, 3],
            [2 * tall, wide, 3, 3],
            [2 * tall + 1, 2 * wide + 1, 3, 3],
            [2, 9000, 3, 3],
            [1300, 70, 1, 1],
            [50, 5, 5, 5],
            [200, 70, 2, 3],
            [3, 2, 25, 25],
        ] {
            let tensor = swapped(shape);
            let expected = tensor.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(tensor.try_into_primitive::<Flex>().expect("of this backend"));
            assert!(gradient.swapped.is_some(), "{shape:?}");
            assert_eq!(read(&gradient, expected.len()), expected, "{shape:?}");
        }
    }

    #[test]
    fn parts_of_larger_ones_are_in_order_too() {
        for tensor in [
            swapped([5, 7, 3, 4]).swap_dims(2, 3),
            swapped([5, 7, 3, 3]).swap_dims(2, 3),
            swapped([5, 7, 5, 5]).swap_dims(2, 3),
            swapped([5, 7, 3, 3]).narrow(0, 1, 3),
            swapped([5, 7, 3, 3]).narrow(1, 1, 3).narrow(2, 0, 2),
            swapped([40, 600, 4, 4]).narrow(2, 0, 3).narrow(3, 1, 3),
            swapped([300, 7, 2, 2]).narrow(2, 0, 1).narrow(3, 0, 1),
            swapped([30, 7, 6, 8]).narrow(2, 0, 5).narrow(3, 3, 5),
            swapped([300, 7, 4, 4]).narrow(2, 1, 2),
        ] {
            let expected = tensor.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(tensor.try_into_primitive::<Flex>().expect("of this backend"));
            assert!(gradient.swapped.is_some());
            assert_eq!(read(&gradient, expected.len()), expected);
        }
    }

    #[test]
    fn other_orders_are_not_taken_for_it() {
        for tensor in [swapped([5, 7, 3, 3]).swap_dims(1, 2), swapped([5, 7, 3, 3]).flip([1])] {
            let expected = tensor.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(tensor.try_into_primitive::<Flex>().expect("of this backend"));
            assert_eq!(gradient.swapped, None);
            assert_eq!(read(&gradient, expected.len()), expected);
        }
    }

    /// If this fails after an upgrade of Burn, [`Swapped`] may no longer be needed.
    #[test]
    fn burn_leaves_the_gradients_of_convolutions_so() {
        let device = Device::flex().autodiff();
        let images = Tensor::<4>::random([2, 6, 8, 8], Distribution::Default, &device);
        // With a stride the gradient is that of a kernel of 4×4 or 2×2, of which a part is taken.
        for (kernel, stride, size) in [(3, 1, 3), (3, 2, 4), (1, 2, 2)] {
            let padding = PaddingConfig2d::Explicit(kernel / 2, kernel / 2, kernel / 2, kernel / 2);
            let conv = Conv2dConfig::new([6, 4], [kernel; 2]).with_stride([stride; 2]).with_padding(padding);
            let conv = conv.init(&device);
            let gradients = conv.forward(images.clone()).square().sum().backward();
            let gradient = conv.weight.val().grad(&gradients).expect("it learns");
            let expected = gradient.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(gradient.try_into_primitive::<Flex>().expect("of this backend"));
            let swapped = gradient.swapped.as_ref().expect("not in order");
            assert_eq!(swapped.steps, [size * size, 4 * size * size], "{kernel}×{kernel}, stride {stride}");
            assert_eq!(read(&gradient, expected.len()), expected);
        }
    }
}
