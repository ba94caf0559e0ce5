use std::collections::HashMap;
use std::path::Path;

use super::label_name::Names;
use super::{LabelError, LabelProblem};
use crate::run::write_atomically;

/// Names that the column of file names may have, and that of labels.
const NAME_COLUMNS: &[&str] = &["filename", "name", "file", "image", "path"];
const LABEL_COLUMNS: &[&str] = &["label", "class"];

/// The content of a label file.
///
/// Two forms. A file that ends with `.csv` has a header; of its columns one is called `filename` (or `name`, `file`, `image`,
/// `path`) and one `label` (or `class`), in any order and case, and fields may be quoted. Of any other file a line is `filename
/// label`; empty lines and lines that begin with `#` are skipped.
///
/// The filename is the path below the folder of images with `/` between folders, or the bare name of the file where only one
/// image has it, or the decimal index of an image that has no name; it may have spaces. The label is the name of a class, or
/// else its index. The same image twice is one where the labels agree. A byte-order mark and the line ends of Windows do not
/// matter. Bytes that are no UTF-8 count as `\xNN`, as in every file that this project writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFile {
    /// The label of each image, or nothing.
    pub labels: Vec<Option<usize>>,
    /// The classes: those given, or the different labels of the file, numbers by size and names in alphabetical order.
    pub classes: Vec<String>,
}

/// A line: its number from 1, filename and label.
type Entry = (usize, String, String);

impl LabelFile {
    /// Reads a file about images of these names, with these classes; the file names the classes where none are given.
    ///
    /// # Errors
    /// [`LabelError::Line`] names file, line and reason; [`LabelError::NoLabels`]; [`LabelError::Column`];
    /// [`LabelError::Unreadable`].
    pub fn read(path: impl AsRef<Path>, names: &[String], classes: Option<&[String]>) -> Result<Self, LabelError> {
        Self::load(path.as_ref(), names, classes, false)
    }

    /// The same of a file that may be about more images than these: lines about others are passed over.
    ///
    /// # Errors
    /// As [`read`](Self::read), also where no line is about one of these images.
    pub fn read_of_more(
        path: impl AsRef<Path>,
        names: &[String],
        classes: Option<&[String]>,
    ) -> Result<Self, LabelError> {
        Self::load(path.as_ref(), names, classes, true)
    }

    fn load(path: &Path, names: &[String], classes: Option<&[String]>, of_more: bool) -> Result<Self, LabelError> {
        let bytes = std::fs::read(path).map_err(|source| LabelError::Unreadable { path: path.to_owned(), source })?;
        let text = slowburn_augment::loader::escape(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes), false);
        let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let entries = match is_csv {
            true => csv_entries(path, &text)?,
            false => line_entries(path, &text, classes)?,
        };
        if entries.is_empty() {
            return Err(LabelError::NoLabels { path: path.to_owned() });
        }
        let classes = classes.map_or_else(|| different(&entries), <[String]>::to_vec);
        let by_name = Names::new(names);
        let entries = match of_more && entries.iter().any(|(_, name, _)| by_name.find(name).is_ok()) {
            true => entries
                .into_iter()
                .filter(|(_, name, _)| !matches!(by_name.find(name), Err(LabelProblem::MissingImage { .. })))
                .collect(),
            false => entries,
        };
        let labels = collect(path, &entries, &by_name, &classes)?;
        Ok(Self { labels, classes })
    }
}

/// The label of each image. If two lines disagree about one, the second is the error.
fn collect(
    path: &Path,
    entries: &[Entry],
    by_name: &Names<'_>,
    classes: &[String],
) -> Result<Vec<Option<usize>>, LabelError> {
    let mut labels: Vec<Option<usize>> = vec![None; by_name.len()];
    // Image → line.
    let mut lines: HashMap<usize, usize> = HashMap::new();
    for (line, name, label) in entries {
        let wrong = |problem| LabelError::Line { path: path.to_owned(), line: *line, problem };
        let class = class_of(label, classes).map_err(wrong)?;
        let image = by_name.find(name).map_err(wrong)?;
        match labels[image] {
            Some(earlier) if earlier != class => {
                return Err(wrong(LabelProblem::Conflict {
                    name: name.clone(),
                    label: classes[class].clone(),
                    earlier: classes[earlier].clone(),
                    earlier_line: lines.get(&image).copied().unwrap_or_default(),
                }));
            }
            Some(_) => {}
            None => {
                labels[image] = Some(class);
                lines.insert(image, *line);
            }
        }
    }
    Ok(labels)
}

/// The class of a label: by name first, then by index.
fn class_of(label: &str, classes: &[String]) -> Result<usize, LabelProblem> {
    let by_name = classes.iter().position(|class| class == label);
    let by_index = || label.parse().ok().filter(|&class| class < classes.len());
    by_name
        .or_else(by_index)
        .ok_or_else(|| LabelProblem::UnknownClass { label: label.to_owned(), classes: classes.to_vec() })
}

