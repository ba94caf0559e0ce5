//! The code of the README and of the book, run as tests. A test of this crate finds a page with code that is missing here.

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[doc = include_str!($path)]
            pub struct $name;
        )*
    };
}

pages! {
    Readme: "../../README.md",
    Backends: "../../docs/backends.md",
    Burn: "../../docs/burn.md",
    BurnTrain: "../../docs/burn-train.md",
    Evaluation: "../../docs/evaluation.md",
    MeanTeacher: "../../docs/mean-teacher.md",
    NoNegatives: "../../docs/no-negatives.md",
    Onnx: "../../docs/onnx.md",
    OwnNetwork: "../../docs/own-network.md",
    Views: "../../docs/views.md",
}
