//! Feature maps in the order that their path needs.

use std::ops::Add;

use burn::tensor::{Device, Tensor};

use crate::path::is_fast;

/// The feature maps of a batch, in the memory layout of the path they take.
///
/// The kernels keep channels last, `[N, H, W, C]`; Burn's operations have `[N, C, H, W]`. Turning one into the other is
/// a pass over memory, so a network turns its images into maps once and its last maps back, or pools them:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use slowburn_layers::{Activation, BatchNormConfig, Conv2dConfig, Maps, global_average_pool};
///
/// let device = Device::flex().autodiff();
/// let conv = Conv2dConfig::new([3, 8], [3, 3]).init(&device);
/// let norm = BatchNormConfig::new(8).init(&device);
///
/// let images = Tensor::zeros([4, 3, 32, 32], &device);
/// let maps = norm.forward_maps(conv.forward_maps(Maps::new(images)), Activation::Relu);
/// assert_eq!(maps.dims(), [4, 8, 30, 30]);
/// assert_eq!(global_average_pool(maps).dims(), [4, 8]);
/// ```
#[derive(Debug, Clone)]
pub struct Maps {
    values: Tensor<4>,
    order: Order,
    /// Images that share batch statistics, if not all.
    group: Option<usize>,
}

/// What the axes of a tensor mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// `[N, C, H, W]`.
    ChannelsFirst,
    /// `[N, H, W, C]`, on a device with kernels and of `f32`.
    ChannelsLast,
}

impl Maps {
    /// Takes maps as Burn has them.
    ///
    /// # Shapes
    ///
    /// - `maps`: `[N, C, H, W]`
    pub fn new(maps: Tensor<4>) -> Self {
        #[cfg(feature = "flex")]
        if is_fast(&maps) {
            return Self::channels_last(crate::flex::channels_last(maps));
        }
        Self { values: maps, order: Order::ChannelsFirst, group: None }
    }

    /// Lets each `group` consecutive images have batch statistics of their own in training (ghost batch normalisation: Hoffer et al.,
    /// arXiv 1705.08741), as if one group after another had passed the layers: running statistics follow each of them in turn.
    ///
    /// The layers hand the group on; maps that are made of a tensor anew have none.
    ///
    /// # Panics
    ///
    /// Unless `group` divides the images.
    #[must_use]
    pub fn in_groups(self, group: usize) -> Self {
        let [images, ..] = self.dims();
        assert!(
            group > 0 && images.is_multiple_of(group),
            "a batch of {images} cannot be divided into groups of {group}"
        );
        self.grouped(Some(group))
    }

    /// Images that share batch statistics in training, if not all.
    pub(crate) fn group(&self) -> Option<usize> {
        self.group
    }

    /// As the maps that a layer has read.
    pub(crate) fn grouped(self, group: Option<usize>) -> Self {
        Self { group, ..self }
    }

    /// Gives them back as Burn has them: `[N, C, H, W]`, its values in this order in memory.
    pub fn into_tensor(self) -> Tensor<4> {
        match self.order {
            Order::ChannelsFirst => self.values,
            #[cfg(feature = "flex")]
            Order::ChannelsLast => crate::flex::channels_first(self.values),
            #[cfg(not(feature = "flex"))]
            Order::ChannelsLast => self.values.permute([0, 3, 1, 2]),
        }
    }

    /// The numbers of images, channels, rows and columns: `[N, C, H, W]`.
    pub fn dims(&self) -> [usize; 4] {
        let dims = self.values.dims();
        match self.order {
            Order::ChannelsFirst => dims,
            Order::ChannelsLast => [dims[0], dims[3], dims[1], dims[2]],
        }
    }

    /// Where the values are.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// Applies a function of single values, for which the order of the axes does not matter, such as dropout.
    ///
    /// # Panics
    ///
    /// If the function changes the shape.
    pub fn map(self, function: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        let shape = self.values.dims();
        let values = function(self.values);
        assert_eq!(values.dims(), shape, "a function of single values keeps the shape of the maps");
        let maps = Self { values, ..self };
        match maps.order == Order::ChannelsLast && !is_fast(&maps.values) {
            // It changed the type, or where the values are.
            true => Self { values: maps.values.permute([0, 3, 1, 2]), order: Order::ChannelsFirst, ..maps },
            false => maps,
        }
    }
}

#[cfg(feature = "flex")]
impl Maps {
    /// Takes what a kernel has written.
    pub(crate) fn channels_last(values: Tensor<4>) -> Self {
        Self { values, order: Order::ChannelsLast, group: None }
    }

    /// Whether a kernel can read them.
    pub(crate) fn is_channels_last(&self) -> bool {
        self.order == Order::ChannelsLast
    }

    /// The tensor that a kernel reads, `[N, H, W, C]`, where [`is_channels_last`](Self::is_channels_last) says so.
    pub(crate) fn into_channels_last(self) -> Tensor<4> {
        self.values
    }
}

/// The elementwise sum.
///
/// # Panics
///
/// If the shapes differ.
impl Add for Maps {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        assert_eq!(self.dims(), other.dims(), "maps of different shapes cannot be added");
        match self.order == other.order {
            true => Self { values: self.values + other.values, ..self },
            false => {
                let group = self.group;
                Self::new(self.into_tensor() + other.into_tensor()).grouped(group)
            }
        }
    }
}
