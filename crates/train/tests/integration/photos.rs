//! Folders as strangers have them: broken, grey, tiny, oddly named.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use burn::tensor::Device;
use slowburn_augment::loader::{Decoder, Exif, ImageFolder, OnCorrupt, Source};
use slowburn_augment::{Filter, Operation, Pipeline, ResizeTo};
use slowburn_contrastive::{EndToEndConfig, Moco, MocoConfig};
use slowburn_ema::{Length, RampShape};
use slowburn_models::{Classifier, ClassifierConfig, HeadVersion, ProjectionConfig, Projector};
use slowburn_semi::{MeanTeacherConfig, Mix, PseudoLabelConfig, PseudoLabels};
use slowburn_testkit::generator;
use slowburn_train::data::{LabelFile, write_labels};
use slowburn_train::progress::{Both, Silent, TensorBoard};
use slowburn_train::task::PretrainTask;
use slowburn_train::{FewLabels, Labeled, Pretrain, TrainError, Trained, Trainer};

use crate::support::{Mine, StopAfter, photo, photos, turned_photo, views};

fn fit(
    folder: &Path,
    run: &Path,
    decoder: Decoder,
    on_corrupt: OnCorrupt,
) -> Result<Trained<PretrainTask<Moco<Projector<Mine>>>>, TrainError> {
    let _drawn = generator();
    Trainer::new(run).epochs(1.0).batch(4).reporter(Silent).fit(task(folder, decoder).with_on_corrupt(on_corrupt))
}

fn task(folder: &Path, decoder: Decoder) -> Pretrain<Moco<Projector<Mine>>> {
    let device = Device::flex().autodiff();
    let network = ProjectionConfig::new(HeadVersion::V1).with_dim(4).init(Mine::new(&device), &device).expect("valid");
    let config = MocoConfig { dim: 4, queue: 8, shuffle: false, ..MocoConfig::v2() };
    let images = ImageFolder::flat(folder).expect("photos").with_decoder(decoder);
    Pretrain::new(config.init(network, &device).expect("valid"), images, views())
}

/// Twelve photos among which are a broken one, a link to nothing, a grey one and one of a single pixel.
fn odd(folder: &Path) {
    photos(folder, 8);
    fs::write(folder.join("broken.jpg"), [0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]).expect("written");
    std::os::unix::fs::symlink("/nowhere.jpg", folder.join("link.jpg")).expect("linked");
    image::GrayImage::from_pixel(30, 20, image::Luma([77])).save(folder.join("grey.png")).expect("written");
    image::RgbImage::from_pixel(1, 1, image::Rgb([1, 2, 3])).save(folder.join("tiny.png")).expect("written");
}

#[test]
fn a_broken_photo_stops_a_run_by_name_or_is_left_out_and_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    odd(&images);
    let stopped =
        fit(&images, &folder.path().join("a"), Decoder::rgb(), OnCorrupt::Stop).expect_err("broken").to_string();
    assert!(stopped.contains("broken.jpg") || stopped.contains("link.jpg"), "{stopped}");

    assert!(stopped.contains("OnCorrupt::Skip") || stopped.contains("No such file"), "{stopped}");
    let run = folder.path().join("b");
    let trained = fit(&images, &run, Decoder::rgb(), OnCorrupt::Skip).expect("the others are fine");
    assert_eq!(trained.timeline.per_epoch, 3, "sample numbers do not shift: twelve names in batches of four");
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).expect("written")).expect("JSON");
    assert_eq!(summary["left_out"]["images"], 2);
    let first = summary["left_out"]["first"].to_string();
    assert!(first.contains("broken.jpg") && first.contains("link.jpg"), "{first}");
}

#[test]
fn a_batch_whose_unlabelled_photos_are_all_broken_is_left_out() {
    let _drawn = generator();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 8);
    for number in [4, 5] {
        fs::write(images.join(format!("p{number}.jpg")), "no picture").expect("written");
    }
    let photos = ImageFolder::flat(&images).expect("photos").with_decoder(Decoder::rgb());
    let labels = [Some(0), Some(1), None, None, None, None, None, None].to_vec();
    let labeled = Labeled::new(photos, labels, ["even", "odd"].map(str::to_owned).to_vec()).expect("labels");
    let device = Device::flex().autodiff();
    let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
    let method = PseudoLabelConfig::fix_match().init(network, 8, 2, &device).expect("valid");
    let task = FewLabels::new(method, labeled, views())
        .with_strong_views(views())
        .with_mix(Mix::Fixed { labeled: 1 })
        .with_on_corrupt(OnCorrupt::Skip);
    let run = folder.path().join("run");
    let trained = Trainer::new(&run).epochs(2.0).batch(2).reporter(Silent).fit(task).expect("the others are fine");
    // Six images without a label an epoch, of which two are broken: four steps of two images each.
    assert_eq!((trained.timeline.per_epoch, trained.method.steps(), trained.history.images), (6, 8, 16));
}

