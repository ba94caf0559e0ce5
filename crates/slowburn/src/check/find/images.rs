//! Sizes, colours and names of single images.

use super::super::finding::{Severity, Subject, count, verb};
use super::super::item::{Facts, Item};
use super::Findings;

/// Sides in pixels below which an image shows nothing.
const TINY: usize = 8;
/// A short side this many times smaller or larger than the median one is far from the others.
const FAR: usize = 4;

pub(super) fn find(items: &[Item], found: &mut Findings) {
    sizes(items, found);
    colors(items, found);
    of(
        items,
        found,
        Severity::Warning,
        "one-colour",
        |facts| facts.flat && short(facts) >= TINY,
        |n| format!("{} {} nearly one colour", count(n, "image"), verb(n, "is", "are")),
    );
    let misnamed = items.iter().filter_map(|item| {
        let format = item.facts()?.misnamed?;
        Some(Subject::with(&item.name, format!("it is {format}, by its content")))
    });
    found.of(Severity::Note, "misnamed", misnamed.collect(), |n| {
        format!("{} {} another format than the name says, and can be read", count(n, "image"), verb(n, "has", "have"))
    });
    of(
        items,
        found,
        Severity::Note,
        "turned",
        |facts| facts.turned,
        |n| {
            format!(
                "{} {} EXIF data that turn or mirror {}",
                count(n, "image"),
                verb(n, "has", "have"),
                verb(n, "it", "them")
            )
        },
    );
}

fn short(facts: &Facts) -> usize {
    facts.height.min(facts.width)
}

/// Adds the images of which something is true.
fn of(
    items: &[Item],
    found: &mut Findings,
    severity: Severity,
    kind: &'static str,
    is: impl Fn(&Facts) -> bool,
    message: impl FnOnce(usize) -> String,
) {
    let those = items.iter().filter(|item| item.facts().is_some_and(&is));
    found.of(severity, kind, those.map(|item| Subject::file(&item.name)).collect(), message);
}

fn sizes(items: &[Item], found: &mut Findings) {
    let mut sides: Vec<usize> = items.iter().filter_map(Item::facts).map(short).collect();
    sides.sort_unstable();
    let Some(&median) = sides.get(sides.len() / 2) else { return };
    let sized = |is: &dyn Fn(usize) -> bool| -> Vec<Subject> {
        let those = items.iter().filter_map(|item| Some((item, item.facts()?)));
        those
            .filter(|(_, facts)| is(short(facts)))
            .map(|(item, facts)| Subject::with(&item.name, format!("{}×{}", facts.height, facts.width)))
            .collect()
    };
    found.of(Severity::Warning, "tiny", sized(&|side| side < TINY), |n| {
        format!("{} {} smaller than {TINY} pixels", count(n, "image"), verb(n, "is", "are"))
    });
    found.of(
        Severity::Note,
        "far-size",
        sized(&|side| side >= TINY && (side * FAR < median || side > median * FAR)),
        |n| {
            format!(
                "{} {} a short side {FAR} times smaller or larger than the median of {median} pixels",
                count(n, "image"),
                verb(n, "has", "have")
            )
        },
    );
}

fn colors(items: &[Item], found: &mut Findings) {
    let facts = || items.iter().filter_map(Item::facts);
    let (all, gray) = (facts().count(), facts().filter(|facts| facts.gray).count());
    if gray > 0 && gray < all {
        // The fewer are shown.
        let fewer_are_gray = 2 * gray <= all;
        let message = match fewer_are_gray {
            true => format!("{gray} of {all} images {} grey, the others have colours", verb(gray, "is", "are")),
            false => format!(
                "{} of {all} images {} colours, the others are grey",
                all - gray,
                verb(all - gray, "has", "have")
            ),
        };
        of(items, found, Severity::Warning, "gray-among-colours", |facts| facts.gray == fewer_are_gray, |_| message);
    }
    of(
        items,
        found,
        Severity::Note,
        "alpha",
        |facts| facts.alpha,
        |n| format!("{} {} alpha, which is dropped", count(n, "image"), verb(n, "has", "have")),
    );
    of(
        items,
        found,
        Severity::Note,
        "more-than-8-bits",
        |facts| facts.deep,
        |n| format!("{} {} more than 8 bits a channel, rounded to 8", count(n, "image"), verb(n, "has", "have")),
    );
}
