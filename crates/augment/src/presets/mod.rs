//! The pipelines of published recipes, as data. Each function gives one [`Pipeline`]; crops, shifts and the
//! normalisation are in it, so a checkpoint that stores the pipeline stores them too (five different
//! normalisations of CIFAR-10 are in use).
//!
//! A weak and a strong pipeline of one recipe are a [`Pair`].
//!
//! All were published on Pillow images and have its [`PixelArithmetic`].
//!
//! Where a recipe crops, `size` is the side of its square views in pixels. [`Preset`] lists them all by name, with the
//! sizes of their papers. [`Pipeline::evaluation`] gives what the same recipe feeds at evaluation, and
//! [`imagenet_evaluation`] what the ImageNet recipes do.

mod pairs;

use std::fmt;
use std::str::FromStr;

pub use pairs::{
    Pair, fixmatch_cifar, fixmatch_cifar_strong, fixmatch_cifar_weak, fixmatch_fashion, fixmatch_fashion_strong,
    fixmatch_fashion_weak, masked,
};

use crate::{AugmentError, BlurKernel, Border, Filter, Operation, Pipeline, PixelArithmetic, ResizeTo, RotationFilter};

/// ImageNet as MoCo v1 has it (`main_moco.py`): crop, grey, jitter with hue 0.4 **always**, flip.
pub fn moco_v1(size: u32) -> Pipeline {
    let operations = vec![crop(size, MOCO_SCALE), gray(), jitter(0.4), flip(), normalize(IMAGENET_MEAN, IMAGENET_STD)];
    pipeline("moco_v1", operations)
}

/// ImageNet as MoCo v2 has it (`main_moco.py --aug-plus`): crop, jitter, grey, blur, flip.
pub fn moco_v2(size: u32) -> Pipeline {
    let operations = vec![
        crop(size, MOCO_SCALE),
        sometimes(0.8, jitter(0.1)),
        gray(),
        sometimes(0.5, blur()),
        flip(),
        normalize(IMAGENET_MEAN, IMAGENET_STD),
    ];
    pipeline("moco_v2", operations)
}

/// CIFAR-10 as MoCo's notebook has it: boxes down to 8 % of the area, no blur, and standard deviations that are not
/// the data set's.
pub fn moco_cifar(size: u32) -> Pipeline {
    let normalize = normalize(CIFAR_MEAN, [0.2023, 0.1994, 0.2010]);
    pipeline("moco_cifar", vec![crop(size, ANY_SCALE), flip(), sometimes(0.8, jitter(0.1)), gray(), normalize])
}

/// Fashion-MNIST (28×28, one channel) in the manner of MoCo: crop, flip, brightness and contrast. Not from a paper.
pub fn moco_fashion(size: u32) -> Pipeline {
    let normalize = normalize(FASHION_MEAN, FASHION_STD);
    pipeline("moco_fashion", vec![crop(size, MOCO_SCALE), flip(), sometimes(0.8, gray_jitter()), normalize])
}

/// [`moco_fashion`] for methods whose negatives are the batch's other images: crops of at least 0.6 of the area, and half of the time
/// two operations of FixMatch's `RandAugment`. Not from a paper: of those tried its features are the best for neighbours and
/// probe together (docs/trials.md).
pub fn in_batch_fashion(size: u32) -> Pipeline {
    let operations = vec![
        crop(size, MILD_SCALE),
        flip(),
        sometimes(0.8, gray_jitter()),
        sometimes(0.5, Operation::fixmatch_rand_augment(2)),
        normalize(FASHION_MEAN, FASHION_STD),
    ];
    pipeline("in_batch_fashion", operations)
}

/// [`moco_fashion`] in the manner of [`moco_v1`]: brightness and contrast **always**, then the flip. Not from a paper.
pub fn moco_fashion_v1(size: u32) -> Pipeline {
    let normalize = normalize(FASHION_MEAN, FASHION_STD);
    pipeline("moco_fashion_v1", vec![crop(size, MOCO_SCALE), gray_jitter(), flip(), normalize])
}

/// lightly's `MoCoV1Transform`: another order than the original, and the jitter is not always applied.
pub fn lightly_moco_v1(size: u32) -> Pipeline {
    let normalize = normalize(IMAGENET_MEAN, IMAGENET_STD);
    pipeline("lightly_moco_v1", vec![crop(size, MOCO_SCALE), flip(), sometimes(0.8, jitter(0.4)), gray(), normalize])
}

