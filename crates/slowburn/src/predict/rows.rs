use std::io::Write;

use anyhow::Result;
use serde_json::json;
use slowburn_train::data::label_line;

use super::Format;

/// What a network says of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    /// Its class, where it is known.
    pub(super) truth: Option<usize>,
    /// One of each class.
    pub(super) probabilities: &'a [f32],
}

impl Row<'_> {
    /// The class with the largest probability; the first of several.
    pub(super) fn class(&self) -> usize {
        let mut best = 0;
        for (class, probability) in self.probabilities.iter().enumerate() {
            if *probability > self.probabilities[best] {
                best = class;
            }
        }
        best
    }
}

/// Writes rows one by one.
pub(super) struct Rows<'a, W: Write> {
    writer: Writer<W>,
    classes: &'a [String],
    labels_above: Option<f64>,
    /// Whether images whose label is known are written with it, whatever the network says.
    keep_known: bool,
    /// Labels written of each class that the network found, images seen, the largest probability.
    found: (Vec<usize>, usize, f32),
}

enum Writer<W: Write> {
    Csv(csv::Writer<W>),
    Jsonl(W),
    /// Lines of a label file.
    Labels(W),
    /// A label file with a header.
    CsvLabels(csv::Writer<W>),
}

impl<'a, W: Write> Rows<'a, W> {
    pub(super) fn new(
        out: W,
        format: Format,
        classes: &'a [String],
        labels_above: Option<f64>,
        csv_labels: bool,
    ) -> Self {
        let writer = match (labels_above, format) {
            (Some(_), _) if csv_labels => Writer::CsvLabels(csv::Writer::from_writer(out)),
            (Some(_), _) => Writer::Labels(out),
            (None, Format::Csv) => Writer::Csv(csv::Writer::from_writer(out)),
            (None, Format::Jsonl) => Writer::Jsonl(out),
        };
        let found = (vec![0; classes.len()], 0, 0.0);
        Self { writer, classes, labels_above, keep_known: false, found }.with_header()
    }

    /// Writes images whose label is known with that label.
    pub(super) fn keeping_known(self, keep_known: bool) -> Self {
        Self { keep_known, ..self }
    }

    /// How many labels were found, in words: of each class, and how sure the network was at most.
    pub(super) fn labels_found(&self) -> String {
        let (counts, seen, largest) = &self.found;
        let total: usize = counts.iter().sum();
        let of: Vec<String> = self
            .classes
            .iter()
            .zip(counts)
            .filter(|(_, count)| **count > 0)
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        let of = if of.is_empty() { String::new() } else { format!(": {}", of.join(", ")) };
        format!("{total} labels from {seen} images without one{of}; the largest probability was {largest:.3}")
    }

    /// The header comes with the first row's error, if any: writers buffer it.
    fn with_header(mut self) -> Self {
        let classes = self.classes;
        let _ = match &mut self.writer {
            Writer::Csv(csv) => {
                let fixed = ["image", "label", "class", "probability"].map(str::to_owned);
                csv.write_record(fixed.into_iter().chain(classes.iter().map(|class| format!("p({class})"))))
            }
            Writer::CsvLabels(csv) => csv.write_record(["filename", "label"]),
            Writer::Jsonl(_) | Writer::Labels(_) => Ok(()),
        };
        self
    }

    pub(super) fn write(&mut self, row: &Row<'_>) -> Result<()> {
        let (found, classes) = (row.class(), self.classes);
        let (probability, class) = (row.probabilities[found], &classes[found]);
        let truth = row.truth.map(|truth| classes[truth].as_str());
        let known = truth.filter(|_| self.keep_known && self.labels_above.is_some());
        let (class, sure) = match known {
            Some(known) => (known, true),
            None => (class.as_str(), self.labels_above.is_none_or(|above| f64::from(probability) >= above)),
        };
        if known.is_none() {
            let (counts, seen, largest) = &mut self.found;
            counts[found] += usize::from(sure);
            *seen += 1;
            *largest = largest.max(probability);
        }
        match &mut self.writer {
            Writer::Csv(csv) => {
                let probabilities = row.probabilities.iter().map(ToString::to_string);
                let fixed = [row.name.to_owned(), truth.unwrap_or_default().to_owned(), class.to_owned()];
                csv.write_record(fixed.into_iter().chain([probability.to_string()]).chain(probabilities))?;
            }
            Writer::Jsonl(out) => {
                let all: serde_json::Map<_, _> =
                    classes.iter().zip(row.probabilities).map(|(class, p)| (class.clone(), json!(p))).collect();
                let line = json!({
                    "image": row.name, "label": truth, "class": class, "probability": probability, "probabilities": all
                });
                writeln!(out, "{line}")?;
            }
            Writer::Labels(out) if sure => out.write_all(label_line(row.name, class).as_bytes())?,
            Writer::CsvLabels(csv) if sure => csv.write_record([row.name, class])?,
            Writer::Labels(_) | Writer::CsvLabels(_) => {}
        }
        Ok(())
    }

    pub(super) fn end(self) -> Result<()> {
        match self.writer {
            Writer::Csv(mut csv) | Writer::CsvLabels(mut csv) => csv.flush()?,
            Writer::Jsonl(mut out) | Writer::Labels(mut out) => out.flush()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, above: Option<f64>, csv: bool) -> String {
        let classes = ["cat".to_owned(), "sea, lion".to_owned()];
        let mut out = Vec::new();
        let mut rows = Rows::new(&mut out, format, &classes, above, csv);
        rows.write(&Row { name: "a b.jpg", truth: Some(0), probabilities: &[0.25, 0.75] }).expect("in memory");
        rows.write(&Row { name: "c.jpg", truth: None, probabilities: &[0.5, 0.5] }).expect("in memory");
        rows.end().expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn rows_are_csv_json_or_labels() {
        assert_eq!(
            written(Format::Csv, None, false),
            "image,label,class,probability,p(cat),\"p(sea, lion)\"\na b.jpg,cat,\"sea, lion\",0.75,0.25,0.75\n\
             c.jpg,,cat,0.5,0.5,0.5\n"
        );
        let lines = written(Format::Jsonl, None, false);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
        assert_eq!((&first["class"], &first["probabilities"]["cat"]), (&json!("sea, lion"), &json!(0.25)));
        assert_eq!(written(Format::Csv, Some(0.6), false), "a b.jpg\tsea, lion\n");
        assert_eq!(written(Format::Csv, Some(0.5), true), "filename,label\na b.jpg,\"sea, lion\"\nc.jpg,cat\n");
    }
}
