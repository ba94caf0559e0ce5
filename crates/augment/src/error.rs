use crate::ImageSize;

/// What can be wrong with a pipeline, an image or a view. Every message names the value and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// A parameter of an operation is outside its range.
    #[error("operation {position} ({operation}) of the pipeline: {field} is {value}, allowed: {allowed}")]
    InvalidParameter {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Name of the operation.
        operation: &'static str,
        /// Name of the field, with the index for a list.
        field: String,
        /// The value found.
        value: String,
        /// The range of values allowed.
        allowed: String,
    },
    /// A shift leaves the image: reflection reaches no further than the opposite edge.
    #[error(
        "operation {position} (Translate): a shift of {pixels} pixels on an image of {size}, allowed: up to {allowed} \
         (the shorter side less 1, for reflection)"
    )]
    TranslateTooFar {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// The shift, in pixels.
        pixels: usize,
        /// Size of the image.
        size: ImageSize,
        /// The largest shift on such an image, in pixels.
        allowed: usize,
    },
    /// A crop is larger than the image it is taken from.
    #[error(
        "operation {position} (CenterCrop): a crop of {height}×{width} from an image of {size}, allowed: up to {}×{}",
        size.height,
        size.width
    )]
    CropTooLarge {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Height of the crop, in pixels.
        height: u32,
        /// Width of the crop, in pixels.
        width: u32,
        /// Size of the image.
        size: ImageSize,
    },
    /// A truncated Gaussian reaches beyond what reflection can fill.
    #[error(
        "operation {position} (GaussianBlur): a radius of {radius} pixels on an image of {size}, allowed: up to \
         {allowed} (the shorter side less 1, for reflection)"
    )]
    BlurTooWide {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// The radius, in pixels.
        radius: u32,
        /// Size of the image.
        size: ImageSize,
        /// The largest radius on such an image, in pixels.
        allowed: usize,
    },
    /// A patch of a mask is larger than the image.
    #[error(
        "operation {position} (MaskPatches): patches of {patch} pixels on an image of {size}, allowed: up to {allowed} \
         (the shorter side)"
    )]
    PatchTooLarge {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Side of a patch, in pixels.
        patch: u32,
        /// Size of the image.
        size: ImageSize,
        /// The largest side on such an image, in pixels.
        allowed: usize,
    },
    /// An operation on colours meets an image with another number of channels.
    #[error(
        "operation {position} ({operation}) of an image of {size} with {} channels, allowed: {}",
        size.channels,
        allowed.iter().map(|count| count.to_string()).collect::<Vec<_>>().join(" or ")
    )]
    NeedsColor {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// The operation, with the part that needs colours.
        operation: &'static str,
        /// Size of the image.
        size: ImageSize,
        /// Allowed numbers of channels.
        allowed: &'static [usize],
    },
    /// An operation on values in [0, 1] comes after one that leaves this range.
    #[error(
        "operation {position} ({operation}) needs values in [0, 1], but {culprit} comes before it and leaves this \
         range; allowed: {operation} before it"
    )]
    NeedsUnitRange {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Name of the operation.
        operation: &'static str,
        /// What takes the values out of [0, 1].
        culprit: String,
    },
    /// A number of the view of one image cannot be used on it.
    #[error("operation {position} ({operation}) of the view: {field} is {value}, allowed: {allowed}")]
    InvalidDraw {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Name of the operation.
        operation: &'static str,
        /// What was drawn.
        field: &'static str,
        /// The value found.
        value: String,
        /// The range of values allowed.
        allowed: String,
    },
    /// No recipe has this name.
    #[error("no preset is called {name:?}, allowed: {allowed}")]
    UnknownPreset {
        /// The name found.
        name: String,
        /// All names.
        allowed: String,
    },
    /// A size was asked of a recipe that does not crop.
    #[error("the preset {preset} leaves images at their size; a size of {size} pixels is allowed where a preset crops")]
    FixedSize {
        /// Name of the preset.
        preset: &'static str,
        /// The size asked for, in pixels.
        size: u32,
    },
    /// A parameter of [`Mixup`](crate::Mixup) is outside its range.
    #[error("mixup: {field} is {value}, allowed: {allowed}")]
    InvalidMixup {
        /// Name of the parameter.
        field: &'static str,
        /// The value found.
        value: String,
        /// The range of values allowed.
        allowed: &'static str,
    },
    /// A mix was drawn for a batch of another length.
    #[error("a mix of {expected} rows applied to a batch of {found}")]
    MixRows {
        /// Rows of the mix.
        expected: usize,
        /// Rows of the batch.
        found: usize,
    },
    /// A normalisation has another number of channels than the image.
    #[error("operation {position} (Normalize) has {expected} channels, the image of {size} has {}", size.channels)]
    Channels {
        /// Position of the operation in the pipeline, from 0.
        position: usize,
        /// Channels of the operation.
        expected: usize,
        /// Size of the image.
        size: ImageSize,
    },
    /// An image without pixels.
    #[error("an image of {size}: height, width and channels must be at least 1")]
    EmptyImage {
        /// Size of the image.
        size: ImageSize,
    },
    /// The values of an image do not fill its size.
    #[error("an image of {size} has {} values, found {found}", size.values())]
    PixelCount {
        /// Size of the image.
        size: ImageSize,
        /// Number of bytes, or values, found.
        found: usize,
    },
    /// The output is not as long as the view.
    #[error("the output has room for {found} values, the view has {expected}")]
    OutputLength {
        /// Values of the view.
        expected: usize,
        /// Length of the output.
        found: usize,
    },
    /// A view was drawn from another pipeline.
    #[error("the view does not belong to the pipeline {pipeline:?}: {reason}")]
    ForeignView {
        /// Name of the pipeline.
        pipeline: String,
        /// The first difference.
        reason: String,
    },
    /// A batch does not have one view per image.
    #[error("{images} images with {views} views: a batch has one view per image")]
    BatchLength {
        /// Number of images.
        images: usize,
        /// Number of views.
        views: usize,
    },
    /// The images of a batch have different sizes.
    #[error("image {index} of the batch is {found}, the first is {expected}: a batch has one size")]
    BatchSizes {
        /// Index of the image in the batch.
        index: usize,
        /// Size of the first image.
        expected: ImageSize,
        /// Size of this image.
        found: ImageSize,
    },
}