/// lightly's `MoCoV2Transform`: the flip before the colours.
pub fn lightly_moco_v2(size: u32) -> Pipeline {
    let operations = vec![
        crop(size, MOCO_SCALE),
        flip(),
        sometimes(0.8, jitter(0.1)),
        gray(),
        sometimes(0.5, blur()),
        normalize(IMAGENET_MEAN, IMAGENET_STD),
    ];
    pipeline("lightly_moco_v2", operations)
}

/// lightly's CIFAR-10 benchmark: [`moco_cifar`] normalised by the statistics of **ImageNet**.
pub fn lightly_moco_cifar(size: u32) -> Pipeline {
    let normalize = normalize(IMAGENET_MEAN, IMAGENET_STD);
    pipeline("lightly_moco_cifar", vec![crop(size, ANY_SCALE), flip(), sometimes(0.8, jitter(0.1)), gray(), normalize])
}

/// solo-learn's MoCo V2+ on CIFAR (`symmetric_weak.yaml`): bicubic crops, and a blur.
pub fn solo_moco_cifar(size: u32) -> Pipeline {
    let operations = vec![
        resized_crop(size, ANY_SCALE, Filter::Bicubic),
        sometimes(0.8, jitter(0.1)),
        gray(),
        sometimes(0.5, blur()),
        flip(),
        normalize(CIFAR_MEAN, CIFAR_STD),
    ];
    pipeline("solo_moco_cifar", operations)
}

/// CIFAR-10 as Mean Teacher's PyTorch code has it, for 32×32 RGB: translate by up to 4 pixels, flip, normalise by
/// the data set's statistics. No noise.
pub fn mean_teacher_cifar() -> Pipeline {
    pipeline("mean_teacher_cifar", vec![translate(4), flip(), normalize(CIFAR_MEAN, CIFAR_STD)])
}

/// CIFAR-10 as Mean Teacher's TensorFlow code has it, for 32×32 RGB **that was whitened before**: flip, translate by
/// up to 2 pixels.
///
/// The images are [values](crate::Image::from_values) that `WhiteningConfig::mean_teacher_cifar` (feature `whitening`)
/// made of the whole data set; bytes would come out in \[0, 1\], not normalised. The original's Gaussian noise of std
/// 0.15 in whitened units is the first layer of each network: give the network such a layer, or push
/// [`Operation::GaussianNoise`] with std 0.15 onto `operations`, never both.
pub fn mean_teacher_cifar_tf() -> Pipeline {
    pipeline("mean_teacher_cifar_tf", vec![flip(), translate(2)])
}

/// SVHN as Mean Teacher's TensorFlow code has it, for 32×32 RGB: standardise each image, translate by up to
/// 2 pixels, never flip (digits). Its noise of std 0.15 is in the network, as in [`mean_teacher_cifar_tf`].
pub fn mean_teacher_svhn() -> Pipeline {
    // The variance_epsilon of slim.layer_norm.
    pipeline("mean_teacher_svhn", vec![Operation::Standardize { epsilon: 1e-12 }, translate(2)])
}

/// ImageNet as Mean Teacher's PyTorch code has it: rotate by up to 10°, crop, flip, jitter always.
pub fn mean_teacher_imagenet(size: u32) -> Pipeline {
    let rotate = Operation::Rotate { max_degrees: 10.0, filter: RotationFilter::Nearest, border: Border::Fill(0.0) };
    let normalize = normalize(IMAGENET_MEAN, IMAGENET_STD);
    pipeline("mean_teacher_imagenet", vec![rotate, crop(size, ANY_SCALE), flip(), jitter(0.1), normalize])
}

/// Fashion-MNIST, 28×28 grey: translate by up to 2 pixels, flip, normalise by the data set's statistics.
pub fn fashion() -> Pipeline {
    pipeline("fashion", vec![translate(2), flip(), normalize(FASHION_MEAN, FASHION_STD)])
}

/// USB's weak view of CIFAR-10, for 32×32 RGB: a crop of 32 from reflection padding of 4 (a shift by up to 4), flip,
/// normalise by the statistics of **ImageNet**, as USB does.
pub fn usb_weak_cifar() -> Pipeline {
    pipeline("usb_weak_cifar", vec![translate(4), flip(), normalize(IMAGENET_MEAN, IMAGENET_STD)])
}

/// USB's weak view of SVHN, for 32×32 RGB: as [`usb_weak_cifar`] with SVHN's statistics. USB flips digits, so this
/// does; remove the operation for other work.
pub fn usb_weak_svhn() -> Pipeline {
    let normalize = normalize([0.4380, 0.4440, 0.4730], [0.1751, 0.1771, 0.1744]);
    pipeline("usb_weak_svhn", vec![translate(4), flip(), normalize])
}