/// The different labels: as numbers where all of them are.
fn different(entries: &[Entry]) -> Vec<String> {
    let mut labels: Vec<String> = entries.iter().map(|(_, _, label)| label.clone()).collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.iter().all(|label| label.parse::<u64>().is_ok()) {
        labels.sort_by_key(|label| label.parse::<u64>().unwrap_or(u64::MAX));
    }
    labels
}

fn csv_entries(path: &Path, text: &str) -> Result<Vec<Entry>, LabelError> {
    let wrong =
        |line, reason: String| LabelError::Line { path: path.to_owned(), line, problem: LabelProblem::Csv { reason } };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let column = |names: &[&str], wanted| {
        let found = header.iter().position(|field| names.iter().any(|name| field.eq_ignore_ascii_case(name)));
        let columns = || header.iter().map(str::to_owned).collect();
        found.ok_or_else(|| LabelError::Column { path: path.to_owned(), wanted, columns: columns() })
    };
    let name = column(NAME_COLUMNS, "filename (or name, file, image, path)")?;
    let label = column(LABEL_COLUMNS, "label (or class)")?;
    let (mut entries, mut lines) = (Vec::new(), Lines { text: text.as_bytes(), at: 0, line: 1 });
    for record in reader.records() {
        let record = record.map_err(|error| wrong(lines.of(error.position()), error.to_string()))?;
        let line = lines.of(record.position());
        match (record.get(name), record.get(label)) {
            (Some(name), Some(label)) if name.contains('\n') || label.contains('\n') => {
                return Err(wrong(line, "a quote is opened and not closed on the line".to_owned()));
            }
            // An empty label is no label: tables also list images that are still to be labelled.
            (Some(_), Some("")) => {}
            (Some(name), Some(label)) => entries.push((line, name.to_owned(), label.to_owned())),
            _ => return Err(wrong(line, "the line has too few fields".to_owned())),
        }
    }
    Ok(entries)
}

/// Finds the lines of rows, from one row to the next. The reader's own count is one too low behind `\r\n`, whose `\n` it takes for
/// the next row's.
struct Lines<'a> {
    text: &'a [u8],
    /// Bytes that were counted.
    at: usize,
    /// The line that they end in, counted from 1.
    line: usize,
}

impl Lines<'_> {
    /// The line of a row that is not before the last one.
    fn of(&mut self, position: Option<&csv::Position>) -> usize {
        let start = position.map_or(0, |position| position.byte() as usize).clamp(self.at, self.text.len());
        let blank = self.text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let row = start + blank;
        self.line += self.text[self.at..row].iter().filter(|&&byte| byte == b'\n').count();
        self.at = row;
        self.line
    }
}

fn line_entries(path: &Path, text: &str, classes: Option<&[String]>) -> Result<Vec<Entry>, LabelError> {
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (name, label) = split_line(text, classes.unwrap_or_default()).map_err(|problem| LabelError::Line {
            path: path.to_owned(),
            line,
            problem,
        })?;
        entries.push((line, name.to_owned(), label.to_owned()));
    }
    Ok(entries)
}

/// Filename and label. A class name is looked for first, the longest that ends the line; then what is behind the last tab; then
/// the last word.
fn split_line<'a>(text: &'a str, classes: &[String]) -> Result<(&'a str, &'a str), LabelProblem> {
    let named = classes
        .iter()
        .filter_map(|name| {
            let before = text.strip_suffix(name.as_str())?;
            let filename = before.trim_end();
            (filename.len() < before.len() && !filename.is_empty()).then_some((filename, &text[before.len()..]))
        })
        .min_by_key(|(filename, _)| filename.len());
    if let Some(found) = named {
        return Ok(found);
    }
    match text.rsplit_once('\t').or_else(|| text.rsplit_once(char::is_whitespace)) {
        Some((filename, label)) => Ok((filename.trim_end(), label)),
        None => Err(LabelProblem::NotTwoWords { text: text.to_owned() }),
    }
}

/// Writes which image has which label, one `filename label` a line, as [`LabelFile::read`] reads it.
///
/// # Errors
/// [`LabelError::Unreadable`] for input and output errors, which name the file.
pub fn write_labels(
    path: &Path,
    labels: &[Option<usize>],
    classes: &[String],
    name: impl Fn(usize) -> String,
) -> Result<(), LabelError> {
    let mut text = String::new();
    for (image, label) in labels.iter().enumerate() {
        if let Some(class) = label.and_then(|label| classes.get(label)) {
            text.push_str(&label_line(&name(image), class));
        }
    }
    write_atomically(path, text.as_bytes()).map_err(|source| LabelError::Unreadable { path: path.to_owned(), source })
}

