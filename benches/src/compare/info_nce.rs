//! The loss against a queue, with its gradient to the queries.

use anyhow::Context;
use slowburn_benches::{CONTRASTS, Contrasted};

use super::Task;

pub(super) fn tasks(cores: usize) -> Vec<Task> {
    let task = |&(name, n, count): &(&'static str, usize, usize)| {
        let inputs = Contrasted::new(n, count);
        let work = Box::new(move || {
            inputs.gradient().context("the queries are leaves")?;
            Ok(1)
        });
        let params = format!("forward and backward, N {n}, d 128, K {count}, τ 0.07");
        Task { name, script: "info_nce.py", params, threads: cores, work }
    };
    CONTRASTS.iter().map(task).collect()
}