/// What the ImageNet recipes feed at evaluation: the shorter side resized to 8/7 of `size` (256 for 224), the middle
/// cut out, normalised.
pub fn imagenet_evaluation(size: u32) -> Pipeline {
    let shorter = ResizeTo::ShorterSide((u64::from(size) * 8 / 7) as u32);
    let operations = vec![
        Operation::Resize { to: shorter, filter: Filter::Bilinear },
        Operation::CenterCrop { height: size, width: size },
        normalize(IMAGENET_MEAN, IMAGENET_STD),
    ];
    pipeline("imagenet_evaluation", operations)
}

/// A recipe by its name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    name: &'static str,
    make: Make,
}

/// Recipes that crop have a size, the others take images as they are.
#[derive(Debug, Clone, Copy)]
enum Make {
    Cropping(u32, fn(u32) -> Pipeline),
    AsTheyAre(fn() -> Pipeline),
}

impl PartialEq for Preset {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Preset {}

impl Preset {
    /// Every recipe of this module; of a [`Pair`] both pipelines.
    pub const ALL: [Self; 22] = [
        Self::cropping("moco_v1", 224, moco_v1),
        Self::cropping("moco_v2", 224, moco_v2),
        Self::cropping("moco_cifar", 32, moco_cifar),
        Self::cropping("moco_fashion", 28, moco_fashion),
        Self::cropping("in_batch_fashion", 28, in_batch_fashion),
        Self::cropping("moco_fashion_v1", 28, moco_fashion_v1),
        Self::cropping("lightly_moco_v1", 224, lightly_moco_v1),
        Self::cropping("lightly_moco_v2", 224, lightly_moco_v2),
        Self::cropping("lightly_moco_cifar", 32, lightly_moco_cifar),
        Self::cropping("solo_moco_cifar", 32, solo_moco_cifar),
        Self::as_they_are("mean_teacher_cifar", mean_teacher_cifar),
        Self::as_they_are("mean_teacher_cifar_tf", mean_teacher_cifar_tf),
        Self::as_they_are("mean_teacher_svhn", mean_teacher_svhn),
        Self::cropping("mean_teacher_imagenet", 224, mean_teacher_imagenet),
        Self::as_they_are("fashion", fashion),
        Self::as_they_are("usb_weak_cifar", usb_weak_cifar),
        Self::as_they_are("usb_weak_svhn", usb_weak_svhn),
        Self::as_they_are("fixmatch_cifar_weak", fixmatch_cifar_weak),
        Self::as_they_are("fixmatch_cifar_strong", fixmatch_cifar_strong),
        Self::as_they_are("fixmatch_fashion_weak", fixmatch_fashion_weak),
        Self::as_they_are("fixmatch_fashion_strong", fixmatch_fashion_strong),
        Self::cropping("imagenet_evaluation", 224, imagenet_evaluation),
    ];

    const fn cropping(name: &'static str, size: u32, make: fn(u32) -> Pipeline) -> Self {
        Self { name, make: Make::Cropping(size, make) }
    }

    const fn as_they_are(name: &'static str, make: fn() -> Pipeline) -> Self {
        Self { name, make: Make::AsTheyAre(make) }
    }

    /// Name of the recipe: that of its function, and of the pipeline it gives.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Side of the recipe's views in pixels; `None` if it leaves images at their size.
    pub fn default_size(&self) -> Option<u32> {
        match self.make {
            Make::Cropping(size, _) => Some(size),
            Make::AsTheyAre(_) => None,
        }
    }

    /// The pipeline, with views of `size` instead of the recipe's own if given.
    ///
    /// # Errors
    ///
    /// [`AugmentError::InvalidParameter`] if `size` is 0 or far too large; [`AugmentError::FixedSize`] if the recipe leaves images at
    /// their size.
    pub fn pipeline(&self, size: Option<u32>) -> Result<Pipeline, AugmentError> {
        match (self.make, size) {
            (Make::Cropping(default, make), size) => {
                let size = size.unwrap_or(default);
                Operation::CenterCrop { height: size, width: size }.validate(0)?;
                Ok(make(size))
            }
            (Make::AsTheyAre(make), None) => Ok(make()),
            (Make::AsTheyAre(_), Some(size)) => Err(AugmentError::FixedSize { preset: self.name, size }),
        }
    }
}

impl FromStr for Preset {
    type Err = AugmentError;