/// A line of a label file; with a tab in front of a class of several words.
pub fn label_line(name: &str, class: &str) -> String {
    let between = if class.contains(char::is_whitespace) { '\t' } else { ' ' };
    format!("{name}{between}{class}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn read(file: &str, text: &[u8], classes: Option<&[String]>) -> Result<LabelFile, LabelError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(file);
        std::fs::write(&path, text).expect("written");
        LabelFile::read(&path, &strings(&["a.jpg", "b c.jpg", "d/e.jpg", "f/e.jpg", "\\xff.jpg"]), classes)
    }

    #[test]
    fn a_file_may_be_about_more_images() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("l.csv");
        std::fs::write(&path, "filename,label\nother.jpg,x\na.jpg,x\nanother.jpg,y\n").expect("written");
        let names = strings(&["a.jpg", "b.jpg"]);
        assert!(LabelFile::read(&path, &names, None).is_err());
        let file = LabelFile::read_of_more(&path, &names, None).expect("read");
        assert_eq!((file.labels, file.classes), (vec![Some(0), None], strings(&["x", "y"])));
        let error = LabelFile::read_of_more(&path, &strings(&["c.jpg"]), None).expect_err("none").to_string();
        assert!(error.contains("l.csv:2: there is no image"), "{error}");
    }

    #[test]
    fn lines_and_tables_say_the_same() {
        let expected = LabelFile {
            labels: vec![Some(1), Some(0), None, Some(1), Some(0)],
            classes: strings(&["ankle-boot", "coat"]),
        };
        let lines = b"\xef\xbb\xbf# labels\r\na.jpg coat\r\n\r\nb c.jpg  ankle-boot\nf/e.jpg coat\na.jpg coat\n\xff.jpg ankle-boot";
        assert_eq!(read("labels.txt", lines, None).expect("fine"), expected);
        let table = b"\xef\xbb\xbfLabel,id, Filename\r\ncoat,7,a.jpg\r\n\"ankle-boot\",8,\"b c.jpg\"\ncoat,9,f/e.jpg\n,10,d/e.jpg\nankle-boot,1,\xff.jpg";
        assert_eq!(read("labels.csv", table, None).expect("fine"), expected);
    }

    #[test]
    fn classes_may_have_spaces_where_they_are_known_and_numbers_sort_by_size() {
        let classes = strings(&["boot", "ankle boot"]);
        let file = read("l.txt", b"b c.jpg ankle boot\na.jpg 0", Some(&classes)).expect("fine");
        assert_eq!(file.labels, [Some(0), Some(1), None, None, None]);
        let numbers = read("l.txt", b"a.jpg 10\nb c.jpg 9", None).expect("fine");
        assert_eq!((numbers.classes, &numbers.labels[..2]), (strings(&["9", "10"]), &[Some(1), Some(0)][..]));
        // A name that is a number goes before an index.
        let file = read("l.txt", b"a.jpg 1", Some(&strings(&["1", "0"]))).expect("fine");
        assert_eq!(file.labels[0], Some(0));
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        for (file, text, said) in [
            ("l.txt", &b"a.jpg x\n\na.jpg y"[..], "l.txt:3: \"a.jpg\" is \"y\" here and \"x\" in line 1"),
            ("l.csv", b"name,label\na.jpg,x\na.jpg,y", "l.csv:3: \"a.jpg\" is \"y\" here and \"x\" in line 2"),
            ("l.txt", b"a.jpg x\nno.jpg x", "l.txt:2: there is no image \"no.jpg\" (there are 5"),
            ("l.txt", b"photos/A.JPG x", "(there are 5: did you mean \"a.jpg\"?)"),
            ("l.txt", b"b c.png x", "did you mean \"b c.jpg\"?"),
            ("l.txt", b"e.jpg x", "is both \"d/e.jpg\" and \"f/e.jpg\""),
            ("l.txt", b"a.jpg", "l.txt:1: \"a.jpg\" is not `filename label`"),
            ("l.csv", b"name,weight\na.jpg,x", "no column is called label (or class): the header has name, weight"),
            ("l.csv", b"name,label\na.jpg", "l.csv:2"),
            ("l.txt", b"# none\n", "has no labels"),
            ("l.csv", b"name,label\n", "has no labels"),
        ] {
            let error = read(file, text, None).expect_err("wrong").to_string();
            assert!(error.contains(said), "{error} lacks {said}");
        }
        let error = read("l.txt", b"a.jpg z", Some(&strings(&["x", "y"]))).expect_err("wrong").to_string();
        assert!(error.contains("\"z\" is no class, allowed: 0 to 1 or x, y"), "{error}");
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("labels.txt");
        let names = strings(&["a b.jpg", "\\xff.jpg", "c.jpg"]);
        let classes = strings(&["ankle boot", "boot"]);
        let labels = vec![Some(0), Some(1), None];
        write_labels(&path, &labels, &classes, |image| names[image].clone()).expect("written");
        assert_eq!(LabelFile::read(&path, &names, Some(&classes)).expect("fine").labels, labels);
    }
}
