//! The pipelines of published recipes, as data. Each function gives one [`Pipeline`]; the sizes of shifts and the
//! normalisation are in it, so a checkpoint that stores the pipeline stores them too (five different
//! normalisations of CIFAR-10 are in use).
//!
//! [`Pipeline::evaluation`] gives what the same recipe feeds at evaluation.

use crate::{Operation, Pipeline};

/// CIFAR-10 as Mean Teacher's PyTorch code has it, for 32×32 RGB: translate by up to 4 pixels, flip, normalise by
/// the data set's statistics. No noise.
pub fn mean_teacher_cifar() -> Pipeline {
    pipeline("mean_teacher_cifar", vec![translate(4), flip(), normalize(CIFAR_MEAN, CIFAR_STD)])
}

/// CIFAR-10 as Mean Teacher's TensorFlow code has it, for 32×32 RGB: flip, translate by up to 2 pixels.
///
/// Two parts of the original are not in this pipeline. It whitens the data set beforehand (GCN and ZCA): here the
/// images are normalised by the data set's statistics instead. And its Gaussian noise of std 0.15 is the first layer
/// of each network, whitened units: give the network such a layer, or push [`Operation::GaussianNoise`] with std 0.15
/// onto `operations`, never both.
pub fn mean_teacher_cifar_tf() -> Pipeline {
    pipeline("mean_teacher_cifar_tf", vec![flip(), translate(2), normalize(CIFAR_MEAN, CIFAR_STD)])
}

/// SVHN as Mean Teacher's TensorFlow code has it, for 32×32 RGB: standardise each image, translate by up to
/// 2 pixels, never flip (digits). Its noise of std 0.15 is in the network, as in [`mean_teacher_cifar_tf`].
pub fn mean_teacher_svhn() -> Pipeline {
    pipeline(
        "mean_teacher_svhn",
        vec![
            // The variance_epsilon of slim.layer_norm.
            Operation::Standardize { epsilon: 1e-12 },
            translate(2),
        ],
    )
}

/// Fashion-MNIST, 28×28 grey: translate by up to 2 pixels, flip, normalise by the data set's statistics.
pub fn fashion() -> Pipeline {
    pipeline("fashion", vec![translate(2), flip(), normalize([0.2860], [0.3530])])
}

/// USB's weak view of CIFAR-10, for 32×32 RGB: a crop of 32 from reflection padding of 4 (a shift by up to 4), flip,
/// normalise by the statistics of **ImageNet**, as USB does.
pub fn usb_weak_cifar() -> Pipeline {
    pipeline("usb_weak_cifar", vec![translate(4), flip(), normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
}

/// USB's weak view of SVHN, for 32×32 RGB: as [`usb_weak_cifar`] with SVHN's statistics. USB flips digits, so this
/// does; remove the operation for other work.
pub fn usb_weak_svhn() -> Pipeline {
    pipeline("usb_weak_svhn", vec![translate(4), flip(), normalize([0.4380, 0.4440, 0.4730], [0.1751, 0.1771, 0.1744])])
}

const CIFAR_MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
const CIFAR_STD: [f32; 3] = [0.2470, 0.2435, 0.2616];

fn pipeline(name: &str, operations: Vec<Operation>) -> Pipeline {
    Pipeline { name: name.to_owned(), operations }
}

fn translate(max_pixels: u32) -> Operation {
    Operation::Translate { max_pixels }
}

fn flip() -> Operation {
    Operation::HorizontalFlip { probability: 0.5 }
}

fn normalize<const C: usize>(mean: [f32; C], std: [f32; C]) -> Operation {
    Operation::Normalize { mean: mean.to_vec(), std: std.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageSize;

    #[test]
    fn every_preset_fits_its_images() {
        let rgb = ImageSize::new(32, 32, 3);
        for pipeline in
            [mean_teacher_cifar(), mean_teacher_cifar_tf(), mean_teacher_svhn(), usb_weak_cifar(), usb_weak_svhn()]
        {
            pipeline.validate_for(rgb).unwrap();
        }
        fashion().validate_for(ImageSize::new(28, 28, 1)).unwrap();
    }

    #[test]
    fn svhn_is_never_flipped_by_mean_teacher() {
        let flips = |pipeline: Pipeline| {
            pipeline.operations.iter().any(|operation| matches!(operation, Operation::HorizontalFlip { .. }))
        };
        assert!(!flips(mean_teacher_svhn()));
        assert!(flips(usb_weak_svhn()));
    }
}