type Task = FewLabels<Classifier<Mine>, PseudoLabels<Classifier<Mine>>>;

#[test]
fn views_of_unlike_sizes_and_a_rise_that_cannot_be_are_refused() {
    let _drawn = generator();
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(&folder.path().join("photos"), 8);
    let device = Device::flex().autodiff();
    let fit = |change: fn(Task) -> Task| {
        let photos = ImageFolder::flat(folder.path().join("photos")).expect("photos").with_decoder(Decoder::rgb());
        let labels = (0..8).map(|image| (image < 4).then_some(image % 2)).collect();
        let labeled = Labeled::new(photos, labels, ["even", "odd"].map(str::to_owned).to_vec()).expect("labels");
        let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
        let method = PseudoLabelConfig::fix_match().init(network, 8, 2, &device).expect("valid");
        let task = change(FewLabels::new(method, labeled, views()).with_strong_views(views()));
        let run = folder.path().join("run");
        let said = Trainer::new(&run).epochs(1.0).batch(4).reporter(Silent).fit(task).expect_err("cannot be");
        fs::remove_dir_all(&run).ok();
        said.to_string()
    };
    let said = fit(|task| {
        let to = ResizeTo::Exact { height: 16, width: 16 };
        let resize = Operation::Resize { to, filter: Filter::Bilinear };
        task.with_strong_views(Pipeline::new("large", vec![resize]).expect("valid"))
    });
    assert!(said.contains("weak views have the shape [4, 3, 12, 12] and strong ones"), "{said}");
    let said = fit(|task| task.with_ramp_up(RampShape::SigmoidUp(Length::Epochs(-1.0))));
    assert!(said.contains("with_ramp_up") && said.contains("-1"), "{said}");
}

#[test]
fn a_grey_photo_among_colours_is_named_unless_all_are_made_colours() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = folder.path().join("photos");
    photos(&images, 8);
    image::GrayImage::from_pixel(30, 20, image::Luma([77])).save(images.join("grey.png")).expect("written");
    let said = fit(&images, &folder.path().join("a"), Decoder::default(), OnCorrupt::Skip).expect_err("a grey one");
    assert!(said.to_string().contains("grey.png"), "{said}");
    fit(&images, &folder.path().join("b"), Decoder::rgb(), OnCorrupt::Stop).expect("three channels each");
}

#[test]
fn a_run_is_not_gone_on_with_by_photos_that_are_turned_otherwise() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (images, run) = (folder.path().join("photos"), folder.path().join("run"));
    photos(&images, 20);
    // The only one that is turned is none of the sixteen whose pixels are looked at.
    turned_photo(&images.join("p19.jpg"), image::RgbImage::new(20, 30), 6);
    let decoder = Decoder::rgb().with_exif(Exif::Apply);
    fit(&images, &run, decoder, OnCorrupt::Stop).expect("photos");
    fit(&images, &run, decoder, OnCorrupt::Stop).expect("the same");
    let error = fit(&images, &run, Decoder::rgb(), OnCorrupt::Stop).expect_err("otherwise").to_string();
    assert!(error.contains("task.exif: \"apply\" in the run, \"ignore\" asked for"), "{error}");
}

#[test]
fn curves_of_a_run_that_never_made_a_checkpoint_do_not_keep_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (images, run) = (folder.path().join("photos"), folder.path().join("run"));
    photos(&images, 8);
    let boards = || std::fs::read_dir(run.join("tensorboard/moco")).map_or(0, Iterator::count);
    let begin = |batch: usize, stop: u64| {
        let reporter = Both(StopAfter(stop), TensorBoard::new(&run));
        let _drawn = generator();
        Trainer::new(&run).epochs(2.0).batch(batch).reporter(reporter).fit(task(&images, Decoder::rgb()))
    };
    begin(2, 9).expect("trained");
    assert_eq!(boards(), 1);
    // As if it had been killed in its first epoch, and then begun with other settings.
    for checkpoint in std::fs::read_dir(run.join("checkpoints")).expect("there") {
        fs::remove_file(checkpoint.expect("readable").path()).expect("removed");
    }
    fs::remove_file(run.join("metrics.jsonl")).expect("removed");
    fs::remove_file(run.join("summary.json")).expect("removed");
    begin(4, 9).expect("another run in its place");
    assert_eq!(boards(), 1);
}

