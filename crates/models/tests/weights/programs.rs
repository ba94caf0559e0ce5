//! Checkpoints of other programs.

use burn::tensor::Tensor;
use slowburn_models::weights::{LoadOptions, WeightsError, WeightsFile, load};
use slowburn_models::{BlockKind, HeadVersion, ProjectionConfig, ResNetConfig, Stem, state_dict};

use crate::support::{body, branch, device, expected, expected_body, loaded, loaded_body, path};

#[test]
fn wrappers_around_a_whole_network_are_taken_off() {
    for (name, prefix) in [
        ("data_parallel.pth", "module"),
        ("compiled.pth", "_orig_mod"),
        ("compiled_parallel.pth", "module._orig_mod"),
        ("timm.pth.tar", "state_dict"),
    ] {
        let (found, loaded) = loaded(name, &LoadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, expected("state."), "{name}");
        assert_eq!(loaded.fit.branch.prefix(), prefix, "{name}");
    }
}

/// Each program's encoder and its average: what is taken, and what is said of the other.
#[test]
fn of_an_encoder_and_its_average_the_trained_one_is_taken_and_the_other_on_request() {
    for (name, trained, average) in [
        ("moco_v1.pth.tar", "state_dict.module.encoder_q", "encoder_k"),
        ("moco_v2.pth.tar", "state_dict.module.encoder_q", "encoder_k"),
        ("moco_v3.pth.tar", "state_dict.module.base_encoder", "momentum_encoder"),
        ("solo_learn.ckpt", "state_dict.backbone", "momentum_backbone"),
        ("lightly_torchvision.pt", "backbone", "backbone_momentum"),
        ("timm.pth.tar", "state_dict", "state_dict_ema"),
    ] {
        let (found, loaded) =
            loaded_body(name, &LoadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, expected_body("state."), "{name}");
        assert_eq!(loaded.fit.branch.prefix(), trained, "{name}");
        let others: Vec<&str> = loaded.fit.others.iter().map(|other| other.prefix()).collect();
        assert!(others.len() == 1 && others[0].ends_with(average), "{name}: {others:?}");
        assert!(loaded.to_string().contains(average), "{name}: {loaded}");

        let (found, loaded) = loaded_body(name, &branch(average)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, expected_body("key."), "{name}");
        assert!(loaded.fit.branch.is_average(), "{name}");
    }
}

/// lightly's network has a stem of 3×3: the fixture's is the middle of the others'. The numbers are its own.
#[test]
fn lightlys_own_network_is_read_by_its_numbers_and_said_to_have_lost_a_rectifier() {
    let network = || {
        let config = ResNetConfig::new(BlockKind::Basic, [1, 1, 1, 1]).with_width(2).with_stem(Stem::Cifar);
        config.init(&device()).unwrap()
    };
    let file = WeightsFile::open(path("lightly_generator.pt")).unwrap();
    let (body, loaded) = load(network(), &file, &LoadOptions::default()).unwrap();
    let mut expected = expected_body("state.");
    let middle = Tensor::<4>::from_data(expected["conv1.weight"].clone(), &device()).slice([0..2, 0..3, 2..5, 2..5]);
    expected.insert("conv1.weight".to_owned(), middle.into_data());
    assert_eq!(state_dict(&body), expected);
    assert!(loaded.to_string().contains("without the rectifier behind bn1"), "{loaded}");
}

#[test]
fn a_mocos_head_is_loaded_with_its_encoder() {
    for (name, version) in [("moco_v1.pth.tar", HeadVersion::V1), ("moco_v2.pth.tar", HeadVersion::V2)] {
        let network = ProjectionConfig::new(version).with_dim(4).init(body(), &device()).unwrap();
        let file = WeightsFile::open(path(name)).unwrap();
        let (network, loaded) = load(network, &file, &LoadOptions::default()).unwrap();
        let state = state_dict(&network);
        let head = state.keys().filter(|key| key.starts_with("fc.")).count();
        assert_eq!(head, loaded.fit.taken.keys().filter(|key| key.starts_with("fc.")).count());
        for (key, there) in &loaded.fit.taken {
            assert_eq!(state[key], file.read(there).unwrap(), "{name}: {key}");
        }
        assert!(loaded.kept.is_empty(), "{loaded}");
    }
}

#[test]
fn the_whole_prefix_is_as_good_as_its_end() {
    for asked in ["encoder_k", "module.encoder_k.", "state_dict.module.encoder_k"] {
        let (found, _) = loaded_body("moco_v2.pth.tar", &branch(asked)).unwrap();
        assert_eq!(found, expected_body("key."), "{asked}");
    }
}

#[test]
fn a_prefix_that_nobody_knows_can_be_named() {
    let Err(error @ WeightsError::NotRecognised { .. }) = loaded("unknown_prefix.pth", &LoadOptions::default()) else {
        panic!("recognised");
    };
    let text = error.to_string();
    assert!(text.contains("my.special.trunk.bn1.bias [2]") && text.contains("conv1.weight [2, 3, 7, 7]"), "{text}");
    let (found, _) = loaded("unknown_prefix.pth", &branch("my.special.trunk")).unwrap();
    assert_eq!(found, expected("state."));
}

#[test]
fn a_branch_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let Err(error @ WeightsError::Branch { .. }) = loaded_body("moco_v2.pth.tar", &branch("encoder_z")) else {
        panic!("found");
    };
    let text = error.to_string();
    assert!(text.contains("no branch `encoder_z`") && text.contains("state_dict.module.encoder_k"), "{text}");
}

#[test]
fn another_network_is_not_recognised() {
    let error = loaded("other_network.pth", &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, WeightsError::NotRecognised { .. }), "{error}");
    let partly = LoadOptions { partial: true, ..LoadOptions::default() };
    assert!(matches!(loaded("other_network.pth", &partly), Err(WeightsError::NotRecognised { .. })));
}
