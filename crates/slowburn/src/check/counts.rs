use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::item::{Facts, Item, Side};

/// Images of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The name of the class.
    pub name: String,
    /// Training images with this label.
    pub train: usize,
    /// Test images.
    pub test: usize,
}

/// Counts by class, in the order of `named`, then of names.
pub(super) fn classes(items: &[Item], named: &[String]) -> Vec<ClassCount> {
    let mut by_name: BTreeMap<&str, (usize, usize)> = named.iter().map(|name| (name.as_str(), (0, 0))).collect();
    for item in items {
        if let Some(label) = &item.label {
            let counts = by_name.entry(label).or_default();
            match item.side {
                Side::Test => counts.1 += 1,
                Side::Train | Side::Flat => counts.0 += 1,
            }
        }
    }
    let place = |name: &str| named.iter().position(|other| other == name).unwrap_or(named.len());
    let mut classes: Vec<ClassCount> =
        by_name.into_iter().map(|(name, (train, test))| ClassCount { name: name.to_owned(), train, test }).collect();
    classes.sort_by_key(|class| place(&class.name));
    classes
}

/// Heights and widths of the images that can be decoded, in pixels, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Smallest, median and largest height.
    pub height: [usize; 3],
    /// Smallest, median and largest width.
    pub width: [usize; 3],
    /// The number of different sizes.
    pub different: usize,
}

impl Sizes {
    /// Nothing without an image.
    pub(super) fn of(items: &[Item]) -> Option<Self> {
        let facts = || items.iter().filter_map(Item::facts);
        let spread = |side: fn(&Facts) -> usize| {
            let mut sides: Vec<usize> = facts().map(side).collect();
            sides.sort_unstable();
            Some([*sides.first()?, sides[sides.len() / 2], *sides.last()?])
        };
        let different: BTreeSet<(usize, usize)> = facts().map(|facts| (facts.height, facts.width)).collect();
        Some(Self {
            height: spread(|facts| facts.height)?,
            width: spread(|facts| facts.width)?,
            different: different.len(),
        })
    }
}

/// Colours of the images that can be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Colors {
    /// Images of one channel.
    pub gray: usize,
    /// Images of three channels.
    pub rgb: usize,
    /// Those among them with alpha, which is dropped.
    pub alpha: usize,
    /// Those among them with more than 8 bits a channel, which are rounded to 8.
    pub more_than_8_bits: usize,
}

impl Colors {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut colors = Self::default();
        for facts in items.iter().filter_map(Item::facts) {
            if facts.gray {
                colors.gray += 1
            } else {
                colors.rgb += 1
            }
            colors.alpha += usize::from(facts.alpha);
            colors.more_than_8_bits += usize::from(facts.deep);
        }
        colors
    }
}