#[test]
fn images_of_other_formats_are_counted_and_nested_folders_are_searched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 3);
    photo(&folder.path().join("q.png"), 3);
    fs::rename(folder.path().join("p0.jpg"), folder.path().join("p0.jfif")).expect("renamed");
    fs::write(folder.path().join("a.webp"), "webp").expect("written");
    fs::write(folder.path().join("notes.txt"), "text").expect("written");
    fs::create_dir_all(folder.path().join("deep/er")).expect("made");
    photo(&folder.path().join("deep/er/p9.jpg"), 9);
    let images = ImageFolder::flat(folder.path()).expect("photos");
    assert_eq!((images.len(), images.left_out().len()), (5, 1));
    assert_eq!(images.id(0), "deep/er/p9.jpg");
}

#[test]
fn a_name_that_is_no_utf8_trains_and_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 4);
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9 \\1.jpg");
    fs::rename(folder.path().join("p3.jpg"), folder.path().join(odd)).expect("renamed");
    let images = ImageFolder::flat(folder.path()).expect("photos");
    let names: Vec<String> = (0..4).map(|image| images.id(image)).collect();
    assert_eq!(names[0], "caf\\xe9 \\\\1.jpg");
    let mut buffers = slowburn_augment::loader::ReadBuffers::default();
    images.read(0, &mut buffers).expect("decoded");
    let classes = ["a".to_owned(), "b".to_owned()];
    let file = folder.path().join("labels.txt");
    write_labels(&file, &[Some(1), None, Some(0), None], &classes, |image| names[image].clone()).expect("written");
    let read = LabelFile::read(&file, &names, Some(&classes)).expect("read");
    assert_eq!(read.labels, [Some(1), None, Some(0), None]);
}

#[test]
fn class_folders_have_labels_and_unlabeled_has_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (class, count) in [("boot", 3), ("unlabeled", 4), ("coat", 2)] {
        photos(&folder.path().join(class), count);
    }
    let labeled = Labeled::from_folders(ImageFolder::labeled(folder.path()).expect("photos")).expect("two classes");
    assert_eq!(labeled.classes(), ["boot", "coat"]);
    assert_eq!(labeled.labels(), [Some(0), Some(0), Some(0), Some(1), Some(1), None, None, None, None]);
    assert_eq!(labeled.source().id(8), "unlabeled/p3.jpg");
    assert!(labeled.concerns().is_empty() && !labeled.is_unbalanced());
}

#[test]
fn unbalanced_and_missing_classes_are_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 30);
    let images = ImageFolder::flat(folder.path()).expect("photos");
    let label = |image: usize| Some(usize::from(image == 0));
    let classes = ["many", "one", "none"].map(str::to_owned).to_vec();
    let labeled = Labeled::new(images, (0..30).map(label).collect(), classes).expect("valid");
    let said = labeled.concerns().join("\n");
    assert!(said.contains("no image has the label of none"), "{said}");
    assert!(said.contains("29 of many, 1 of one"), "{said}");
    assert!(labeled.is_unbalanced());
}

#[test]
fn a_network_without_autodiff_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 8);
    let _drawn = generator();
    let device = Device::flex();
    let network = ProjectionConfig::new(HeadVersion::V1).with_dim(4).init(Mine::new(&device), &device).expect("valid");
    let method = EndToEndConfig::default().init(network, &device).expect("valid");
    let task = Pretrain::new(method, ImageFolder::flat(folder.path()).expect("photos"), views());
    let error =
        Trainer::new(folder.path().join("run")).reporter(Silent).fit(task).expect_err("no gradients").to_string();
    assert!(error.contains(".autodiff()"), "{error}");

    let network = ClassifierConfig::new(2).init(Mine::new(&device), &device).expect("valid");
    let method = MeanTeacherConfig::default().init(network, &device).expect("valid");
    let labels = (0..8).map(|image| Some(image % 2)).collect();
    let classes = vec!["a".to_owned(), "b".to_owned()];
    let images = Labeled::new(ImageFolder::flat(folder.path()).expect("photos"), labels, classes).expect("valid");
    let task = FewLabels::new(method, images, views());
    let error =
        Trainer::new(folder.path().join("run")).reporter(Silent).fit(task).expect_err("no gradients").to_string();
    assert!(error.contains(".autodiff()"), "{error}");
}
