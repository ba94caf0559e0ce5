use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::blend::{Blending, blend, difference};
use crate::detach::{Cast, averaging_type, narrow_types};
use crate::path::{Path, Tensors};
use crate::{Decay, EmaError, Refused, StepCount, detached_copy, sync_running_state};

/// What happens to a model's buffers, batch norm's running mean and variance, when its weights are averaged.
///
/// The originals differ and their papers do not say (MoCo's issue 70 and Mean Teacher's issue 9 ask), so it is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Buffers {
    /// The average keeps its own, filled by its own forward passes in training mode. Mean Teacher's and MoCo's way.
    #[default]
    Own,
    /// The average takes the student's, as they are at each update. For an average that is only evaluated.
    Copy,
    /// Buffers are averaged like weights. Integer and boolean state is copied.
    Average,
}

/// How to average: the settings of [`Ema`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `decay` | warm-up to 0.999 | weight of the old average at each update | [0, 1] |
/// | `buffers` | [`Buffers::Own`] | running statistics of the average | |
/// | `every` | 1 | steps from one update to the next | ≥ 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmaConfig {
    /// The weight of the old average, by update.
    pub decay: Decay,
    /// What happens to running statistics.
    pub buffers: Buffers,
    /// Average at every n-th call of [`Ema::update`] only; the schedule counts updates made, not calls.
    pub every: u64,
}

impl Default for EmaConfig {
    fn default() -> Self {
        Self::new(Decay::WarmUp { decay: 0.999 })
    }
}

impl EmaConfig {
    /// An average with this decay, its own buffers, updated at every step.
    pub fn new(decay: Decay) -> Self {
        Self { decay, buffers: Buffers::Own, every: 1 }
    }

    /// Sets what happens to running statistics.
    pub fn with_buffers(mut self, buffers: Buffers) -> Self {
        self.buffers = buffers;
        self
    }

    /// Sets the number of steps from one update to the next.
    pub fn with_every(mut self, every: u64) -> Self {
        self.every = every;
        self
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`EmaError::Decay`] or [`EmaError::Zero`], which name the setting.
    pub fn validate(&self) -> Result<(), EmaError> {
        if self.every == 0 {
            return Err(EmaError::Zero { field: "every" });
        }
        self.decay.validate()
    }

    /// Starts an average as a detached copy of the student (see [`detached_copy`]).
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init<M: Module>(&self, student: &M) -> Result<Ema<M>, EmaError> {
        self.validate()?;
        let average = detached_copy(student);
        let (own, students) = (Tensors::of(&average), Tensors::of(student));
        let students = students.by_path();
        // Fresh ids went to all but running statistics: an id that both hold is a buffer's.
        let buffer_paths = own
            .by_path()
            .into_iter()
            .filter(|(path, entry)| students.get(path).is_some_and(|other| other.id == entry.id))
            .map(|(path, _)| path.to_owned())
            .collect();
        let device = student.devices().into_iter().next().unwrap_or_default();
        Ok(Ema {
            average: average.map(&mut Cast::new(|_, dtype| averaging_type(dtype))),
            calls: StepCount::new(&device.without_autodiff()),
            config: self.clone(),
            buffer_paths: Arc::new(buffer_paths),
            narrow: Arc::new(narrow_types(student)),
        })
    }
}

/// An exponential moving average of a module's weights: `θ̄ ← d(t)·θ̄ + (1−d(t))·θ`.
///
/// θ̄ is the average, θ the student's weights, d(t) the [`Decay`] at update t (Tarvainen & Valpola, arXiv 1703.01780,
/// §2; He et al., arXiv 1911.05722, eq. 2). Kept in f32 where the student is narrower. Tensors are matched by
/// path. The average never requires a gradient, keeps dropout and batch norm in the mode in which the student has
/// them so, and is part of the record of a module that holds it, its step counter included.
///
/// Unlike in `torch.optim.swa_utils`, the average starts as a copy of the student, not at its first update, and buffers follow a
/// [policy](Buffers) of your choice.
#[derive(Module, Debug)]
pub struct Ema<M: Module> {
    average: M,
    calls: StepCount,
    #[module(skip)]
    config: EmaConfig,
    #[module(skip)]
    buffer_paths: Arc<HashSet<String>>,
    #[module(skip)]
    narrow: Arc<HashMap<String, FloatDType>>,
}

