//! Gradients as they lie in memory: in the order of their weight, or with its first two axes swapped, which is how Burn
//! leaves those of convolutions. Putting a whole one in order takes several times as long as the step itself, most of
//! it for fresh memory, so the pieces of a step are put in order one by one, in memory that stays with the thread.

use std::cell::RefCell;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;

/// Weights that a core takes at a time.
const PIECE: usize = 1 << 15;

/// The same where a piece is put in order first: more, so that more of what lies together is read together.
const SWAPPED_PIECE: usize = 1 << 16;

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
            Some(swapped) => (SWAPPED_PIECE / swapped.row()).max(1) * swapped.row(),
        }
    }

    /// Calls `f` with the gradient of the `length` weights of piece `number`.
    pub(super) fn with<R>(&self, number: usize, length: usize, f: impl FnOnce(&[f32]) -> R) -> R {
        let all = &self.tensor.storage::<f32>()[self.start..];
        let from = number * self.piece();
        let Some(swapped) = self.swapped else { return f(&all[from..][..length]) };
        ORDERED.with_borrow_mut(|ordered| {
            ordered.resize(length, 0.0);
            swapped.put_in_order(all, from / swapped.row(), ordered);
            f(ordered)
        })
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

    /// Fills `ordered` with whole rows, from row `first` on.
    fn put_in_order(self, all: &[f32], first: usize, ordered: &mut [f32]) {
        match self.run {
            // Lengths that are known become a few instructions each: kernels of 1×1, 3×3 and 5×5.
            1 => self.gather::<1>(all, first, ordered),
            9 => self.gather::<9>(all, first, ordered),
            25 => self.gather::<25>(all, first, ordered),
            run => {
                for (place, to) in ordered.chunks_exact_mut(run).enumerate() {
                    let (row, column) = (first + place / self.columns, place % self.columns);
                    to.copy_from_slice(&all[(column * self.rows + row) * run..][..run]);
                }
            }
        }
    }

    fn gather<const RUN: usize>(self, all: &[f32], first: usize, ordered: &mut [f32]) {
        let (all, ordered) = (all.as_chunks::<RUN>().0, ordered.as_chunks_mut::<RUN>().0);
        let rows = ordered.len() / self.columns;
        // What lies together is read together.
        for column in 0..self.columns {
            let from = &all[column * self.rows + first..][..rows];
            for (from, to) in from.iter().zip(ordered[column..].iter_mut().step_by(self.columns)) {
                *to = *from;
            }
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

    #[test]
    fn pieces_are_in_the_order_of_the_weight() {
        for shape in [[5, 7, 3, 3], [300, 40, 3, 3], [2, 9000, 3, 3], [70, 1100, 1, 1], [6, 5, 5, 5], [9, 4, 2, 3]] {
            let tensor = swapped(shape);
            let expected = tensor.to_data().try_into_vec::<f32>().expect("floats");
            let gradient = Gradient::of(tensor.try_into_primitive::<Flex>().expect("of this backend"));
            assert!(gradient.swapped.is_some(), "{shape:?}");
            let pieces = expected.chunks(gradient.piece()).enumerate();
            pieces.for_each(|(number, piece)| gradient.with(number, piece.len(), |ours| assert_eq!(ours, piece)));
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
            gradient.with(0, expected.len(), |ours| assert_eq!(ours, expected));
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