    fn from_str(name: &str) -> Result<Self, AugmentError> {
        let found = Self::ALL.into_iter().find(|preset| preset.name == name);
        found.ok_or_else(|| AugmentError::UnknownPreset {
            name: name.to_owned(),
            allowed: Self::ALL.map(|preset| preset.name).join(", "),
        })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CIFAR_MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
const CIFAR_STD: [f32; 3] = [0.2470, 0.2435, 0.2616];
const FASHION_MEAN: [f32; 1] = [0.2860];
const FASHION_STD: [f32; 1] = [0.3530];

/// Share of the area in MoCo's crops.
const MOCO_SCALE: [f32; 2] = [0.2, 1.0];
const MILD_SCALE: [f32; 2] = [0.6, 1.0];
/// torchvision's default.
const ANY_SCALE: [f32; 2] = [0.08, 1.0];

/// # Panics
/// Only an impossible size can fail: everything else in a preset is valid.
fn pipeline(name: &str, operations: Vec<Operation>) -> Pipeline {
    let pipeline = Pipeline::new(name, operations).unwrap_or_else(|error| panic!("{error}"));
    pipeline.with_arithmetic(PixelArithmetic::Bytes)
}

fn crop(size: u32, scale: [f32; 2]) -> Operation {
    resized_crop(size, scale, Filter::Bilinear)
}

fn resized_crop(size: u32, scale: [f32; 2], filter: Filter) -> Operation {
    Operation::RandomResizedCrop { height: size, width: size, scale, ratio: [3.0 / 4.0, 4.0 / 3.0], filter }
}

fn translate(max_pixels: u32) -> Operation {
    Operation::Translate { max_pixels }
}

fn flip() -> Operation {
    Operation::HorizontalFlip { probability: 0.5 }
}

fn jitter(hue: f32) -> Operation {
    Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue }
}

/// MoCo's jitter on one channel.
fn gray_jitter() -> Operation {
    Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.0, hue: 0.0 }
}

fn gray() -> Operation {
    Operation::Grayscale { probability: 0.2 }
}

fn blur() -> Operation {
    Operation::GaussianBlur { std: [0.1, 2.0], kernel: BlurKernel::Boxes }
}

fn sometimes(probability: f32, operation: Operation) -> Operation {
    Operation::RandomApply { probability, operations: vec![operation] }
}

fn normalize<const C: usize>(mean: [f32; C], std: [f32; C]) -> Operation {
    Operation::Normalize { mean: mean.to_vec(), std: std.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageSize;

    #[test]
    fn every_preset_fits_its_images_and_has_the_name_of_its_pipeline() {
        for preset in Preset::ALL {
            let pipeline = preset.pipeline(None).unwrap();
            assert_eq!(pipeline.name(), preset.name());
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
            let side = preset.default_size().unwrap_or(32) as usize;
            let channels = if preset.name().contains("fashion") { 1 } else { 3 };
            let size = ImageSize::new(side, side, channels);
            pipeline.validate_for(size).unwrap();
            assert_eq!(pipeline.output_size(size), size);
            let stored = serde_json::to_string(&pipeline).unwrap();
            assert_eq!(serde_json::from_str::<Pipeline>(&stored).unwrap(), pipeline);
        }
    }

    #[test]
    fn sizes_and_names_are_checked() {
        let preset: Preset = "moco_v2".parse().unwrap();
        let size = preset.pipeline(Some(96)).unwrap().output_size(ImageSize::new(375, 500, 3));
        assert_eq!(size, ImageSize::new(96, 96, 3));
        assert!(matches!(preset.pipeline(Some(0)), Err(AugmentError::InvalidParameter { .. })));
        let preset: Preset = "fashion".parse().unwrap();
        assert!(matches!(preset.pipeline(Some(28)), Err(AugmentError::FixedSize { .. })));
        let error = "moco_v4".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("\"moco_v4\"") && error.contains("moco_v1, moco_v2"), "{error}");
    }

    #[test]
    fn v1_always_jitters_and_never_blurs() {
        let always = |pipeline: &Pipeline| {
            pipeline.operations().iter().any(|operation| matches!(operation, Operation::ColorJitter { .. }))
        };
        for (v1, v2) in [(moco_v1(224), moco_v2(224)), (moco_fashion_v1(28), moco_fashion(28))] {
            assert!(always(&v1) && !always(&v2), "{v1} / {v2}");
            assert!(!v1.to_string().contains("blur"), "{v1}");
        }
    }

    #[test]
    fn svhn_is_never_flipped_by_mean_teacher() {
        let flips = |pipeline: Pipeline| {
            pipeline.operations().iter().any(|operation| matches!(operation, Operation::HorizontalFlip { .. }))
        };
        assert!(!flips(mean_teacher_svhn()));
        assert!(flips(usb_weak_svhn()));
    }

    #[test]
    fn imagenet_evaluates_on_224_of_256() {
        let size = imagenet_evaluation(224).operations()[0].output_size(ImageSize::new(375, 500, 3));
        assert_eq!(size, ImageSize::new(256, 341, 3));
    }
}
