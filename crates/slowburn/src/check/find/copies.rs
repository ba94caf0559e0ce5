//! Copies of one image, to the byte and nearly: in training and test set above all, and with different labels.

use std::collections::BTreeMap;

use super::super::finding::{Severity, Subject, count, verb};
use super::super::item::{Item, Side};
use super::super::similar;
use super::Findings;

pub(super) fn find(items: &[Item], found: &mut Findings) {
    let mut by_content: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(sha256) = item.sha256 {
            by_content.entry(sha256).or_default().push(index);
        }
    }
    let mut contents: Vec<Vec<usize>> = by_content.into_values().collect();
    contents.sort_unstable();
    exact(items, contents.iter().filter(|copies| copies.len() > 1), found);
    near(items, &contents, found);
}

fn exact<'a>(items: &[Item], groups: impl Iterator<Item = &'a Vec<usize>>, found: &mut Findings) {
    let (mut leaks, mut labels, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let (mut leaked, mut superfluous) = (0, 0);
    for group in groups {
        let tested = group.iter().filter(|&&index| items[index].side == Side::Test).count();
        let crosses = (1..group.len()).contains(&tested);
        if crosses {
            leaked += tested;
            leaks.push(subject(items, group, false));
        }
        let differ = labels_differ(items, group);
        if differ {
            labels.push(subject(items, group, true));
        }
        if !crosses && !differ {
            superfluous += group.len() - 1;
            others.push(subject(items, group, false));
        }
    }
    found.of(Severity::Problem, "test-in-train", leaks, |_| {
        let too = verb(leaked, "is a training image", "are training images");
        format!("{} {too} too, byte for byte: accuracies come out too high", count(leaked, "test image"))
    });
    found.of(Severity::Problem, "labels-differ", labels, |n| {
        format!("{} {} in several copies with different labels", count(n, "image"), verb(n, "is there", "are there"))
    });
    found.of(Severity::Note, "copies", others, |_| {
        format!(
            "{} {} of others, byte for byte",
            count(superfluous, "image"),
            verb(superfluous, "is a copy", "are copies")
        )
    });
}

/// Groups of images that look nearly the same, of different bytes. `contents` has the images of each content.
fn near(items: &[Item], contents: &[Vec<usize>], found: &mut Findings) {
    let printed = contents.iter().filter_map(|copies| {
        let facts = items[copies[0]].facts()?;
        Some((copies, facts.print.as_deref()?))
    });
    let (copies, prints): (Vec<&Vec<usize>>, Vec<_>) = printed.unzip();
    let (mut leaks, mut labels, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let (mut leaked, mut alike) = (0, 0);
    for group in similar::groups(&prints) {
        let members: Vec<usize> = group.iter().flat_map(|&place| copies[place].iter().copied()).collect();
        let has = |side: Side| -> Vec<usize> {
            group
                .iter()
                .copied()
                .filter(|&place| copies[place].iter().any(|&index| items[index].side == side))
                .collect()
        };
        let (train, test) = (has(Side::Train), has(Side::Test));
        // One content on both sides is an exact copy.
        let one_copied = train.len() == 1 && train == test;
        let crosses = !one_copied && [&train, &test].iter().all(|side| !side.is_empty());
        if crosses {
            leaked += members.iter().filter(|&&index| items[index].side == Side::Test).count();
            leaks.push(subject(items, &members, false));
        }
        let differ = labels_differ(items, &members) && group.iter().all(|&place| !labels_differ(items, copies[place]));
        if differ {
            labels.push(subject(items, &members, true));
        }
        if !crosses && !differ {
            alike += members.len();
            others.push(subject(items, &members, false));
        }
    }
    found.of(Severity::Warning, "near-test-in-train", leaks, |_| {
        let like = verb(leaked, "looks nearly like a training image", "look nearly like training images");
        format!("{} {like}", count(leaked, "test image"))
    });
    found.of(Severity::Warning, "near-labels-differ", labels, |n| {
        format!("{} of images that look nearly the same {} different labels", count(n, "group"), verb(n, "has", "have"))
    });
    found.of(Severity::Note, "near-copies", others, |n| {
        format!("{alike} images look nearly the same as others, in {}", count(n, "group"))
    });
}

fn labels_differ(items: &[Item], group: &[usize]) -> bool {
    let mut labels = group.iter().filter_map(|&index| items[index].label.as_ref());
    let first = labels.next();
    labels.any(|label| Some(label) != first)
}

/// The files of a group so that the first two say what it is about: a test image and a training image, or two labels.
fn subject(items: &[Item], group: &[usize], labels: bool) -> Subject {
    let mut group = group.to_vec();
    group.sort_by_key(|&index| std::cmp::Reverse(items[index].side));
    let other = group.iter().position(|&index| match labels {
        true => items[index].label.is_some() && items[index].label != items[group[0]].label,
        false => items[index].side != items[group[0]].side,
    });
    if let Some(place) = other {
        group[1..=place].rotate_right(1);
    }
    Subject { files: group.into_iter().map(|index| items[index].name.clone()).collect(), detail: None }
}
