//! The README, the book in `docs/` and the other pages: their links, the paths that they name, and that none is left out.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testkit lies in the repository").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Markdown files of a folder.
fn markdown(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Every page that somebody reads: the root's, the book's, each crate's and the examples'.
fn pages() -> BTreeSet<PathBuf> {
    let root = root();
    let mut pages = markdown(&root);
    pages.extend(markdown(&root.join("docs")));
    pages.extend(markdown(&root.join("examples")));
    for entry in std::fs::read_dir(root.join("crates")).expect("crates") {
        pages.extend(markdown(&entry.expect("readable").path()));
    }
    pages
}

/// The lines outside fenced code, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut kept = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push((index + 1, line));
        }
    }
    kept
}

/// A line's text and its code spans.
fn without_code(line: &str) -> (String, Vec<&str>) {
    let mut parts = line.split('`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut spans = Vec::new();
    while let Some(span) = parts.next() {
        spans.push(span);
        text += parts.next().unwrap_or_default();
    }
    (text, spans)
}

/// The targets of `[text](target)` and `![text](target)`.
fn targets(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after.map(|rest| rest.split_once(')').map_or(rest, |(target, _)| target)).collect()
}

/// A heading's anchor, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(text).into_iter().filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| anchor(title))
    });
    let numbered = headings.map(|name| {
        let before = seen.entry(name.clone()).or_default();
        *before += 1;
        if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
    });
    numbered.collect()
}

/// What is wrong with a link, if anything.
fn broken(page: &Path, target: &str) -> Option<String> {
    // Links of rustdoc, which its own lint checks: the READMEs of crates are their documentation.
    let rustdoc = page.starts_with(root().join("crates")) && !target.contains(['/', '.', '#']);
    if rustdoc || target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, fragment) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
    let path = match file {
        "" => page.to_owned(),
        file => page.parent().expect("a folder").join(file),
    };
    if !path.exists() {
        return Some("no such file".to_owned());
    }
    let docs = root().join("docs");
    let inside = || path.canonicalize().is_ok_and(|path| path.starts_with(docs.canonicalize().expect("docs")));
    if page.starts_with(&docs) && !inside() {
        return Some("a page of the book links to pages of the book only; name the file in code font".to_owned());
    }
    let missing = fragment.filter(|name| !anchors(&read(&path)).contains(*name))?;
    Some(format!("no heading has the anchor `{missing}`"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut links = 0;
    for page in pages() {
        let text = read(&page);
        for (number, line) in prose(&text) {
            for target in targets(&without_code(line).0) {
                links += 1;
                let complaint = broken(&page, target);
                wrong.extend(complaint.map(|why| format!("{}:{number}: {target}: {why}", page.display())));
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pages that tell of files as they were.
const HISTORY: &[&str] = &["CHANGELOG.md", "docs/migration.md", "docs/burn.md", "docs/burn-0.23.md"];

/// Pages whose paths without `crates/` are below a crate.
const BELOW: &[(&str, &str)] = &[
    ("docs/mean-teacher.md", "crates/semi"),
    ("docs/fixmatch.md", "crates/semi"),
    ("docs/moco.md", "crates/contrastive"),
    ("docs/no-negatives.md", "crates/contrastive"),
    ("docs/evaluation.md", "crates/contrastive"),
];

#[test]
fn every_path_that_a_page_names_exists() {
    let root = root();
    let mut wrong = Vec::new();
    let mut paths = 0;
    for page in pages() {
        let name = page.strip_prefix(&root).expect("in the repository").to_string_lossy().into_owned();
        if HISTORY.contains(&name.as_str()) || page.starts_with(root.join("crates")) {
            continue;
        }
        let below = BELOW.iter().find(|(of, _)| *of == name).map_or(root.clone(), |(_, folder)| root.join(folder));
        let text = read(&page);
        for (number, line) in prose(&text) {
            for span in without_code(line).1 {
                let is_path = span.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'));
                let first = span.split('/').next().unwrap_or_default();
                let base = match first {
                    "crates" | "examples" | "benches" | "docs" | "testkit" | ".ci" | ".github" => &root,
                    "tests" if below != root => &below,
                    _ => continue,
                };
                if is_path && span.contains('/') {
                    paths += 1;
                    if !base.join(span).exists() {
                        wrong.push(format!("{name}:{number}: {span}"));
                    }
                }
            }
        }
    }
    assert!(paths > 20, "only {paths} paths were found");
    assert!(wrong.is_empty(), "no such files:\n{}", wrong.join("\n"));
}

#[test]
fn the_summary_lists_every_page_once() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    let listed: Vec<&str> = summary.lines().flat_map(targets).collect();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(listed.len(), unique.len(), "a page is listed twice: {listed:?}");
    let there = markdown(&docs);
    let names = there.iter().map(|path| path.file_name().expect("a name").to_str().expect("UTF-8"));
    assert_eq!(unique, names.filter(|name| *name != "SUMMARY.md").collect());
}

/// The commands in a page's table of commands.
fn commands(page: &str) -> Vec<String> {
    let text = read(&root().join(page));
    let table = text.lines().skip_while(|line| !line.starts_with("| Command | What it does |")).skip(2);
    let cells = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    cells.map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn readme_and_book_list_the_same_commands() {
    let listed = commands("README.md");
    assert!(listed.len() > 5, "{listed:?}");
    assert_eq!(listed, commands("docs/first-run.md"));
}

#[test]
fn every_pages_code_runs_as_a_test() {
    let root = root();
    let tested = read(&root.join("testkit/src/book.rs"));
    let book = markdown(&root.join("docs")).into_iter().chain([root.join("README.md")]);
    let mut with_code = 0;
    for page in book {
        let text = read(&page);
        let fences: Vec<&str> = text.lines().filter(|line| line.starts_with("```")).step_by(2).collect();
        // Without a language rustdoc takes a block for Rust.
        assert!(!fences.contains(&"```"), "{}: a block without a language", page.display());
        if fences.iter().any(|fence| fence.starts_with("```rust")) {
            with_code += 1;
            let name = page.strip_prefix(&root).expect("in the repository").display().to_string();
            assert!(tested.contains(&format!("\"../../{name}\"")), "{name} is missing in testkit/src/book.rs");
        }
    }
    assert!(with_code > 4, "only {with_code} pages with code were found");
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(anchor(" What it took, and what to be careful about"), "what-it-took-and-what-to-be-careful-about");
    assert_eq!(anchor(" λ of `Objective`"), "λ-of-objective");
    let twice = anchors("# A b\n```sh\n# no heading\n```\n## A b\n");
    assert_eq!(twice, ["a-b", "a-b-1"].map(str::to_owned).into());
}
