use burn::module::Module;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use slowburn_ema::StateMatrix;

use super::flex::Slots;
use super::free::{Averages, Running};
use super::settings::Selection;
use crate::{SemiError, SemiWarning};

/// Which predictions become targets, with all that a [`Selection`] remembers: part of a method's record.
///
/// A step asks it twice: [`choose`](Self::choose) changes nothing, [`remember`](Self::remember) does, once the costs of the step are
/// known to be finite. Neither reads the device.
#[derive(Module, Debug)]
pub struct Selector {
    /// Predictions since a sample was last kept as this class, at most as many as there are samples, `[1, classes]`.
    since_kept: StateMatrix,
    flex: Option<Slots>,
    free: Option<Running>,
    #[module(skip)]
    selection: Selection,
    #[module(skip)]
    samples: usize,
}

/// What a [`Selector`] made of a batch of n predictions. On the device, without gradient.
#[derive(Debug, Clone)]
pub struct Selected {
    /// `max q`, `[n]`.
    pub confidence: Tensor<1>,
    /// `argmax q`, `[n]`.
    pub classes: Tensor<1, Int>,
    /// 1 for the samples that count, 0 for the others, `[n]`.
    pub kept: Tensor<1>,
    averages: Option<Averages>,
}

/// The state of a selection on the host, for people. See [`Selector::report`].
#[derive(Debug, Clone, PartialEq)]
pub struct SelectionReport {
    /// The threshold of each class.
    pub thresholds: Vec<f64>,
    /// The classes as which no sample was kept yet, or during as many predictions as there are samples, in order. At first
    /// FlexMatch and FreeMatch keep nearly everything; a class that is left out later is here too.
    pub not_kept: Vec<usize>,
}

impl SelectionReport {
    /// What in it was probably not meant. To be asked after some training: at first nothing was kept.
    pub fn warnings(&self) -> Vec<SemiWarning> {
        match self.not_kept.len() {
            0 => Vec::new(),
            all if all == self.thresholds.len() => vec![SemiWarning::NothingKept],
            _ => vec![SemiWarning::NotKept { classes: self.not_kept.clone() }],
        }
    }
}

impl Selector {
    /// A selector for predictions of `classes` classes of samples below `samples`.
    ///
    /// # Errors
    /// Those of [`Selection::validate`], [`SemiError::OutOfRange`] for no samples or classes.
    pub fn new(selection: Selection, samples: usize, classes: usize, device: &Device) -> Result<Self, SemiError> {
        selection.validate()?;
        for (field, count) in [("samples", samples), ("classes", classes)] {
            SemiError::unless(count >= 1, field, count as f64, "at least 1")?;
        }
        let device = device.clone().without_autodiff();
        let flex = match &selection {
            Selection::Flex(settings) => Some(Slots::new(settings, samples, classes, &device)),
            _ => None,
        };
        let free = match &selection {
            Selection::Free(settings) => Some(Running::new(settings, classes, &device)),
            _ => None,
        };
        let since_kept = StateMatrix::new(Tensor::full([1, classes], samples as f64, &device));
        Ok(Self { since_kept, flex, free, selection, samples })
    }

    /// Forgets what it knows of samples, FlexMatch's classes among it: those of a new training may be others. FreeMatch's
    /// averages, which are of classes, stay.
    pub(super) fn restart(&self) {
        self.since_kept.update(|since| since.full_like(self.samples as f64));
        if let Some(slots) = &self.flex {
            slots.restart();
        }
    }

    /// The settings.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Which of these predictions count.
    ///
    /// # Shapes
    /// - `q`: probabilities `[n, classes]` on weak views
    /// - `samples`: `[n]`
    ///
    /// # Errors
    /// [`SemiError::Rows`] or [`SemiError::Classes`] where shapes differ, for FlexMatch
    /// [`EmaError::UnknownSample`](slowburn_ema::EmaError::UnknownSample) for a sample without a slot.
    pub fn choose(&self, q: &Tensor<2>, samples: &[usize]) -> Result<Selected, SemiError> {
        SemiError::predictions("predictions", q.dims(), [samples.len(), self.since_kept.dims()[1]])?;
        if let Some(slots) = &self.flex {
            slots.check(samples)?;
        }
        let q = q.clone().without_autodiff().cast(FloatDType::F32);
        let (confidence, classes) = q.clone().max_dim_with_indices(1); // [n, 1]
        let (confidence, classes) = (confidence.squeeze_dim::<1>(1), classes.squeeze_dim::<1>(1));
        let averages = self.free.as_ref().map(|free| free.after(&q, &confidence, &classes.clone().float()));
        let kept = match (&self.selection, self.thresholds_with(averages.as_ref())) {
            (_, Some(thresholds)) => {
                let own = thresholds.squeeze_dim::<1>(0).select(0, classes.clone()); // T(argmax q), [n]
                confidence.clone().greater_equal(own).float()
            }
            (Selection::Fixed { threshold }, None) => confidence.clone().greater_equal_elem(*threshold).float(),
            (_, None) => confidence.ones_like(),
        };
        Ok(Selected { confidence, classes, kept, averages })
    }

