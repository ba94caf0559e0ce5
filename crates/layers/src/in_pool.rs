//! Where work is done.

use std::cell::RefCell;

use burn::module::RunningState;
use burn::tensor::{Device, Tensor};

#[cfg(feature = "flex")]
use crate::ComputePath;
use crate::fast_path;

/// Does work on a thread of rayon's pool if tensors on `device` take the kernels' path, otherwise on the calling thread.
///
/// Each operation on the kernels' path hands its loops over to the pool, which takes some 15 µs from outside and 2 µs from
/// within. The networks of `slowburn-models` go there once a forward pass.
///
/// Running statistics follow at the end, on the thread that called: Burn 0.22 keeps their updates by thread, and would lose
/// those of a thread of the pool.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use slowburn_layers::{Conv2dConfig, in_pool};
///
/// let device = Device::flex();
/// let conv = Conv2dConfig::new([3, 8], [3, 3]).init(&device);
/// let output = in_pool(&device, || conv.forward(Tensor::zeros([1, 3, 8, 8], &device)));
/// assert_eq!(output.dims(), [1, 8, 6, 6]);
/// ```
pub fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    match fast_path(device) {
        #[cfg(feature = "flex")]
        ComputePath::Kernels if rayon::current_thread_index().is_none() => {
            let (result, updates) = rayon::scope(|_| {
                // A thread of the pool that waits for another does other work meanwhile, such as this.
                let others = LATER.replace(Some(Vec::new()));
                let result = work();
                (result, LATER.replace(others))
            });
            updates.into_iter().flatten().for_each(Update::apply);
            result
        }
        _ => work(),
    }
}

thread_local! {
    /// Updates for the thread that waits for this one, if there is one.
    static LATER: RefCell<Option<Vec<Update>>> = const { RefCell::new(None) };
}

/// A statistic of a batch, on its way into a running one.
pub(crate) struct Update {
    /// Where it goes.
    pub(crate) state: RunningState<Tensor<1>>,
    /// Of each group, split and channel, `[G·S·C]`.
    pub(crate) new: Tensor<1>,
    /// The groups of the batch, of consecutive images: each moves the statistic in its turn.
    pub(crate) groups: usize,
    /// The splits of a group: their mean moves it.
    pub(crate) splits: usize,
    /// Its weight.
    pub(crate) momentum: f64,
}

impl Update {
    /// Applies it, or leaves it to the thread that waits.
    pub(crate) fn make(self) {
        let left = LATER.with_borrow_mut(|later| match later {
            Some(later) => {
                later.push(self);
                None
            }
            None => Some(self),
        });
        if let Some(update) = left {
            update.apply();
        }
    }

    /// Moves the running statistic towards the mean of those of the splits, once for each group.
    fn apply(self) {
        let Self { state, new, groups, splits, momentum } = self;
        let new = new.detach();
        let [length] = new.dims();
        let new = match splits {
            1 => new,
            _ => new.reshape([groups, splits, length / groups / splits]).mean_dim(1).reshape([length / splits]), // [G·C]
        };
        let old = state.value_sync().to_device(&new.device());
        let moved = match groups {
            1 => old.mul_scalar(1.0 - momentum) + new.mul_scalar(momentum),
            _ => {
                // Each group takes its share of what those before it have left.
                let left = |group: usize| (1.0 - momentum).powi((groups - 1 - group) as i32);
                let shares: Vec<f64> = (0..groups).map(|group| momentum * left(group)).collect();
                let shares =
                    Tensor::<1>::from_data(shares.as_slice(), (&new.device(), new.dtype())).reshape([groups, 1]);
                let taken = (new.reshape([groups, length / groups / splits]) * shares).sum_dim(0).squeeze_dim::<1>(0); // [C]
                old.mul_scalar(left(0) * (1.0 - momentum)) + taken
            }
        };
        state.update(moved.detach());
    }
}
