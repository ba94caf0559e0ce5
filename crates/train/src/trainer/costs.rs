use burn::tensor::Tensor;

/// Costs of the steps of an epoch, the one that must be finite first: on the device until read, several at once.
#[derive(Debug, Default)]
pub(super) struct Costs {
    pending: Vec<Tensor<1>>,
    sums: Vec<f64>,
    steps: u64,
    /// Those of the last step that was read.
    pub(super) latest: Vec<f64>,
}

impl Costs {
    /// Steps whose costs have not been read.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Takes in the costs of a step, each `[1]`; every step has equally many.
    pub(super) fn push(&mut self, costs: Vec<Tensor<1>>) {
        self.sums.resize(costs.len(), 0.0);
        let costs = costs.into_iter().map(|cost| cost.without_autodiff()).collect();
        self.pending.push(Tensor::cat(costs, 0));
    }

    /// Reads what is pending.
    ///
    /// # Errors
    /// Returns step (from 1) and value of the first non-finite cost.
    pub(super) fn read(&mut self) -> Result<(), (u64, f64)> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let values = Tensor::cat(std::mem::take(&mut self.pending), 0).into_data().convert::<f32>();
        let values: Vec<f64> = values.iter::<f32>().map(f64::from).collect();
        for costs in values.chunks_exact(self.sums.len()) {
            self.sums.iter_mut().zip(costs).for_each(|(sum, cost)| *sum += cost);
            self.latest = costs.to_vec();
            self.steps += 1;
            if !costs[0].is_finite() {
                return Err((self.steps, costs[0]));
            }
        }
        Ok(())
    }

    /// The mean of each cost over the steps read.
    pub(super) fn means(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.steps.max(1) as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn step(costs: [f32; 2]) -> Vec<Tensor<1>> {
        costs.iter().map(|&cost| Tensor::from_data([cost], &Device::flex())).collect()
    }

    #[test]
    fn means_are_over_steps_and_the_first_cost_must_be_finite() {
        let mut costs = Costs::default();
        costs.push(step([1.0, 5.0]));
        costs.push(step([2.0, f32::NAN]));
        costs.read().expect("the first cost is finite");
        assert_eq!((costs.means()[0], costs.latest[0]), (1.5, 2.0));
        costs.push(step([f32::INFINITY, 1.0]));
        assert_eq!(costs.read(), Err((3, f64::INFINITY)));
    }
}
