//! The device a program runs on, chosen at run time among the backends built in.

use burn::tensor::{Device, Tensor};
use slowburn_layers::{Arithmetic, set_arithmetic};

/// Every backend: its name on the command line, and the cargo feature that builds it in.
const BACKENDS: [(&str, &str); 6] = [
    ("cuda", "cuda"),
    ("vulkan", "vulkan"),
    ("metal", "metal"),
    ("wgpu", "wgpu"),
    ("flex", "flex"),
    ("ndarray", "ndarray"),
];

/// Why a device could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No backend has this name.
    #[error("unknown device `{name}`: use cpu, {known}, with `:N` for the N-th GPU")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that would do.
        known: String,
    },
    /// The number behind the colon is none.
    #[error("device `{name}`: what follows the colon must be the number of a GPU, counted from 0")]
    Index {
        /// What was asked for.
        name: String,
    },
    /// The backend exists but this program was built without it.
    #[error("the backend `{name}` is not built into this program: build it with `--features {feature}`")]
    NotBuilt {
        /// The backend.
        name: &'static str,
        /// The cargo feature.
        feature: &'static str,
    },
    /// The backend is there, the device is not.
    #[error("device `{name}` does not start: {reason}")]
    Start {
        /// What was asked for.
        name: String,
        /// What the backend said.
        reason: String,
    },
}

/// Finds a device by name: `cpu`, or a backend with an optional number, such as `cuda:0`.
///
/// Runs one addition on it, so that a missing GPU or driver shows here and not in the middle of a run.
///
/// # Errors
/// [`DeviceError`], which names the cargo feature where one is missing.
pub fn parse(name: &str) -> Result<Device, DeviceError> {
    let (backend, index) = match name.split_once(':') {
        Some((backend, index)) => {
            (backend, Some(index.parse().map_err(|_| DeviceError::Index { name: name.to_owned() })?))
        }
        None => (name, None),
    };
    let backend = match backend {
        "cpu" if cfg!(feature = "flex") || !cfg!(feature = "ndarray") => "flex",
        "cpu" => "ndarray",
        other => other,
    };
    let Some(&(known, feature)) = BACKENDS.iter().find(|(known, _)| *known == backend) else {
        let known = BACKENDS.map(|(known, _)| known).join(", ");
        return Err(DeviceError::Unknown { name: name.to_owned(), known });
    };
    let device = open(known, index).ok_or(DeviceError::NotBuilt { name: known, feature })?;
    if matches!(known, "wgpu" | "vulkan" | "metal") && std::env::var("CUBECL_WGPU_MAX_TASKS").is_err() {
        // Seen with cubecl-wgpu 0.11.3, in plain operations of Burn as well: docs/performance.md.
        tracing::warn!("{known} may compute wrong numbers: run with CUBECL_WGPU_MAX_TASKS=1 in the environment");
    }
    probe(name, &device)?;
    Ok(device)
}

/// As [`parse`], with autodiff, for all that a recipe does from here on: with `exact` the convolutions of this process do
/// without Winograd's way, see [`slowburn_layers::set_arithmetic`].
///
/// # Errors
/// Those of [`parse`].
pub fn for_training(name: &str, exact: bool) -> Result<Device, DeviceError> {
    set_arithmetic(if exact { Arithmetic::Exact } else { Arithmetic::Fast });
    Ok(parse(name)?.autodiff())
}

/// Whether the device of this name works ahead of the host.
pub fn is_gpu(name: &str) -> bool {
    !matches!(name, "cpu" | "flex" | "ndarray")
}

/// The backends built into this program.
pub fn built_in() -> Vec<&'static str> {
    let built = [
        cfg!(feature = "cuda"),
        cfg!(feature = "vulkan"),
        cfg!(feature = "metal"),
        cfg!(feature = "wgpu"),
        cfg!(feature = "flex"),
        cfg!(feature = "ndarray"),
    ];
    BACKENDS.iter().zip(built).filter(|(_, built)| *built).map(|((name, _), _)| *name).collect()
}

#[allow(unused_variables)] // without GPU backends nothing reads the index
fn open(backend: &str, index: Option<usize>) -> Option<Device> {
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    let kind = || match index {
        Some(index) => burn::tensor::DeviceKind::DiscreteGpu(index),
        None => burn::tensor::DeviceKind::DefaultDevice,
    };
    match backend {
        #[cfg(feature = "cuda")]
        "cuda" => Some(Device::cuda(index.unwrap_or(0))),
        #[cfg(feature = "vulkan")]
        "vulkan" => Some(Device::vulkan(kind())),
        #[cfg(feature = "metal")]
        "metal" => Some(Device::metal(kind())),
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(kind())),
        #[cfg(feature = "flex")]
        "flex" => Some(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // Burn deprecates the backend; it stays available and tested here
        "ndarray" => Some(Device::ndarray()),
        _ => None,
    }
}

fn probe(name: &str, device: &Device) -> Result<(), DeviceError> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let sum = std::panic::catch_unwind(|| {
        Tensor::<1>::from_data([1.0f32, 2.0], device).sum().try_into_scalar::<f32>().map_err(|error| error.to_string())
    });
    std::panic::set_hook(hook);
    let reason = match sum {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(reason)) => reason,
        Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => text.clone(),
            (None, Some(text)) => (*text).to_owned(),
            (None, None) => "the backend gave no reason".to_owned(),
        },
    };
    Err(DeviceError::Start { name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_there() {
        parse("cpu").expect("a CPU backend is built in for tests");
    }

    #[test]
    fn a_recipe_says_how_convolutions_are_computed() {
        use slowburn_layers::arithmetic;
        for (exact, expected) in [(true, Arithmetic::Exact), (false, Arithmetic::Fast)] {
            let device = for_training("cpu", exact).expect("a CPU backend is built in for tests");
            assert!(device.is_autodiff());
            assert_eq!(arithmetic(), expected);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = parse("tpu").expect_err("there is no such backend").to_string();
        assert!(error.contains("tpu") && error.contains("cuda") && error.contains("flex"), "{error}");
    }

    #[test]
    fn a_number_must_follow_the_colon() {
        assert!(matches!(parse("cuda:x"), Err(DeviceError::Index { .. })));
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_missing_backend_names_its_feature() {
        let error = parse("cuda:0").expect_err("cuda is not built in").to_string();
        assert!(error.contains("--features cuda"), "{error}");
    }
}
