//! Pictures beside the documents that show them: whole, and where they are said to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const KINDS: [&str; 6] = ["svg", "png", "jpg", "jpeg", "gif", "webp"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn kind(path: &Path) -> Option<String> {
    path.extension().map(|end| end.to_string_lossy().to_lowercase())
}

/// Files of these kinds, at any depth, without what is hidden or built.
fn find(folder: &Path, kinds: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "runs", "data", "book", "venv"].contains(&name.as_str()) {
                find(&path, kinds, found);
            }
        } else if kind(&path).is_some_and(|kind| kinds.contains(&kind.as_str())) {
            found.push(path);
        }
    }
}

fn files(folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(folder, kinds, &mut found);
    found.sort();
    found
}

/// What is wrong with a picture, if anything.
fn wrong(kind: &str, content: &[u8]) -> Option<String> {
    match kind {
        "svg" => {
            let text = match std::str::from_utf8(content) {
                Ok(text) => text,
                Err(error) => return Some(error.to_string()),
            };
            // Refuses a second root and anything but comments behind the first.
            match roxmltree::Document::parse(text) {
                Ok(svg) if svg.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")) => None,
                Ok(svg) => Some(format!("its root is {:?}", svg.root_element().tag_name())),
                Err(error) => Some(error.to_string()),
            }
        }
        "png" if !content.ends_with(b"IEND\xaeB`\x82") => Some("it does not end where a PNG ends".to_owned()),
        _ => image::load_from_memory(content).err().map(|error| error.to_string()),
    }
}

/// Pictures of this repository that a document links, as they are written.
fn links(document: &str) -> Vec<&str> {
    let markdown = document.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    let html = document.split("src=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    let picture = |link: &&str| kind(Path::new(link)).is_some_and(|kind| KINDS.contains(&kind.as_str()));
    markdown.chain(html).filter(picture).filter(|link| !link.contains("://")).collect()
}

#[test]
fn every_picture_of_the_documents_is_whole() {
    let pictures = files(&repository().join("docs"), &KINDS);
    assert!(!pictures.is_empty(), "no picture was looked at");
    for picture in pictures {
        let content = fs::read(&picture).expect("readable");
        assert_eq!(wrong(&kind(&picture).unwrap_or_default(), &content), None, "{}", picture.display());
    }
}

#[test]
fn every_picture_is_linked_and_every_link_leads_to_one() {
    let mut linked = BTreeSet::new();
    for document in files(&repository(), &["md"]) {
        let text = fs::read_to_string(&document).expect("text");
        for link in links(&text) {
            let path = document.parent().expect("a folder").join(link);
            let path =
                path.canonicalize().unwrap_or_else(|error| panic!("{} shows {link}: {error}", document.display()));
            linked.insert(path);
        }
    }
    for picture in files(&repository().join("docs"), &KINDS) {
        assert!(linked.contains(&picture), "no document shows {}", picture.display());
    }
}

#[test]
fn what_stands_behind_a_picture_is_noticed() {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>a</text></svg>\n";
    assert_eq!(wrong("svg", svg.as_bytes()), None);
    for tail in ["<text>b</text>\n", "b", svg, "</svg>"] {
        assert!(wrong("svg", format!("{svg}{tail}").as_bytes()).is_some(), "{tail}");
    }
    for other in [
        "",
        "<svg></svg>",
        "<html xmlns=\"http://www.w3.org/1999/xhtml\"></html>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">",
    ] {
        assert!(wrong("svg", other.as_bytes()).is_some(), "{other}");
    }
    let png = super::encode_png((2, 1), vec![7; 6]).expect("encoded");
    assert_eq!(wrong("png", &png), None);
    assert!(wrong("png", &[&png[..], b"tail"].concat()).is_some());
    assert!(wrong("png", &png[..png.len() - 1]).is_some());
}

#[test]
fn links_are_found_in_markdown_and_html() {
    let text = "![a](a.svg) [b](docs/b.PNG#c) ![c](c.png \"title\") <img src=\"d.jpg\" width=3> [e](e.md) ![f](https://f/f.svg)";
    assert_eq!(links(text), ["a.svg", "docs/b.PNG", "c.png", "d.jpg"]);
}
