//! Public names are told apart: a user may `use` everything of several crates and of Burn's prelude at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where each crate says what is public, below `crates/`.
const SURFACES: &[(&str, &str)] = &[
    ("ema", "src/lib.rs"),
    ("augment", "src/lib.rs"),
    ("augment", "src/loader/mod.rs"),
    ("optim", "src/lib.rs"),
    ("layers", "src/lib.rs"),
    ("models", "src/lib.rs"),
    ("contrastive", "src/lib.rs"),
    ("contrastive", "src/evaluation/mod.rs"),
    ("semi", "src/lib.rs"),
    ("train", "src/data/mod.rs"),
    ("train", "src/monitor/mod.rs"),
    ("train", "src/progress/mod.rs"),
    ("train", "src/run/mod.rs"),
    ("train", "src/task/mod.rs"),
    ("train", "src/trainer/mod.rs"),
];

/// Of burn-core 0.22.1, `src/lib.rs`, and the module that Burn's own adds.
const PRELUDE: &[&str] = &[
    "Bool",
    "Config",
    "Device",
    "DeviceIndex",
    "DeviceKind",
    "ElementConversion",
    "Float",
    "Int",
    "Module",
    "Shape",
    "SliceArg",
    "Tensor",
    "TensorData",
    "ToElement",
    "assert_shape",
    "debug_assert_shape",
    "nn",
    "s",
];

/// One item under two paths, which is not an ambiguity.
const SHARED: &[&str] = &["Ramp", "Refused", "SplitBatchNorm", "SplitBatchNormConfig"];

/// The names in the `pub use` statements of a file.
fn public_names(text: &str) -> Vec<String> {
    let statements = text.split(';').filter_map(|statement| {
        let at =
            statement.find("\npub use ").map(|at| at + 1).or_else(|| statement.starts_with("pub use ").then_some(0))?;
        statement[at..].strip_prefix("pub use ")
    });
    let name = |item: &str| item.trim().rsplit("::").next().unwrap_or_default().to_owned();
    statements
        .flat_map(|statement| match statement.split_once('{') {
            Some((_, list)) => list.trim_end_matches('}').split(',').map(name).collect(),
            None => vec![name(statement)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn surfaces() -> Vec<(&'static str, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let names = |&(name, file): &(&'static str, &str)| {
        let path = root.join(name).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name, public_names(&text))
    };
    SURFACES.iter().map(names).collect()
}

#[test]
fn no_public_name_stands_for_two_things() {
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (owner, names) in surfaces() {
        assert!(!names.is_empty(), "{owner} has no public name");
        assert!(!names.contains(&"*".to_owned()), "{owner} says that everything of a module is public");
        for name in names {
            assert!(!PRELUDE.contains(&name.as_str()), "{owner} and Burn's prelude have a {name}");
            owners.entry(name).or_default().push(owner);
        }
    }
    owners.retain(|name, owners| owners.len() > 1 && !SHARED.contains(&name.as_str()));
    assert!(owners.is_empty(), "{owners:?}");
}

#[test]
fn everything_may_be_used_at_once() {
    use burn::prelude::*;
    use slowburn_augment::loader::*;
    use slowburn_augment::*;
    use slowburn_contrastive::evaluation::*;
    use slowburn_contrastive::*;
    use slowburn_ema::*;
    use slowburn_layers::*;
    use slowburn_models::*;
    use slowburn_optim::*;
    use slowburn_semi::*;

    // Names that two crates had before.
    let _: (CostReduction, SymmetricReduction, EncoderRole) = Default::default();
    let _: (Option<ViewPair<Tensor<4>>>, Option<Views>, Option<ReadBuffers>) = (None, None, None);
    let _: Option<(ProbeSchedule, ComputePath)> = None;
    let _: (PixelArithmetic, Arithmetic, Buffers) = (Default::default(), arithmetic(), Default::default());
    let _: [Option<Box<dyn std::error::Error>>; 2] =
        [None::<EmaError>.map(Into::into), None::<OptimError>.map(Into::into)];
    fn network<E: Encoder>(_: E, _: Option<Device>) {}
    network(SmallConvNetConfig::new().init(&Device::flex()).expect("a network"), None);
}
