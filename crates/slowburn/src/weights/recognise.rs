//! Which of the program's networks a file's tensors fit.

use burn::tensor::Device;
use slowburn_augment::ImageSize;
use slowburn_models::weights::{Fit, WeightsError, WeightsFile};
use slowburn_models::{ModelError, ParameterInfo, Stem, parameters};

use crate::network::{Arch, BackboneConfig, Normalization};

/// The side of the images that networks are thought of with; no tensor depends on it.
const SIDE: usize = 32;

/// A network that a file may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Which network.
    pub arch: Arch,
    /// How it normalises.
    pub normalization: Normalization,
    /// A ResNet's stem.
    pub stem: Option<Stem>,
    /// Channels of its images.
    pub channels: usize,
}

impl Candidate {
    /// Every network, in every form whose tensors differ.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for arch in Arch::ALL {
            let stems: &[_] = if arch.is_resnet() { &[Some(Stem::ImageNet), Some(Stem::Cifar)] } else { &[None] };
            let weight = arch == Arch::ConvNet13;
            let normalizations: &[_] =
                if weight { &[Normalization::Batch, Normalization::Weight] } else { &[Normalization::Batch] };
            for &stem in stems {
                for &normalization in normalizations {
                    let candidate = |channels| Self { arch, normalization, stem, channels };
                    all.extend([3, 1].map(candidate));
                }
            }
        }
        all
    }

    /// torchvision's ResNet-18.
    pub fn resnet18() -> Self {
        let stem = Some(Stem::ImageNet);
        Self { arch: Arch::ResNet18, normalization: Normalization::Batch, stem, channels: 3 }
    }

    /// Its tensors. None is initialised.
    ///
    /// # Errors
    /// None that a candidate of [`fitting`] can have.
    pub fn parameters(&self) -> Result<Vec<ParameterInfo>, ModelError> {
        let &Self { arch, normalization, stem, channels } = self;
        let config = BackboneConfig { arch, normalization, splits: 1, dropout: 0.0, input_noise: 0.0, stem };
        let image = ImageSize { height: SIDE, width: SIDE, channels };
        Ok(parameters(&config.init(image, &Device::default())?))
    }
}

/// How much a network is like the file: tensors that fit, then names that are there, beyond those that are on one side only.
fn similarity(fit: &Fit) -> (usize, isize) {
    let [missing, unexpected, reshaped] =
        [&fit.body.missing, &fit.body.unexpected, &fit.body.reshaped].map(|names| names.len() as isize);
    (fit.taken.len(), reshaped - missing - unexpected)
}

/// The networks whose every tensor below the head a file has, and no other, with how they fit; the first that has some if none fits
/// whole. Of one network, those that `arch` names.
///
/// # Errors
/// [`WeightsError::Branch`] for a branch that is not there.
pub fn fitting(
    file: &WeightsFile,
    branch: Option<&str>,
    arch: Option<Arch>,
) -> Result<Vec<(Candidate, Fit)>, WeightsError> {
    let (mut whole, mut closest) = (Vec::new(), None::<(Candidate, Fit)>);
    for candidate in Candidate::all().into_iter().filter(|candidate| arch.is_none_or(|arch| arch == candidate.arch)) {
        let Ok(wanted) = candidate.parameters() else { continue };
        match file.fit(&wanted, branch) {
            Ok(fit) if fit.is_whole() => whole.push((candidate, fit)),
            Ok(fit) => {
                if closest.as_ref().is_none_or(|(_, closest)| similarity(&fit) > similarity(closest)) {
                    closest = Some((candidate, fit));
                }
            }
            Err(WeightsError::NotRecognised { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if whole.is_empty() {
        whole.extend(closest);
    }
    Ok(whole)
}
