//! Runs as a table that fits the terminal, and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::settings::{column, differing, short_names};
use super::state::State;
use super::{RunInfo, Score};

/// Characters of a setting that are shown, and of a name where there is not room for all.
const SETTING: usize = 14;
const NAME: usize = 12;
/// Score names that get a column each.
const SCORES: usize = 3;

/// Everything that is known, for scripts.
pub(super) fn json(runs: &[RunInfo]) -> Value {
    json!({ "runs": runs, "differing": differing(runs) })
}

struct Column {
    head: String,
    cells: Vec<String>,
    right: bool,
}

impl Column {
    fn new(head: impl Into<String>, cells: Vec<String>) -> Self {
        Self { head: head.into(), cells, right: false }
    }

    fn width(&self) -> usize {
        self.cells.iter().chain([&self.head]).map(|cell| cell.chars().count()).max().unwrap_or_default()
    }

    fn says_something(&self) -> bool {
        self.cells.iter().any(|cell| !cell.is_empty())
    }
}

/// The table, of lines of at most `width` characters where that is possible.
pub(super) fn text(runs: &[RunInfo], folder: &Path, width: usize) -> String {
    if runs.is_empty() {
        return format!("no runs below {}\n", folder.display());
    }
    let mut text = String::new();
    let of = |value: fn(&RunInfo) -> String| runs.iter().map(value).collect::<Vec<String>>();
    let data = of(|run| run.data.clone().unwrap_or_default());
    // A broken run does not say where its images are.
    let mut places: Vec<&String> = data.iter().filter(|place| !place.is_empty()).collect();
    places.sort_unstable();
    places.dedup();
    let one_place = places.len() < 2;
    if let [place] = places[..] {
        let _ = writeln!(text, "data: {place}\n");
    }
    let names = of(|run| run.name.clone());
    // What is always there: the rest comes as far as there is room.
    let mut columns = vec![Column::new("run", names), Column::new("state", of(state_in_words)), score(runs)];
    let method = Column::new("method", of(|run| run.method.clone().unwrap_or_default()));
    let whole = columns.iter().map(Column::width).sum::<usize>() + 2 * (columns.len() - 1);
    let least = columns[0].width().min(NAME) + whole - columns[0].width();
    if width != usize::MAX && whole > width {
        let room = (columns[0].width() + width).saturating_sub(whole).max(NAME);
        columns[0].cells.iter_mut().for_each(|name| *name = shorten(name, room));
    }
    let mut room = width.saturating_sub(whole.max(least));
    let mut fits = |column: &Column| {
        let needed = column.width() + 2;
        let fits = needed <= room;
        room -= if fits { needed } else { 0 };
        fits
    };
    let mut middle: Vec<Column> =
        Some(method).filter(|method| method.says_something() && fits(method)).into_iter().collect();
    let full = width == usize::MAX;
    if !one_place {
        let place = |place: &String| if full { place.clone() } else { end_of_path(place) };
        let place = Column::new("data", data.iter().map(place).collect());
        middle.extend(Some(place).filter(&mut fits));
    }
    let (mut missing, differ) = (Vec::new(), differing(runs));
    for (name, head) in differ.iter().zip(short_names(&differ)) {
        let cells = column(runs, name).into_iter().map(|cell| if full { cell } else { shorten(&cell, SETTING) });
        let column = Column { right: true, ..Column::new(head, cells.collect()) };
        if fits(&column) { middle.push(column) } else { missing.push(column.head) }
    }
    columns.splice(1..1, middle);
    let last = columns.len() - 1;
    columns.splice(last.., separate_scores(runs, &columns[..last], width));
    write_columns(&mut text, &columns);
    write_rest(&mut text, runs, &missing, width);
    text
}

/// The score that a run is judged by.
fn score(runs: &[RunInfo]) -> Column {
    let cell = |run: &RunInfo| {
        run.scores.first().map_or_else(String::new, |score| format!("{} {}", percent(score), score.name))
    };
    Column::new("score, %", runs.iter().map(cell).collect())
}

/// A column for each score where there are few and there is room, else the one that each run is judged by.
fn separate_scores(runs: &[RunInfo], before: &[Column], width: usize) -> Vec<Column> {
    let mut names: Vec<&'static str> = Vec::new();
    for score in runs.iter().flat_map(|run| &run.scores) {
        if !names.contains(&score.name) {
            names.push(score.name);
        }
    }
    let of = |run: &RunInfo, name: &str| {
        run.scores.iter().find(|score| score.name == name).map_or_else(String::new, percent)
    };
    let columns: Vec<Column> = names
        .iter()
        .map(|name| Column { right: true, ..Column::new(*name, runs.iter().map(|run| of(run, name)).collect()) })
        .collect();
    let needed: usize = columns.iter().chain(before).map(|column| column.width() + 2).sum();
    match !columns.is_empty() && (width == usize::MAX || (columns.len() <= SCORES && needed <= width + 2)) {
        true => columns,
        false => vec![score(runs)],
    }
}

fn percent(score: &Score) -> String {
    format!("{:.2}", 100.0 * score.accuracy)
}

fn state_in_words(run: &RunInfo) -> String {
    let state = match &run.state.state {
        State::Finished => return "finished".to_owned(),
        State::Broken { .. } => return "broken".to_owned(),
        State::Running => "running",
        State::Stopped => "stopped",
    };
    let baseline = if run.state.phase.as_deref() == Some(crate::train::BASELINE_PHASE) { "baseline " } else { "" };
    match (run.state.epoch, run.state.epochs) {
        (Some(epoch), Some(epochs)) => format!("{state} {baseline}{epoch}/{epochs}"),
        (Some(epoch), None) => format!("{state} {baseline}{epoch}"),
        (None, Some(epochs)) => format!("{state} 0/{epochs}"),
        (None, None) => state.to_owned(),
    }
}

fn write_columns(text: &mut String, columns: &[Column]) {
    let columns: Vec<&Column> = columns.iter().filter(|column| column.says_something()).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..=rows {
        let cells = columns.iter().map(|column| {
            let cell = if row == 0 { &column.head } else { &column.cells[row - 1] };
            let width = column.width();
            if column.right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Reasons of broken runs, and the settings that have no column.
fn write_rest(text: &mut String, runs: &[RunInfo], missing: &[String], width: usize) {
    let mut broken = runs.iter().filter_map(|run| match &run.state.state {
        State::Broken { reason } => Some((&run.name, reason)),
        _ => None,
    });
    if let Some(first) = broken.next() {
        text.push('\n');
        for (name, reason) in std::iter::once(first).chain(broken) {
            let _ = writeln!(text, "broken: {name}: {reason}");
        }
    }
    if !missing.is_empty() {
        let names = missing.iter().enumerate();
        let names = names.map(|(index, name)| format!(" {name}{}", if index + 1 < missing.len() { "," } else { "" }));
        let said = ["Also different".to_owned(), " (--all-settings):".to_owned()].into_iter().chain(names);
        let (mut line, mut length) = (String::from("\n"), 0);
        for word in said {
            let more = word.chars().count();
            if length > 0 && length + more > width {
                line.push('\n');
                length = 0;
            }
            line.push_str(&word);
            length += more;
        }
        let _ = writeln!(text, "{line}");
    }
}

/// The last two parts of a path.
fn end_of_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    shorten(&parts[parts.len().saturating_sub(2)..].join("/"), 2 * SETTING)
}

/// At most so many characters, at least one: of a longer text beginning and end.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (before, after) = (kept.div_ceil(2), kept / 2);
    let end = &characters[characters.len() - after..];
    characters[..before].iter().chain(&['…']).chain(end).collect()
}
