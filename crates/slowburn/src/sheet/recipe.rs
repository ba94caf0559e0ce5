use anyhow::Result;
use slowburn_augment::Pipeline;
use slowburn_augment::presets::Preset;

/// The preset `name` with views of `size`.
pub(super) fn preset(name: &str, size: Option<u32>) -> Result<Pipeline> {
    Ok(name.parse::<Preset>()?.pipeline(size)?)
}

/// Every preset, one a line.
pub fn preset_list() -> String {
    let line = |preset: Preset| preset.pipeline(None).map(|pipeline| format!("{pipeline}\n")).unwrap_or_default();
    Preset::ALL.into_iter().map(line).collect()
}
