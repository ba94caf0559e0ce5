use std::fmt;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorReadError};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
    state::{FormatOptions, NumericMetricState},
};

/// A fraction by batch, shown in percent as the mean over samples.
#[derive(Clone)]
pub struct RateMetric {
    name: MetricName,
    state: NumericMetricState,
}

/// The input of a [`RateMetric`].
#[derive(Debug)]
pub struct RateInput {
    pub(super) rate: Tensor<1>,
    pub(super) rows: usize,
}

impl fmt::Debug for RateMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateMetric").field(&self.name).finish()
    }
}

impl RateMetric {
    /// The contrastive accuracy of training steps.
    pub fn contrastive() -> Self {
        Self::named("Contrastive accuracy")
    }

    /// The kNN accuracy of validation steps.
    pub fn knn() -> Self {
        Self::named("kNN accuracy")
    }

    fn named(name: &str) -> Self {
        Self { name: Arc::new(name.to_owned()), state: NumericMetricState::default() }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).unit("%").precision(2)
    }
}

impl Metric for RateMetric {
    type Input = RateInput;

    fn update(&mut self, input: &RateInput, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        let rate = input.rate.clone().mean().try_into_scalar::<f64>()?;
        self.state.update(100.0 * rate, input.rows);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: Some("%".to_owned()), higher_is_better: true }.into()
    }
}

impl Numeric for RateMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}
