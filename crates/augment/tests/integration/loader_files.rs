//! Decoding, and the places images come from.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;
use slowburn_augment::loader::{
    DatasetImage, DatasetSource, DecodeError, Decoder, Exif, ImageContent, ImageFolder, Images, LoadError, OnCorrupt,
    ReadBuffers, Source, ViewLoaderConfig,
};
use slowburn_augment::{AugmentError, ImageSize, Pipeline, Views};
use tempfile::TempDir;

/// A picture in which every decoder has something to do.
fn picture(height: u32, width: u32) -> DynamicImage {
    let wave = |x: u32, y: u32, by: u32| ((x * by + y * 3) % 256) as u8;
    ImageBuffer::from_fn(width, height, |x, y| Rgb([wave(x, y, 2), wave(y, x, 5), wave(x, x, 7)])).into()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut encoded = Cursor::new(Vec::new());
    image.write_to(&mut encoded, format).unwrap();
    encoded.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(&image.into(), ImageFormat::Png)
}

fn jpeg(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(&image.into(), ImageFormat::Jpeg)
}

fn decode(encoded: &[u8]) -> Result<(ImageSize, Vec<u8>), DecodeError> {
    // What was in the memory before must not matter.
    let mut pixels = vec![77; 1000];
    let size = Decoder::default().decode(encoded, &mut pixels)?;
    assert_eq!(pixels.len(), size.values());
    Ok((size, pixels))
}

#[test]
fn pictures_are_decoded_as_another_crate_does() {
    for (height, width) in [(1, 1), (7, 9), (64, 48), (33, 100)] {
        let size = ImageSize::new(height as usize, width as usize, 3);
        let image = picture(height, width);
        assert_eq!(decode(&png(image.clone())), Ok((size, image.clone().into_bytes())));
        let encoded = jpeg(image.clone());
        assert_eq!(decode(&encoded), Ok((size, image::load_from_memory(&encoded).unwrap().into_bytes())));
        let grey = image.into_luma8();
        let encoded = jpeg(grey.clone());
        let size = ImageSize { channels: 1, ..size };
        assert_eq!(decode(&encoded), Ok((size, image::load_from_memory(&encoded).unwrap().into_bytes())));
        assert_eq!(decode(&png(grey.clone())), Ok((size, grey.into_raw())));
    }
}

#[test]
fn grey_stays_grey_and_all_else_becomes_rgb() {
    let grey = [
        png(ImageBuffer::from_pixel(4, 3, Luma([7u8]))),
        png(ImageBuffer::from_pixel(4, 3, Luma([7u16 * 257 + 128]))),
        png(ImageBuffer::from_pixel(4, 3, LumaA([7u8, 128]))),
        png(ImageBuffer::from_pixel(4, 3, LumaA([7u16 * 257, 9]))),
    ];
    let color = [
        png(ImageBuffer::from_pixel(4, 3, Rgb([7u16 * 257; 3]))),
        png(ImageBuffer::from_pixel(4, 3, Rgba([7u8, 7, 7, 0]))),
        png(ImageBuffer::from_pixel(4, 3, Rgba([7u16 * 257 - 128; 4]))),
    ];
    for (encoded, channels) in grey.iter().map(|png| (png, 1)).chain(color.iter().map(|png| (png, 3))) {
        let size = ImageSize::new(3, 4, channels);
        assert_eq!(decode(encoded), Ok((size, vec![7; size.values()])));
        let mut pixels = Vec::new();
        let size = ImageSize { channels: 3, ..size };
        assert_eq!(Decoder::rgb().decode(encoded, &mut pixels), Ok(size));
        assert_eq!(pixels, [7; 36]);
    }
}