    /// Takes a batch into the state.
    ///
    /// # Errors
    /// Those of [`choose`](Self::choose) for other samples than those chosen from. The state is then as it was.
    pub fn remember(&self, selected: Selected, samples: &[usize]) -> Result<(), SemiError> {
        SemiError::rows("sample numbers", samples.len(), selected.kept.dims()[0])?;
        let classes = selected.classes.float();
        if let Some(slots) = &self.flex {
            slots.write(samples, selected.confidence, classes.clone())?;
        }
        if let (Some(free), Some(averages)) = (&self.free, selected.averages) {
            free.remember(averages);
        }
        let [_, columns] = self.since_kept.dims();
        let now = one_hot(classes.unsqueeze_dim(1), columns) * selected.kept.unsqueeze_dim::<2>(1); // [n, classes]
        let others = now.max_dim(0).neg().add_scalar(1.0); // 1 for classes that nothing was kept as, [1, classes]
        let predictions = samples.len() as f64;
        self.since_kept.update(|since| (since.add_scalar(predictions) * others).clamp_max(self.samples as f64));
        Ok(())
    }

    /// The thresholds as they stand, `[classes]`: those that FlexMatch's next batch meets, and FreeMatch's latest.
    pub fn thresholds(&self) -> Tensor<1> {
        let averages = self.free.as_ref().map(Running::averages);
        let fixed = |threshold| self.since_kept.value().zeros_like().add_scalar(threshold);
        let thresholds = self.thresholds_with(averages.as_ref()).unwrap_or_else(|| match self.selection {
            Selection::Fixed { threshold } => fixed(threshold),
            _ => fixed(0.0),
        });
        thresholds.squeeze_dim(0)
    }

    /// The state for people. Waits for the device.
    pub fn report(&self) -> SelectionReport {
        let since = self.since_kept.value().into_data();
        let whole = |since: f64| since >= f64::from(self.samples as f32); // as the state rounds it
        let not_kept = since.iter::<f64>().enumerate().filter(|&(_, since)| whole(since)).map(|(class, _)| class);
        SelectionReport {
            not_kept: not_kept.collect(),
            thresholds: self.thresholds().into_data().iter::<f64>().collect(),
        }
    }

    /// FreeMatch's weight and fairness term for strong logits `[n, classes]`.
    pub(super) fn fairness(&self, selected: &Selected, strong: Tensor<2>) -> Option<(f64, Tensor<1>)> {
        self.free.as_ref()?.fairness(selected.averages.as_ref()?, strong, &selected.kept)
    }

    /// Thresholds by class, `[1, classes]`, where they differ.
    fn thresholds_with(&self, averages: Option<&Averages>) -> Option<Tensor<2>> {
        match (&self.flex, &self.free, averages) {
            (Some(slots), _, _) => Some(slots.thresholds()),
            (_, Some(free), Some(averages)) => Some(free.thresholds(averages)),
            _ => None,
        }
    }
}

/// 1 at the class of each row `[n, 1]`, `[n, classes]`; a row of another number has none. Burn's own reads the device.
pub(super) fn one_hot(classes: Tensor<2>, columns: usize) -> Tensor<2> {
    let every: Vec<f32> = (0..columns).map(|class| class as f32).collect();
    let every = Tensor::<2>::from_data(TensorData::new(every, [1, columns]), &classes.device());
    let rows = classes.dims()[0];
    classes.cast(FloatDType::F32).expand([rows, columns]).equal(every.expand([rows, columns])).float()
}
