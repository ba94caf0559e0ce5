//! One update of the average of a network's weights, through [`Ema::update`].

use anyhow::{Context, Result};
use slowburn_benches::{average, student};
use slowburn_models::ResNetConfig;

use super::Task;

pub(super) fn tasks(cores: usize) -> Result<Vec<Task>> {
    let network = |name, title: &str, config: ResNetConfig| -> Result<Task> {
        let (student, mut ema) = (student(&config)?, Some(average(&config)?));
        let work = Box::new(move || {
            let moved = ema.take().context("put back below")?.update(&student)?;
            ema = Some(moved);
            Ok(1)
        });
        let params = format!("{title}, decay 0.999; `_foreach_lerp_`");
        Ok(Task { name, script: "average.py", params, threads: cores, work })
    };
    Ok(vec![
        network("average/resnet18", "one update, ResNet-18 of 11.2 M weights", ResNetConfig::resnet18())?,
        network("average/resnet50", "one update, ResNet-50 of 23.5 M weights", ResNetConfig::resnet50())?,
    ])
}
