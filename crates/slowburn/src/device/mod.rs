//! The device a program runs on, chosen at run time among the backends built in.

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
mod webgpu;

use std::sync::{Arc, Mutex, PoisonError};

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, Tensor};
use slowburn_layers::{Arithmetic, ComputePath, fast_path, has_bf16, set_arithmetic};

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
    /// Settings ask for two ways of computing convolutions.
    #[error("`exact` and `bf16` are two ways of computing convolutions: set one of them")]
    TwoArithmetics,
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
    let failed = |reason| DeviceError::Start { name: name.to_owned(), reason };
    let device = open(known, index).map_err(failed)?.ok_or(DeviceError::NotBuilt { name: known, feature })?;
    probe(&device).map_err(failed)?;
    Ok(device)
}

/// As [`parse`], with autodiff, for all that a recipe does from here on: the convolutions of this process are computed as its
/// `exact` and `bf16` say, see [`set_arithmetic`].
///
/// # Errors
/// Those of [`parse`], and where it says both.
pub fn for_training(name: &str, exact: bool, bf16: bool) -> Result<Device, DeviceError> {
    let arithmetic = match (exact, bf16) {
        (false, false) => Arithmetic::Fast,
        (true, false) => Arithmetic::Exact,
        (false, true) => Arithmetic::Bf16,
        (true, true) => return Err(DeviceError::TwoArithmetics),
    };
    set_arithmetic(arithmetic);
    let device = parse(name)?.autodiff();
    if arithmetic == Arithmetic::Bf16 && (fast_path(&device) != ComputePath::Kernels || !has_bf16()) {
        tracing::warn!(
            "bf16: `{name}` has no matrix unit that slowburn knows (Intel's AMX, on Linux): it stays in f32"
        );
    }
    Ok(device)
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

/// The device of this backend if it is built in, or why it does not start.
#[allow(unused_variables)] // without GPU backends nothing reads the index
fn open(backend: &str, index: Option<usize>) -> Result<Option<Device>, String> {
    Ok(match backend {
        #[cfg(feature = "cuda")]
        "cuda" => Some(Device::cuda(index.unwrap_or(0))),
        #[cfg(feature = "vulkan")]
        "vulkan" => Some(webgpu::open(index, WgpuBackend::Vulkan)?),
        #[cfg(feature = "metal")]
        "metal" => Some(webgpu::open(index, WgpuBackend::Metal)?),
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(webgpu::open(index, WgpuBackend::Auto)?),
        #[cfg(feature = "flex")]
        "flex" => Some(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // Burn deprecates the backend; it stays available and tested here
        "ndarray" => Some(Device::ndarray()),
        _ => None,
    })
}

/// Runs one addition. Its failure is what the first panic says, which often is that of a thread of the backend's own.
fn probe(device: &Device) -> Result<(), String> {
    // The hook is the whole process's: two threads that put it back would put back each other's.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let said = Arc::new(Mutex::new(None));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new({
        let said = Arc::clone(&said);
        move |panic| {
            let text = panic.payload_as_str().unwrap_or("the backend gave no reason").to_owned();
            said.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        }
    }));
    let sum = std::panic::catch_unwind(|| {
        Tensor::<1>::from_data([1.0f32, 2.0], device).sum().try_into_scalar::<f32>().map_err(|error| error.to_string())
    });
    std::panic::set_hook(hook);
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
    match sum {
        Ok(sum) => sum.map(|_: f32| ()),
        Err(_) => Err(said.unwrap_or_default()),
    }
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
        let said =
            [(true, false, Arithmetic::Exact), (false, true, Arithmetic::Bf16), (false, false, Arithmetic::Fast)];
        for (exact, bf16, expected) in said {
            let device = for_training("cpu", exact, bf16).expect("a CPU backend is built in for tests");
            assert!(device.is_autodiff());
            assert_eq!(arithmetic(), expected);
        }
        assert!(for_training("cpu", true, true).is_err_and(|error| error.to_string().contains("bf16")));
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
