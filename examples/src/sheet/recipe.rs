use anyhow::{Result, bail};
use slowburn_augment::{Pipeline, presets};

/// Every preset by its name.
const PRESETS: [(&str, fn() -> Pipeline); 6] = [
    ("mean_teacher_cifar", presets::mean_teacher_cifar),
    ("mean_teacher_cifar_tf", presets::mean_teacher_cifar_tf),
    ("mean_teacher_svhn", presets::mean_teacher_svhn),
    ("fashion", presets::fashion),
    ("usb_weak_cifar", presets::usb_weak_cifar),
    ("usb_weak_svhn", presets::usb_weak_svhn),
];

/// The preset `name` with views of `size`, the only place that knows how presets are looked up.
pub(super) fn preset(name: &str, size: Option<u32>) -> Result<Pipeline> {
    let Some((_, make)) = PRESETS.iter().find(|preset| preset.0 == name) else {
        bail!("there is no preset {name:?}, allowed: {}", PRESETS.map(|preset| preset.0).join(", "));
    };
    if let Some(size) = size {
        bail!("the preset {name} leaves images at their size, --size {size} is not allowed with it");
    }
    Ok(make())
}

/// Every preset, one a line.
pub fn preset_list() -> String {
    PRESETS.iter().map(|(_, make)| format!("{}\n", make())).collect()
}
