//! A report as text.

use std::io::{self, Write};

use super::counts::{ClassCount, Sizes};
use super::finding::{Finding, Severity, Subject, count};
use super::report::{Layout, Report};

/// Classes that are listed one by one.
const LISTED: usize = 20;
/// Files that are shown of a group.
const OF_GROUP: usize = 3;

impl Report {
    /// Writes the report, with at most `examples` files of each finding.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, examples: usize) -> io::Result<()> {
        writeln!(out, "{}: {}\n", self.path.display(), self.images_in_words())?;
        for finding in &self.findings {
            write_finding(out, finding, examples)?;
        }
        if !self.findings.is_empty() {
            writeln!(out)?;
        }
        self.write_classes(out, examples)?;
        if let Some(sizes) = &self.sizes {
            write_sizes(out, sizes)?;
        }
        self.write_colors(out)?;
        self.write_defaults(out)?;
        if self.findings.iter().any(|finding| finding.kind.starts_with("near-")) {
            let super::report::Near { bits, difference } = self.near;
            writeln!(
                out,
                "\nNearly the same: hashes differ in at most {bits} of 64 bits, thumbnails by {difference} of\n255 on average. \
                 A group is what such pairs connect."
            )?;
        }
        let counts = [(Severity::Problem, "problem"), (Severity::Warning, "warning"), (Severity::Note, "note")]
            .map(|(severity, noun)| count(self.count(severity), noun));
        writeln!(out, "\n{}", counts.join(", "))
    }

    fn images_in_words(&self) -> String {
        let &Self { images, train, labeled, test, .. } = self;
        let layout = match self.layout {
            Layout::Idx => "IDX files",
            Layout::Classes => "train/ and test/",
            Layout::ClassFolders => "a folder a class",
            Layout::Flat => return format!("{} without labels (a flat folder)", count(images, "image")),
        };
        let unlabeled = match train - labeled {
            0 => String::new(),
            unlabeled => format!(" ({unlabeled} without label)"),
        };
        format!("{layout}, {train} training{unlabeled} and {}", count(test, "test image"))
    }

    fn write_classes(&self, out: &mut dyn Write, examples: usize) -> io::Result<()> {
        if self.classes.is_empty() {
            return Ok(());
        }
        if self.classes.len() > LISTED && examples != usize::MAX {
            let by = |of: fn(&ClassCount) -> usize| {
                let least = self.classes.iter().map(of).min().unwrap_or_default();
                let most = self.classes.iter().map(of).max().unwrap_or_default();
                if least == most { format!("{most}") } else { format!("{least} to {most}") }
            };
            let (train, test) = (by(|class| class.train), by(|class| class.test));
            return writeln!(out, "classes   {}: {train} training and {test} test images each", self.classes.len());
        }
        let width = self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or_default().clamp(8, 40);
        writeln!(out, "classes   {:<width$} {:>7} {:>7}", "", "train", "test")?;
        for ClassCount { name, train, test } in &self.classes {
            writeln!(out, "          {name:<width$} {train:>7} {test:>7}")?;
        }
        Ok(())
    }

    fn write_colors(&self, out: &mut dyn Write) -> io::Result<()> {
        let colors = &self.colors;
        let parts = [
            (colors.rgb, "RGB"),
            (colors.gray, "grey"),
            (colors.alpha, "with alpha"),
            (colors.more_than_8_bits, "with more than 8 bits"),
            (self.turned, "turned by EXIF data"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if parts.is_empty() { Ok(()) } else { writeln!(out, "colours   {}", parts.join(", ")) }
    }

    fn write_defaults(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(defaults) = &self.defaults else { return Ok(()) };
        let pretrain = &defaults.pretrain;
        writeln!(
            out,
            "defaults  pretrain: {} epochs, batches of {}, {}, a queue of {}",
            pretrain.epochs,
            pretrain.batch,
            count(pretrain.splits, "split"),
            pretrain.queue
        )?;
        if let Some(train) = &defaults.train {
            let (epochs, batch, labeled) = (train.epochs, train.batch, train.labeled);
            writeln!(out, "          train: {epochs} epochs, batches of {batch}, {labeled} of them with label")?;
        }
        Ok(())
    }
}

fn write_sizes(out: &mut dyn Write, sizes: &Sizes) -> io::Result<()> {
    let Sizes { height, width, different } = sizes;
    if *different == 1 {
        return writeln!(out, "sizes     all {}×{} (height×width)", height[0], width[0]);
    }
    let spread = |&[low, median, high]: &[usize; 3]| match low == high {
        true => format!("{low}"),
        false => format!("{low} to {high}, median {median}"),
    };
    writeln!(out, "sizes     height {}; width {}", spread(height), spread(width))?;
    writeln!(out, "          {}", count(*different, "different size"))
}

fn write_finding(out: &mut dyn Write, finding: &Finding, examples: usize) -> io::Result<()> {
    writeln!(out, "{:<9} {}", finding.severity, finding.message)?;
    let same = if finding.kind.starts_with("near-") { " ~ " } else { " = " };
    for Subject { files, detail } in finding.subjects.iter().take(examples) {
        let shown = if examples == usize::MAX { files.len() } else { OF_GROUP };
        let mut line = files.iter().take(shown).cloned().collect::<Vec<_>>().join(same);
        if files.len() > shown {
            line.push_str(&format!(" … and {} more", files.len() - shown));
        }
        if let Some(detail) = detail {
            line.push_str(&format!(": {detail}"));
        }
        writeln!(out, "            {line}")?;
    }
    match finding.subjects.len().saturating_sub(examples) {
        0 => Ok(()),
        more => writeln!(out, "            … and {more} more"),
    }
}
