//! Photos that are turned as their EXIF data say.

use std::fs;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb};
use slowburn_augment::ImageSize;
use slowburn_augment::loader::{DecodeError, Decoder, Exif, ImageFolder, ReadBuffers, Source};

/// 19×40 pixels, no two of them alike.
fn upright() -> DynamicImage {
    ImageBuffer::from_fn(40, 19, |x, y| Rgb([x as u8 * 6, y as u8 * 13, (x * y % 97) as u8])).into()
}

/// The image as a camera stores it that writes `orientation`: what becomes `image` when that is applied.
fn stored(image: &DynamicImage, orientation: u8) -> DynamicImage {
    // A quarter turn is undone by the other one; all else by itself.
    let back = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    let mut stored = image.clone();
    stored.apply_orientation(Orientation::from_exif(back).unwrap());
    stored
}

/// EXIF data of one tag, the orientation.
fn exif(orientation: u8, little: bool) -> Vec<u8> {
    match little {
        true => {
            [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0], &[0; 4]].concat()
        }
        false => {
            [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".as_slice(), &[0, orientation, 0, 0], &[0; 4]].concat()
        }
    }
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut encoded = Cursor::new(Vec::new());
    image.write_to(&mut encoded, format).unwrap();
    encoded.into_inner()
}

/// A JPEG file with an APP1 segment of EXIF data behind its start.
fn jpeg(image: &DynamicImage, exif: &[u8]) -> Vec<u8> {
    let encoded = encode(image, ImageFormat::Jpeg);
    let length = (2 + 6 + exif.len() as u16).to_be_bytes();
    [&encoded[..2], &[0xff, 0xe1], &length, b"Exif\0\0", exif, &encoded[2..]].concat()
}

/// A PNG file with an eXIf chunk before its first pixels, or behind the last.
fn png(image: &DynamicImage, exif: &[u8], behind: bool) -> Vec<u8> {
    let encoded = encode(image, ImageFormat::Png);
    // Signature and IHDR have 33 bytes, IEND 12.
    let (head, tail) = encoded.split_at(if behind { encoded.len() - 12 } else { 33 });
    let content = [b"eXIf", exif].concat();
    let length = (exif.len() as u32).to_be_bytes();
    let check = crc32fast::hash(&content).to_be_bytes();
    [head, &length, &content, &check, tail].concat()
}

fn decode(decoder: Decoder, encoded: &[u8]) -> (ImageSize, Vec<u8>) {
    let mut pixels = vec![77; 5];
    let size = decoder.decode(encoded, &mut pixels).unwrap();
    assert_eq!(pixels.len(), size.values());
    assert_eq!(decoder.size(encoded), Ok(size));
    (size, pixels)
}

const APPLY: Decoder = Decoder { rgb: false, max_pixels: 1 << 20, exif: Exif::Apply };

#[test]
fn each_of_the_eight_orientations_becomes_upright_in_both_formats() {
    let (color, grey) = (upright(), DynamicImage::from(upright().into_luma8()));
    for (image, channels) in [(color, 3), (grey, 1)] {
        let size = ImageSize::new(19, 40, channels);
        for orientation in 1..=8 {
            let stored = stored(&image, orientation);
            assert_eq!(stored.width() == 19, orientation > 4);
            for little in [false, true] {
                let exif = exif(orientation, little);
                for behind in [false, true] {
                    let encoded = png(&stored, &exif, behind);
                    assert_eq!(decode(APPLY, &encoded), (size, image.as_bytes().to_vec()), "{orientation}");
                    assert_eq!(decode(Decoder::default(), &encoded).1, stored.as_bytes(), "{orientation} ignored");
                }
                // Losses of JPEG are those of the stored image: the same file without EXIF data, turned by another crate.
                let encoded = jpeg(&stored, &exif);
                let mut expected = image::load_from_memory(&encoded).unwrap();
                assert_eq!(decode(Decoder::default(), &encoded).1, expected.as_bytes());
                expected.apply_orientation(Orientation::from_exif(orientation).unwrap());
                assert_eq!(decode(APPLY, &encoded), (size, expected.into_bytes()), "{orientation}");
            }
        }
    }
}