impl<M: Module> Ema<M> {
    /// Counts a step and, at every n-th, moves the average towards the student. Call it after the optimizer's step.
    ///
    /// Takes the average by value, so that its memory may be reused.
    ///
    /// # Errors
    /// Those of [`fits`](Self::fits). The average comes back as it was.
    pub fn update(mut self, student: &M) -> Result<Self, Refused<Self, EmaError>> {
        let buffers = self.config.buffers;
        if buffers != Buffers::Own {
            // An update that a forward pass left pending would overwrite the copied value later.
            sync_running_state(student);
            sync_running_state(&self.average);
        }
        let now = (self.calls.get() + 1).is_multiple_of(self.config.every);
        let tensors = match (now, buffers) {
            (false, _) => Tensors::shapes(student),
            (true, Buffers::Own) => Tensors::but_for(&self.buffer_paths, student),
            (true, Buffers::Copy | Buffers::Average) => Tensors::of(student),
        };
        if let Some(error) = difference(&Tensors::shapes(&self.average), &tensors) {
            return Err(Refused::new(self, error));
        }
        self.calls.increment();
        if now {
            let decay = self.config.decay.at(self.updates());
            let how = Blending { decay, buffers, buffer_paths: &self.buffer_paths };
            self.average = blend(self.average, tensors, how);
        }
        Ok(self)
    }

    /// The same average for a new training: a decay that follows the training's course ([`Decay::Step`], [`Decay::Cosine`])
    /// starts over. One that begins as a mean ([`Decay::WarmUp`], [`Decay::Uniform`]) goes on: that forgets first weights that
    /// nobody trained, and these are trained.
    pub fn restart(mut self) -> Self {
        if matches!(self.config.decay, Decay::Step { .. } | Decay::Cosine { .. }) {
            self.calls.set(0);
        }
        self
    }

    /// Whether [`update`](Self::update) would follow this student.
    ///
    /// # Errors
    /// [`EmaError::Unknown`], [`EmaError::Missing`] or [`EmaError::Shape`] when the student is another model.
    pub fn fits(&self, student: &M) -> Result<(), EmaError> {
        difference(&Tensors::shapes(&self.average), &Tensors::shapes(student)).map_or(Ok(()), Err)
    }

    /// The averaged model, in f32 or wider, on the student's device.
    ///
    /// A clone of it shares its running statistics; [`export`](Self::export) gives an independent copy.
    pub fn module(&self) -> &M {
        &self.average
    }

    /// Runs `f` with the averaged model in the student's float type.
    ///
    /// Where the student is f16 or bf16, `f` sees a converted copy and the running statistics that its forward
    /// passes leave behind are taken over, so that the average keeps statistics of its own.
    pub fn with_module<R>(&self, f: impl FnOnce(&M) -> R) -> R {
        if self.narrow.is_empty() {
            return f(&self.average);
        }
        let working = self.export();
        let result = f(&working);
        sync_running_state(&working);
        let statistics = Tensors::of(&working);
        let mut take = TakeBuffers { statistics, at: 0, buffers: &self.buffer_paths, path: Path::default() };
        // A clone shares the running states and `map` writes them in place: this reaches `self.average`.
        drop(self.average.clone().map(&mut take));
        result
    }

    /// An independent copy of the averaged model in the student's float type.
    pub fn export(&self) -> M {
        detached_copy(&self.average).map(&mut Cast::new(|path, _| self.narrow.get(path).copied()))
    }

    /// The settings.
    pub fn config(&self) -> &EmaConfig {
        &self.config
    }

    /// The number of updates made so far (calls of [`update`](Self::update) divided by `every`).
    pub fn updates(&self) -> u64 {
        self.calls.get() / self.config.every
    }

    /// The decay of the latest update; before any, that of the first.
    pub fn decay(&self) -> f64 {
        self.config.decay.at(self.updates())
    }
}

/// Takes a module's buffers over from another's.
struct TakeBuffers<'a> {
    statistics: Tensors,
    /// Tensors mapped so far.
    at: usize,
    buffers: &'a HashSet<String>,
    path: Path,
}

impl ModuleMapper for TakeBuffers<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, at) = (self.path.joined(), self.at);
        self.at += 1;
        if !self.buffers.contains(path) {
            return param;
        }
        let Some(value) = self.statistics.find(path, at).and_then(|entry| entry.take::<Tensor<D>>()) else {
            return param;
        };
        param.map(|own| {
            let dtype = own.dtype();
            value.cast(dtype)
        })
    }
}
