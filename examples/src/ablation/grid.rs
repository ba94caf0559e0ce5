use serde::{Deserialize, Serialize};

use slowburn::moco::{Method, Recipe, Version};

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Keys in the queue: "large".
    Queue,
    /// The average's decay: "consistent".
    Decay,
    /// Split batch normalisation and shuffled keys.
    Statistics,
    /// Head, temperature, schedule and views of v1 and v2.
    Version,
    /// MoCo, end-to-end, memory bank.
    Method,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queue, Self::Decay, Self::Statistics, Self::Version, Self::Method];
}

/// One recipe with the name of what is special about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// What is varied.
    pub group: Group,
    /// The value, in words.
    pub name: String,
    /// The value, where it is a number.
    pub value: Option<f64>,
    /// Everything else as in the recipe that all start from.
    pub recipe: Recipe,
}

/// Queues from one batch to all keys that a data set of `images` allows, in steps of 4.
fn queues(base: &Recipe, images: usize) -> Vec<usize> {
    let largest = images.saturating_sub(base.batch);
    let mut sizes: Vec<usize> = std::iter::successors(Some(base.batch), |size| size.checked_mul(4))
        .take_while(|&size| size <= largest)
        .collect();
    if !sizes.contains(&base.queue) {
        sizes.push(base.queue);
        sizes.sort_unstable();
    }
    sizes
}

/// All settings of a group.
pub fn grid(group: Group, base: &Recipe, images: usize) -> Vec<Setting> {
    let setting = |name: String, value: Option<f64>, change: &dyn Fn(&mut Recipe)| {
        let mut recipe = base.clone();
        change(&mut recipe);
        Setting { group, name, value, recipe }
    };
    match group {
        Group::Queue => queues(base, images)
            .into_iter()
            .map(|size| setting(size.to_string(), Some(size as f64), &|recipe| recipe.queue = size))
            .collect(),
        Group::Decay => [0.0, 0.9, 0.99, 0.999, 0.9999]
            .into_iter()
            .map(|decay| setting(decay.to_string(), Some(decay), &|recipe| recipe.decay = decay))
            .collect(),
        Group::Statistics => [
            ("split, shuffled", base.network.splits, true),
            ("split, not shuffled", base.network.splits, false),
            ("whole batch", 1, false),
        ]
        .into_iter()
        .map(|(name, splits, shuffle)| {
            setting(name.to_owned(), None, &|recipe| (recipe.network.splits, recipe.shuffle) = (splits, shuffle))
        })
        .collect(),
        Group::Version => [("v1", Version::V1), ("v2", Version::V2)]
            .into_iter()
            .map(|(name, version)| setting(name.to_owned(), None, &|recipe| recipe.set_version(version)))
            .collect(),
        Group::Method => [Method::Moco, Method::EndToEnd, Method::MemoryBank]
            .into_iter()
            .map(|method| {
                setting(method.to_string(), None, &|recipe| {
                    recipe.method = method;
                    if method == Method::MemoryBank {
                        // The decay of a slot (arXiv 1805.01978), not of weights.
                        recipe.decay = 0.5;
                    }
                })
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slowburn::moco::fashion;

    #[test]
    fn every_setting_is_valid_and_every_group_has_the_default() {
        for group in Group::ALL {
            let settings = grid(group, &fashion(), 10_000);
            assert!(settings.iter().any(|setting| setting.recipe == fashion()), "{group:?}");
            for setting in settings {
                setting.recipe.validate().expect("in range");
                setting.recipe.validate_for(10_000, 10_000).expect("fits");
            }
        }
    }

    #[test]
    fn the_first_version_differs_in_views_too() {
        let settings = grid(Group::Version, &fashion(), 10_000);
        assert_eq!(settings[0].recipe.views, slowburn_augment::presets::moco_fashion_v1(28));
        assert_eq!(settings[1].recipe, fashion());
    }

    #[test]
    fn queues_go_from_one_batch_to_what_the_images_allow() {
        let sizes: Vec<_> = grid(Group::Queue, &fashion(), 10_000).iter().map(|setting| setting.recipe.queue).collect();
        assert_eq!(sizes, [128, 512, 2048, 4096, 8192]);
    }
}