#[test]
fn palettes_and_single_bits_are_spelled_out() {
    let write = |color, depth, palette: Option<&[u8]>, data: &[u8]| {
        let mut encoded = Vec::new();
        let mut encoder = png::Encoder::new(&mut encoded, 3, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if let Some(palette) = palette {
            encoder.set_palette(palette.to_vec());
            encoder.set_trns(vec![0, 128]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        encoded
    };
    let palette = write(png::ColorType::Indexed, png::BitDepth::Two, Some(&[1, 2, 3, 4, 5, 6]), &[0b0100_0100]);
    assert_eq!(decode(&palette), Ok((ImageSize::new(1, 3, 3), vec![4, 5, 6, 1, 2, 3, 4, 5, 6])));
    let bits = write(png::ColorType::Grayscale, png::BitDepth::One, None, &[0b1010_0000]);
    assert_eq!(decode(&bits), Ok((ImageSize::new(1, 3, 1), vec![255, 0, 255])));
}

#[test]
fn files_that_are_cut_short_are_refused() {
    let encoded = jpeg(picture(40, 40));
    for length in 0..encoded.len() {
        let found = decode(&encoded[..length]);
        let unknown = length < 3;
        assert_eq!(found, Err(if unknown { DecodeError::UnknownFormat } else { DecodeError::Truncated }), "{length}");
    }
    let encoded = png(picture(40, 40));
    // The last 12 bytes say only that the end is reached.
    for length in 0..encoded.len() - 12 {
        assert!(decode(&encoded[..length]).is_err(), "{length} of {} bytes", encoded.len());
    }
    // A thumbnail has an end of its own: a segment of 6 bytes behind the start.
    let whole = jpeg(picture(40, 40));
    let mut thumbnail = [&whole[..2], &[0xff, 0xe5, 0, 6, 1, 0xff, 0xd9, 1], &whole[2..]].concat();
    assert!(decode(&thumbnail).is_ok());
    thumbnail.truncate(thumbnail.len() - 2);
    assert_eq!(decode(&thumbnail), Err(DecodeError::Truncated));
}

#[test]
fn a_header_that_announces_too_much_allocates_nothing() {
    let decoder = Decoder { max_pixels: 99, ..Decoder::default() };
    for encoded in [png(picture(10, 10)), jpeg(picture(10, 10))] {
        let mut pixels = Vec::new();
        let error = decoder.decode(&encoded, &mut pixels).unwrap_err();
        assert_eq!(error.to_string(), "it has 10×10 pixels, allowed: 1 to 99 in all");
        assert_eq!(pixels.capacity(), 0);
        assert!(Decoder { max_pixels: 100, ..decoder }.decode(&encoded, &mut pixels).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damage gives an image of the size in the header or an error, never a panic.
    #[test]
    fn damage_never_panics(
        is_png: bool, rgb: bool, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut encoded = if is_png { png(picture(20, 17)) } else { jpeg(picture(20, 17)) };
        for (place, value) in changes {
            let place = place.index(encoded.len());
            encoded[place] = value;
        }
        let mut pixels = Vec::new();
        let decoder = Decoder { rgb, max_pixels: 1 << 16, exif: Exif::Apply };
        if let Ok(size) = decoder.decode(&encoded, &mut pixels) {
            prop_assert_eq!(pixels.len(), size.values());
            prop_assert_eq!(decoder.size(&encoded), Ok(size));
        }
    }
}

// ------------------------------------------------------------------ folders

fn save(root: &Path, name: &str, encoded: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, encoded).unwrap();
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, value) in
        [("dog/b.png", 1_u8), ("dog/a.JPEG", 2), ("cat/deep/er/z.jpg", 3), ("cat/y.png", 4), ("x.png", 5)]
    {
        let image = ImageBuffer::from_pixel(4, 3, Rgb([value; 3]));
        // The format is that of the content, whatever the ending.
        save(folder.path(), name, &if value == 1 { jpeg(image) } else { png(image) });
    }
    for name in ["dog/list.txt", "dog/.hidden.png", ".cache/c.png"] {
        save(folder.path(), name, b"no image");
    }
    folder
}

fn names(source: &ImageFolder, root: &Path) -> Vec<String> {
    (0..source.len())
        .map(|index| source.path(index).unwrap().strip_prefix(root).unwrap().display().to_string())
        .collect()
}

#[test]
fn folders_are_sorted_recursive_and_labelled() {
    let folder = folder();
    let flat = ImageFolder::flat(folder.path()).unwrap();
    let all = ["cat/deep/er/z.jpg", "cat/y.png", "dog/a.JPEG", "dog/b.png", "x.png"];
    assert_eq!(names(&flat, folder.path()), all);
    let labeled = ImageFolder::labeled(folder.path()).unwrap();
    assert_eq!(names(&labeled, folder.path()), all[..4]);
    assert_eq!(labeled.classes(), ["cat", "dog"]);
    let mut buffers = ReadBuffers::default();
    for (index, (label, value)) in [(0, 3), (0, 4), (1, 2), (1, 1)].into_iter().enumerate() {
        let sample = labeled.read(index, &mut buffers).unwrap();
        assert_eq!((sample.label, sample.image.size()), (Some(label), ImageSize::new(3, 4, 3)));
        assert_eq!(sample.image.bytes().unwrap()[0], value);
        assert_eq!(flat.read(index, &mut buffers).unwrap().label, None);
    }
    let error = flat.read(5, &mut buffers).unwrap_err();
    assert_eq!(error.to_string(), "sample 5 of 5: allowed are 0 to 4");
    let files = ImageFolder::files([folder.path().join("x.png")]).unwrap();
    assert_eq!((files.len(), files.name(0)), (1, folder.path().join("x.png").display().to_string()));
}

#[test]
fn folders_without_what_belongs_there_are_named() {
    let folder = folder();
    let missing = folder.path().join("missing");
    for result in [ImageFolder::flat(&missing), ImageFolder::labeled(&missing)] {
        assert!(matches!(result, Err(LoadError::Folder { path, .. }) if path == missing));
    }
    fs::create_dir(folder.path().join("bird")).unwrap();
    let error = ImageFolder::labeled(folder.path()).unwrap_err();
    assert!(error.to_string().contains("bird has no images"), "{error}");
    assert!(ImageFolder::flat(folder.path()).is_ok());
    assert!(matches!(ImageFolder::flat(folder.path().join("bird")), Err(LoadError::Empty { .. })));
    assert!(matches!(ImageFolder::files(Vec::<PathBuf>::new()), Err(LoadError::Empty { .. })));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        assert!(matches!(ImageFolder::flat(folder.path()), Err(LoadError::Circle { path }) if path.ends_with("loop")));
    }
}

#[test]
fn a_folder_is_loaded_with_its_damaged_files_left_out() {
    let folder = folder();
    save(folder.path(), "dog/c.png", b"garbage");
    save(folder.path(), "dog/d.jpg", &jpeg(picture(9, 9))[..90]);
    save(folder.path(), "dog/e.png", &[]);
    save(folder.path(), "cat/grey.png", &png(ImageBuffer::from_pixel(4, 3, Luma([9u8]))));
    let load = |rgb: bool, on_corrupt| {
        let source = ImageFolder::labeled(folder.path()).unwrap().with_decoder(Decoder { rgb, ..Decoder::default() });
        let views = Views::two(Pipeline::new("bytes", vec![]).unwrap());
        let config = ViewLoaderConfig::new(8).with_shuffle(false).with_on_corrupt(on_corrupt);
        let loader = config.init(source, views).unwrap();
        let batch = loader.epoch(0).next().unwrap();
        (batch, loader.report())
    };
    let (batch, report) = load(true, OnCorrupt::Skip);
    let batch = batch.unwrap();
    assert_eq!(batch.samples, [0, 1, 2, 3, 4]);
    assert_eq!(batch.labels, [0, 0, 0, 1, 1].map(Some));
    assert_eq!(batch.views[1].shape(), [5, 3, 3, 4]);
    assert_eq!(report.skipped.len(), 3);
    assert!(report.skipped[&5].name.ends_with("c.png") && report.skipped[&6].reason.contains("cut short"));

    let (batch, _) = load(true, OnCorrupt::Stop);
    let error = batch.unwrap_err().to_string();
    assert!(
        error.starts_with("sample 5: cannot decode ") && error.contains("dog/c.png: it is neither JPEG"),
        "{error}"
    );
    // A grey file among colour is no damage.
    let (batch, _) = load(false, OnCorrupt::Skip);
    let error = batch.unwrap_err().to_string();
    assert!(error.contains("grey.png) is 3×4×1") && error.contains("z.jpg) is 3×4×3"), "{error}");
    // A file that went away is never skipped.
    let source = ImageFolder::flat(folder.path()).unwrap();
    fs::remove_file(folder.path().join("x.png")).unwrap();
    let error = source.read(source.len() - 1, &mut ReadBuffers::default()).unwrap_err();
    assert!(matches!(error, LoadError::Unreadable { .. }) && error.to_string().contains("x.png"), "{error}");
}

// ----------------------------------------------------- datasets and memory

#[test]
fn any_dataset_of_burn_is_a_source() {
    let folder = TempDir::new().unwrap();
    save(folder.path(), "a.png", &png(ImageBuffer::from_pixel(4, 3, Luma([1u8]))));
    let size = ImageSize::new(3, 4, 1);
    let dataset = InMemDataset::new(vec![
        ImageContent::File(folder.path().join("a.png")),
        ImageContent::Encoded(png(ImageBuffer::from_pixel(4, 3, Luma([2u8])))),
        ImageContent::Pixels { size, pixels: vec![3; 12] },
        ImageContent::Pixels { size, pixels: vec![3; 11] },
        ImageContent::Encoded(b"garbage".to_vec()),
        ImageContent::File(folder.path().join("missing.png")),
    ]);
    let source = DatasetSource::new(dataset, |content| DatasetImage { content, label: Some(8) });
    let mut buffers = ReadBuffers::default();
    assert_eq!(source.len(), 6);
    for index in 0..3 {
        let sample = source.read(index, &mut buffers).unwrap();
        assert_eq!((sample.image.size(), sample.label), (size, Some(8)));
        assert_eq!(sample.image.bytes().unwrap(), [index as u8 + 1; 12]);
    }
    let mut error = |index| source.read(index, &mut buffers).unwrap_err();
    assert!(matches!(error(3), LoadError::BadImage { index: 3, .. }));
    assert!(matches!(error(4), LoadError::Corrupt { index: 4, .. }));
    assert!(matches!(error(5), LoadError::Unreadable { index: 5, .. }));
}

#[test]
fn an_error_of_a_dataset_is_passed_on() {
    struct Broken;
    impl Dataset<u8> for Broken {
        fn get(&self, _: usize) -> Result<u8, DatasetError> {
            Err(DatasetError::new(std::io::Error::other("the disk is on fire")))
        }
        fn len(&self) -> usize {
            3
        }
    }
    let source = DatasetSource::new(Broken, |_| DatasetImage { content: ImageContent::Encoded(vec![]), label: None });
    let config = ViewLoaderConfig::new(3).with_shuffle(false).with_on_corrupt(OnCorrupt::Skip);
    let loader = config.init(source, Views::two(Pipeline::new("bytes", vec![]).unwrap())).unwrap();
    let error = loader.epoch(0).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "sample 0: the dataset says: the disk is on fire");
}

#[test]
fn images_in_memory_are_whole() {
    let size = ImageSize::new(2, 2, 1);
    assert!(matches!(Images::new(size, vec![0; 5]), Err(AugmentError::PixelCount { found: 5, .. })));
    assert!(matches!(Images::new(ImageSize::new(0, 2, 1), vec![]), Err(AugmentError::EmptyImage { .. })));
    let images = Images::new(size, (0..8).collect()).unwrap();
    assert_eq!((images.len(), images.get(1).bytes().unwrap()), (2, &[4, 5, 6, 7][..]));
    assert!(matches!(images.read(2, &mut ReadBuffers::default()), Err(LoadError::NoSuchSample { index: 2, len: 2 })));
    let error = images.with_labels(vec![None]).unwrap_err();
    assert_eq!(error.to_string(), "2 images with 1 labels: there must be one entry per image");
}