#[test]
fn grey_photos_are_turned_before_they_become_colours() {
    let grey = DynamicImage::from(upright().into_luma8());
    let (size, pixels) = decode(Decoder::rgb().with_exif(Exif::Apply), &png(&stored(&grey, 6), &exif(6, true), false));
    assert_eq!(size, ImageSize::new(19, 40, 3));
    assert_eq!(pixels, grey.into_rgb8().into_raw());
}

#[test]
fn exif_data_that_cannot_be_read_are_ignored() {
    let image = upright();
    let whole = exif(6, true);
    let plain = decode(APPLY, &encode(&image, ImageFormat::Jpeg));
    let garbage =
        [vec![], vec![0; 40], vec![255; 40], b"II*\0\xff\xff\xff\xff".to_vec(), exif(0, true), exif(9, false)];
    for data in garbage.into_iter().chain((0..20).map(|length| whole[..length].to_vec())) {
        assert_eq!(decode(APPLY, &jpeg(&image, &data)), plain, "{data:?}");
        assert_eq!(decode(APPLY, &png(&image, &data, false)).1, image.as_bytes(), "{data:?}");
    }
    // A chunk that is damaged behind the pixels does not make them worse.
    let mut damaged = png(&image, &whole, true);
    let place = damaged.len() - 14;
    damaged[place] ^= 1;
    assert_eq!(decode(APPLY, &damaged).1, image.as_bytes());
}

#[test]
fn sizes_are_known_from_headers() {
    let header = |decoder: Decoder, encoded: &[u8]| decoder.size(encoded);
    let photo = jpeg(&upright(), &exif(6, true));
    // Cut off in the pixels, which the size does not need.
    assert_eq!(header(APPLY, &photo[..photo.len() - 40]), Ok(ImageSize::new(40, 19, 3)));
    assert_eq!(header(Decoder::default(), &photo), Ok(ImageSize::new(19, 40, 3)));
    assert_eq!(header(APPLY, b"text"), Err(DecodeError::UnknownFormat));
    let small = Decoder { max_pixels: 759, ..APPLY };
    assert_eq!(header(small, &photo), Err(DecodeError::Pixels { height: 19, width: 40, allowed: 759 }));
}

#[test]
fn a_folder_applies_what_it_is_told_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let pixel = DynamicImage::from(ImageBuffer::from_pixel(1, 1, Luma([9_u8])));
    fs::write(folder.path().join("a.jpg"), jpeg(&upright(), &exif(8, false))).unwrap();
    fs::write(folder.path().join("b.jpg"), jpeg(&pixel, &exif(5, false))).unwrap();
    let ignoring = ImageFolder::flat(folder.path()).unwrap();
    let applying = ignoring.clone().with_decoder(Decoder::rgb()).with_exif(Exif::Apply);
    assert_eq!((Source::exif(&ignoring), Source::exif(&applying)), (Exif::Ignore, Exif::Apply));
    assert!(applying.decoder().rgb);
    let mut buffers = ReadBuffers::default();
    for (folder, index, size) in [
        (&ignoring, 0, ImageSize::new(19, 40, 3)),
        (&applying, 0, ImageSize::new(40, 19, 3)),
        (&ignoring, 1, ImageSize::new(1, 1, 1)),
        (&applying, 1, ImageSize::new(1, 1, 3)),
    ] {
        assert_eq!(folder.size(index, &mut buffers).unwrap(), size);
        assert_eq!(folder.read(index, &mut buffers).unwrap().image.size(), size);
    }
}

#[test]
fn the_setting_is_kept_as_a_word() {
    let kept = serde_json::to_string(&APPLY).unwrap();
    assert!(kept.contains(r#""exif":"apply""#), "{kept}");
    assert_eq!(serde_json::from_str::<Decoder>(&kept).unwrap(), APPLY);
    // A decoder that was kept before there was such a setting.
    assert_eq!(serde_json::from_str::<Decoder>(r#"{"rgb":true}"#).unwrap(), Decoder::rgb());
}
