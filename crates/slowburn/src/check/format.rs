//! Image formats by their first bytes, and by the ending of a name.

use std::path::Path;

use serde::Serialize;

/// A format of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    Bmp,
    WebP,
    Tiff,
    Heic,
    Avif,
    JpegXl,
}

/// Sizes of the header that follows a BMP file's own one.
const BMP_HEADERS: [u8; 7] = [12, 40, 52, 56, 64, 108, 124];
const HEIC_BRANDS: [&[u8]; 8] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"];
const AVIF_BRANDS: [&[u8]; 2] = [b"avif", b"avis"];

/// How many bytes [`Format::of_content`] looks at.
pub(super) const LOOKED_AT: usize = 16;

impl Format {
    /// The format of a file that begins with these bytes.
    pub(super) fn of_content(bytes: &[u8]) -> Option<Self> {
        let brand = bytes.get(8..12).filter(|_| bytes.get(4..8) == Some(b"ftyp"));
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        Some(match bytes {
            _ if starts(b"\xff\xd8\xff") => Self::Jpeg,
            _ if starts(b"\x89PNG\r\n\x1a\n") => Self::Png,
            _ if starts(b"GIF87a") || starts(b"GIF89a") => Self::Gif,
            _ if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Self::WebP,
            _ if starts(b"II*\0") || starts(b"MM\0*") => Self::Tiff,
            _ if starts(b"\xff\x0a") || starts(b"\0\0\0\x0cJXL ") => Self::JpegXl,
            // Two letters begin many a text, too.
            _ if starts(b"BM") && bytes.get(14).is_some_and(|size| BMP_HEADERS.contains(size)) => Self::Bmp,
            _ if brand.is_some_and(|brand| HEIC_BRANDS.contains(&brand)) => Self::Heic,
            _ if brand.is_some_and(|brand| AVIF_BRANDS.contains(&brand)) => Self::Avif,
            _ => return None,
        })
    }

    /// The format that the ending of a name, in any case, says.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "jfif" => Self::Jpeg,
            "png" => Self::Png,
            "gif" => Self::Gif,
            "bmp" => Self::Bmp,
            "webp" => Self::WebP,
            "tif" | "tiff" => Self::Tiff,
            "heic" | "heif" => Self::Heic,
            "avif" => Self::Avif,
            "jxl" => Self::JpegXl,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::JpegXl => "JPEG XL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_format() {
        let bmp = [b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0".as_slice(), b"\x28\0"].concat();
        for (bytes, format) in [
            (&b"\xff\xd8\xff\xe0"[..], Some(Format::Jpeg)),
            (b"\x89PNG\r\n\x1a\n", Some(Format::Png)),
            (b"GIF89a", Some(Format::Gif)),
            (&bmp, Some(Format::Bmp)),
            (b"BM is the beginning of a text", None),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some(Format::WebP)),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"II*\0\x08\0\0\0", Some(Format::Tiff)),
            (b"\0\0\0\x18ftypheic", Some(Format::Heic)),
            (b"\0\0\0\x18ftypavif", Some(Format::Avif)),
            (b"\0\0\0\x18ftypmp42", None),
            (b"", None),
        ] {
            assert_eq!(Format::of_content(bytes), format, "{bytes:?}");
        }
    }

    #[test]
    fn endings_are_known_in_any_case() {
        assert_eq!(Format::of_name(Path::new("a.b/X.JPeG")), Some(Format::Jpeg));
        assert_eq!(Format::of_name(Path::new("a.TIF")), Some(Format::Tiff));
        assert_eq!(Format::of_name(Path::new("jpg")), None);
    }
}
