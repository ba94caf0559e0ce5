//! Classes that one side lacks, and classes of very different size.

use super::super::counts::ClassCount;
use super::super::finding::{Severity, Subject, count, verb};
use super::super::item::Side;
use super::super::report::Layout;
use super::{Findings, Seen};

/// The largest class has this many times the training images of the smallest: worth a note, and worth a warning.
const UNBALANCED: [usize; 2] = [3, 10];

pub(super) fn find(seen: &Seen, classes: &[ClassCount], found: &mut Findings) {
    match seen.layout {
        Layout::Flat => flat(seen, found),
        Layout::Idx | Layout::Classes | Layout::ClassFolders if seen.items.is_empty() => {}
        Layout::Idx | Layout::Classes | Layout::ClassFolders => {
            sides(seen, classes, found);
            balance(classes, found);
        }
    }
}

fn flat(seen: &Seen, found: &mut Findings) {
    if seen.listed.folders > 1 {
        let message = format!(
            "{} with images, but also images beside or folders inside them: for labels by folder, leave one folder a class",
            count(seen.listed.folders, "folder")
        );
        found.add(Severity::Note, "no-classes", message, []);
    }
}

/// Classes without an image on one side.
fn sides(seen: &Seen, classes: &[ClassCount], found: &mut Findings) {
    let lacking = |side: Side, lacks: fn(&ClassCount) -> bool| -> Vec<Subject> {
        // The folders that are there and empty are named as such.
        let empty = |class: &ClassCount| seen.listed.classes.contains(&(side, class.name.clone()));
        classes.iter().filter(|class| lacks(class) && !empty(class)).map(|class| Subject::file(&class.name)).collect()
    };
    let on = |side: Side| seen.items.iter().any(|item| item.side == side);
    let labeled = classes.iter().any(|class| class.train > 0);
    let mut empty: Vec<Subject> = Vec::new();
    for (side, folder) in [(Side::Train, "train"), (Side::Test, "test")] {
        for class in classes {
            let images = if side == Side::Train { class.train } else { class.test };
            if images == 0 && seen.listed.classes.contains(&(side, class.name.clone())) {
                empty.push(Subject::file(format!("{folder}/{}", class.name)));
            }
        }
    }
    found.of(Severity::Problem, "empty-class", empty, |n| {
        format!("{} {} no image", count(n, "class folder"), verb(n, "has", "have"))
    });
    if labeled && on(Side::Test) {
        let unknown = lacking(Side::Train, |class| class.train == 0);
        found.of(Severity::Problem, "no-training-images", unknown, |n| {
            format!("{} of the test set {} no training image", count(n, "class"), verb(n, "has", "have"))
        });
        found.of(Severity::Warning, "no-test-images", lacking(Side::Test, |class| class.test == 0), |n| {
            format!(
                "{} {} no test image: no accuracy tells of {}",
                count(n, "class"),
                verb(n, "has", "have"),
                verb(n, "it", "them")
            )
        });
    }
    if !on(Side::Test) {
        let message = "there are no test images: no accuracy will say what was learned".to_owned();
        found.add(Severity::Warning, "no-test-set", message, []);
    }
}

fn balance(classes: &[ClassCount], found: &mut Findings) {
    let filled = || classes.iter().filter(|class| class.train > 0);
    let (Some(most), Some(least)) =
        (filled().max_by_key(|class| class.train), filled().min_by_key(|class| class.train))
    else {
        return;
    };
    let times = most.train / least.train;
    let severity = match times {
        times if times >= UNBALANCED[1] => Severity::Warning,
        times if times >= UNBALANCED[0] => Severity::Note,
        _ => return,
    };
    let message = format!(
        "classes differ in size: {} training images of {}, {} of {}",
        most.train, most.name, least.train, least.name
    );
    found.add(severity, "unbalanced", message, []);
}
