use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor, TensorData};

use crate::ContrastiveError;

/// A hash of every tensor of a module, weights and running statistics, by path.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use slowburn_contrastive::evaluation::Fingerprint;
///
/// let encoder = LinearConfig::new(2, 2).init(&Device::flex());
/// let before = Fingerprint::of(&encoder);
/// // … score it …
/// before.unchanged(&encoder)?;
/// # Ok::<(), slowburn_contrastive::ContrastiveError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hashes: BTreeMap<String, u64>,
}

impl Fingerprint {
    /// Hashes a module's tensors, updates of running statistics that are still pending included.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut visitor = Hashes::default();
        module.valid().visit(&mut visitor);
        Self { hashes: visitor.hashes }
    }

    /// `Ok` where the module's tensors are those of the fingerprint, bit for bit.
    ///
    /// # Errors
    /// [`ContrastiveError::Changed`], which names the first tensor that differs.
    pub fn unchanged<M: Module>(&self, module: &M) -> Result<(), ContrastiveError> {
        let now = Self::of(module);
        let paths = self.hashes.keys().chain(now.hashes.keys());
        match paths.into_iter().find(|path| self.hashes.get(*path) != now.hashes.get(*path)) {
            Some(path) => Err(ContrastiveError::Changed { path: path.clone() }),
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Hashes {
    path: Vec<String>,
    hashes: BTreeMap<String, u64>,
}

impl Hashes {
    /// FNV-1a.
    fn insert(&mut self, data: &TensorData) {
        let shape = data.shape().to_vec();
        let lengths = shape.iter().flat_map(|length| (*length as u64).to_le_bytes());
        let bytes = lengths.chain(data.as_bytes().iter().copied());
        let start = 0xCBF2_9CE4_8422_2325_u64;
        let hash = bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        self.hashes.insert(self.path.join("."), hash);
    }
}

impl ModuleVisitor for Hashes {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.insert(&param.val().into_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.insert(&param.val().into_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.insert(&param.val().into_data());
    }
}
