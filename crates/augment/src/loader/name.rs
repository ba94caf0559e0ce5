//! Names of files as text.

use std::path::Path;

/// Bytes as text that can be read back: what is no UTF-8 becomes `\xNN`. For a name also control characters and the backslash
/// itself, `\\`, so that a line holds it and no two names become one.
pub fn escape(bytes: &[u8], name: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' if name => text.push_str("\\\\"),
                control if name && control.is_control() => {
                    control.to_string().bytes().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
                }
                other => text.push(other),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// The path below a folder as text, with `/` between folders.
pub(super) fn relative(path: &Path) -> String {
    let parts: Vec<String> = path.components().map(|part| escape(part.as_os_str().as_encoded_bytes(), true)).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_become_one() {
        assert_eq!(escape(b"a b\xff.jpg", true), "a b\\xff.jpg");
        assert_eq!(escape(b"a b\\xff.jpg", true), "a b\\\\xff.jpg");
        assert_eq!(escape("ü\n".as_bytes(), true), "ü\\x0a");
        assert_eq!(escape(b"a\\b\n\xff", false), "a\\b\n\\xff");
        assert_eq!(relative(Path::new("cat/ü 1.jpg")), "cat/ü 1.jpg");
    }
}
