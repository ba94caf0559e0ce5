//! Gradients as they lie in memory: in the order of their weight, or with its first two axes swapped, which is how Burn
//! leaves those of convolutions. Putting a whole one in order takes several times as long as the step itself, most of
//! it for fresh memory, so it is put in order tile by tile, in memory that stays with the thread and in its cache.

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

/// A weight is `[rows, columns, run…]`, this gradient lies as `[columns, rows, run…]`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Swapped {
    rows: usize,
    columns: usize,
    /// Numbers that lie in the same order in both, those of a kernel.
    run: usize,
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
        match self.swapped {
            None => PIECE,
            Some(swapped) => (TOGETHER / swapped.run).max(1) * swapped.row(),
        }
    }

    /// Calls `f` with every part of the `length` weights of piece `number` and the gradient there.
    pub(super) fn each(&self, number: usize, length: usize, mut f: impl FnMut(Range<usize>, &[f32])) {
        let all = &self.tensor.storage::<f32>()[self.start..];
        let from = number * self.piece();
        match self.swapped {
            None => f(0..length, &all[from..][..length]),
            Some(swapped) => ORDERED.with_borrow_mut(|tile| {
                let (first, rows) = (from / swapped.row(), length / swapped.row());
                for left in (0..swapped.columns).step_by(COLUMNS) {
                    let wide = COLUMNS.min(swapped.columns - left) * swapped.run;
                    tile.resize(rows * wide, 0.0);
                    swapped.put_in_order(all, (first, left), rows, tile);
                    for (row, gradients) in tile.chunks_exact(wide).enumerate() {
                        let start = row * swapped.row() + left * swapped.run;
                        f(start..start + wide, gradients);
                    }
                }
            }),
        }
    }
}

impl Swapped {
    fn of(shape: &[usize], strides: &[isize]) -> Option<Self> {
        let (&[rows, columns, ref rest @ ..], &[down, along, ref steps @ ..]) = (shape, strides) else { return None };
        let run: usize = rest.iter().product();
        let mut inner = 1;
        for (&length, &step) in rest.iter().zip(steps).rev() {
            if length != 1 && step != inner as isize {
                return None;
            }
            inner *= length;
        }
        let swapped = rows * columns * run > 0 && down == run as isize && along == (rows * run) as isize;
        swapped.then_some(Self { rows, columns, run })
    }

    /// Weights of a row.
    fn row(self) -> usize {
        self.columns * self.run
    }

    /// Fills `tile`, of so many rows, with what begins at this row and column.
    fn put_in_order(self, all: &[f32], (row, column): (usize, usize), rows: usize, tile: &mut [f32]) {
        let columns = tile.len() / (rows * self.run);
        let from = (column..column + columns).map(|column| (column * self.rows + row) * self.run);
        let from = from.map(|start| &all[start..][..rows * self.run]);
        match self.run {
            // Lengths that are known become a few instructions each: kernels of 1×1, 3×3 and 5×5.
            1 => scatter::<1>(from, columns, tile),
            9 => scatter::<9>(from, columns, tile),
            25 => scatter::<25>(from, columns, tile),
            run => {
                for (column, from) in from.enumerate() {
                    for (from, to) in from.chunks_exact(run).zip(tile[column * run..].chunks_mut(columns * run)) {
                        to[..run].copy_from_slice(from);
                    }
                }
            }
        }
    }
}

/// Puts each column, whose runs lie together, in its place in every row.
fn scatter<'a, const RUN: usize>(from: impl Iterator<Item = &'a [f32]>, columns: usize, tile: &mut [f32]) {
    let tile = tile.as_chunks_mut::<RUN>().0;
    for (column, from) in from.enumerate() {
        for (from, to) in from.as_chunks::<RUN>().0.iter().zip(tile[column..].iter_mut().step_by(columns)) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution, Tensor, TensorData};

    use super::*;

    fn swapped(shape: [usize; 4]) -> Tensor<4> {
        let [rows, columns, height, width] = shape;
        let numbers = (0..rows * columns * height * width).map(|number| number as f32).collect();
        let data = TensorData::new::<f32, _>(numbers, [columns, rows, height, width]);
        Tensor::from_data(data, &Device::flex()).swap_dims(0, 1)
    }

    /// The whole gradient, from its pieces; what none of them has is not a number.
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
    fn other_orders_are_not_taken_for_it() {
        for tensor in [
            swapped([5, 7, 3, 4]).swap_dims(2, 3),
            swapped([5, 7, 3, 3]).narrow(0, 1, 3),
            swapped([5, 7, 3, 3]).narrow(1, 1, 3).narrow(2, 0, 2),
            swapped([5, 7, 3, 3]).swap_dims(1, 2),
            swapped([5, 7, 3, 3]).flip([1]),
        ] {
            let expected = tensor.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(tensor.try_into_primitive::<Flex>().expect("of this backend"));
            assert_eq!(gradient.swapped, None);
            assert_eq!(read(&gradient, expected.len()), expected);
        }
    }

    /// Where this fails after an upgrade of Burn, [`Swapped`] may have become needless.
    #[test]
    fn burn_leaves_the_gradients_of_convolutions_so() {
        let device = Device::flex().autodiff();
        let conv = Conv2dConfig::new([6, 4], [3, 3]).init(&device);
        let images = Tensor::<4>::random([2, 6, 8, 8], Distribution::Default, &device);
        let gradients = conv.forward(images).square().sum().backward();
        let gradient = conv.weight.val().grad(&gradients).expect("it learns");
        let gradient = Gradient::of(gradient.try_into_primitive::<Flex>().expect("of this backend"));
        assert_eq!(gradient.swapped, Some(Swapped { rows: 4, columns: 6, run: 9 }));
    }
}
