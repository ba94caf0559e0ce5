//! Text on pictures: how wide it is, and how it fits into the room that there is.

use plotters::style::{IntoFont, TextStyle};

/// What stands for the left-out middle of a name.
const GAP: &str = "…";

/// Text of `size` as all pictures have it.
pub(super) fn style(size: u32) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size).into_font())
}

/// Width of one line of `size` in pixels. The font must have been registered.
pub(crate) fn width(text: &str, size: u32) -> u32 {
    // Without a font nothing is drawn, and any width will do.
    ("sans-serif", size).into_font().box_size(text).map_or(0, |(width, _)| width)
}

/// Text that a picture can hold: signs that no file of XML may contain, line breaks among them, become `?`. Letters that
/// the font lacks stay; they are drawn as boxes.
pub(crate) fn plain(text: &str) -> String {
    let wrong = |sign: char| sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|sign| if wrong(sign) { '?' } else { sign }).collect()
}

/// The text, or its beginning and its end where it is wider than `room` pixels: names of files often differ at the end.
pub(crate) fn shorten(text: &str, size: u32, room: u32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let signs: Vec<char> = text.chars().collect();
    let kept = |count: usize| {
        let (head, tail) = (count.div_ceil(2), count / 2);
        let (head, tail) = (&signs[..head], &signs[signs.len() - tail..]);
        head.iter().chain(GAP.chars().collect::<Vec<_>>().iter()).chain(tail).collect::<String>()
    };
    // A letter is a pixel wide at least.
    let most = (signs.len() - 1).min(room as usize);
    (0..=most).rev().map(kept).find(|text| width(text, size) <= room).unwrap_or_default()
}

/// Lines of at most `room` pixels, broken at spaces; a word wider than a line loses its middle.
pub(crate) fn wrap(text: &str, size: u32, room: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = shorten(word, size, room);
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = word,
            Some(line) if width(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::register_font_once;

    const SIZE: u32 = 12;

    #[test]
    fn lines_are_broken_at_spaces_and_none_is_too_wide() {
        register_font_once().expect("the font is there");
        let text =
            "seed 0, epoch 0, moco_v2: crop 0.2 to 1 of the area (ratio 0.750 to 1.333) to 224×224 px, bilinear; flip";
        for room in [60, 192, 400] {
            let lines = wrap(text, SIZE, room);
            assert!(lines.iter().all(|line| width(line, SIZE) <= room), "{room}: {lines:?}");
            assert_eq!(lines.join(" "), text, "{room}: nothing is lost");
        }
        assert_eq!(wrap("", SIZE, 100), [""]);
    }

    #[test]
    fn long_names_lose_their_middle() {
        register_font_once().expect("the font is there");
        let name = format!("{}0001.jpg", "holiday".repeat(30));
        let short = shorten(&name, SIZE, 120);
        assert!(width(&short, SIZE) <= 120 && width(&short, SIZE) > 100, "{short}");
        assert!(short.starts_with("holi") && short.ends_with("01.jpg") && short.contains(GAP), "{short}");
        assert_eq!(wrap(&format!("file {name}"), SIZE, 120), ["file", &short]);
        assert_eq!(shorten("a.png", SIZE, 120), "a.png");
        assert_eq!(shorten(&name, SIZE, 1), "");
    }

    #[test]
    fn names_in_any_script_have_a_width() {
        register_font_once().expect("the font is there");
        for name in ["Straße.jpg", "Привет.png", "写真.jpg", "\u{fffd}\u{fffd}.png", "🦀", "e\u{301}"] {
            assert_eq!(plain(name), name);
            assert!(width(name, SIZE) > 0, "{name}");
            assert!(width(&shorten(name, SIZE, 20), SIZE) <= 20, "{name}");
        }
        assert_eq!(plain("a\u{1}b\nc\u{ffff}"), "a?b?c?");
    }
}
