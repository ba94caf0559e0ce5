//! What is compared.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use slowburn_benches::backend::Backend;
use slowburn_benches::work::average::BYTES_PER_WEIGHT;
use slowburn_benches::work::floor::Floor;
use slowburn_benches::work::networks::RESNET18_WEIGHTS;
use slowburn_benches::work::passes::{Network, Pass};
use slowburn_benches::work::steps::{LABELED, QUEUE, batch, mean_teacher_step, moco_step};
use slowburn_benches::work::{Run, average, contrast, floor, load, optimizer, queue};
use slowburn_models::ResNetConfig;

/// Queue and batch of MoCo on ImageNet.
const ENQUEUED: (usize, usize) = (256, 65_536);

/// How the memory of a piece of work is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory {
    /// What is in use, for work that takes little: none of it is what the allocator keeps.
    InUse,
    /// What the system has given, as in a training.
    Resident,
}

/// Which instructions our side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instructions {
    /// Those of the layers' kernels, which `--isa` limits.
    Layers,
    /// The best that the processor has, whatever `--isa` says.
    Best,
    /// Those that every processor has.
    Common,
}

/// A piece of work that can be repeated.
pub(super) struct Task {
    /// Name, the same on both sides.
    pub(super) name: String,
    /// The program of the other side, in `benches/pytorch`; none where there is no other side.
    pub(super) script: Option<&'static str>,
    /// What a reader needs to know besides the name.
    pub(super) params: String,
    /// The threads of a task that is about threads; otherwise all cores take part.
    pub(super) threads: Option<usize>,
    pub(super) floor: Option<Floor>,
    pub(super) instructions: Instructions,
    /// Whether and how its memory is measured too.
    pub(super) memory: Option<Memory>,
    /// Makes networks and inputs.
    pub(super) set_up: Box<dyn FnOnce() -> Result<Run>>,
}

impl Task {
    pub(super) fn new(
        name: impl Into<String>,
        script: &'static str,
        params: String,
        set_up: impl FnOnce() -> Result<Run> + 'static,
    ) -> Self {
        let (name, script, set_up) = (name.into(), Some(script), Box::new(set_up));
        let instructions = Instructions::Common;
        Self { name, script, params, threads: None, floor: None, instructions, memory: None, set_up }
    }

    fn with_floor(self, floor: Floor) -> Self {
        Self { floor: Some(floor), ..self }
    }

    fn with_instructions(self, instructions: Instructions) -> Self {
        Self { instructions, ..self }
    }

    fn with_memory(self, memory: Memory) -> Self {
        Self { memory: Some(memory), ..self }
    }
}

/// All work on a backend but the floors; files that it reads are in `folder`.
pub(super) fn tasks(backend: &Backend, folder: &Path) -> Vec<Task> {
    let mut tasks = averages(backend);
    tasks.extend(loads(backend, folder));
    tasks.extend(losses(backend));
    tasks.push(enqueue(backend));
    tasks.extend(optimizers(backend));
    tasks.extend(passes(backend));
    tasks.extend(steps(backend));
    tasks
}

/// What the machine does at best: a copy, and a matrix product.
pub(super) fn floors(backend: &Backend) -> [Task; 2] {
    let (on_cores, for_copy, for_product) = (backend.is_cpu(), backend.device.clone(), backend.device.clone());
    let copied = floor::COPIED >> 20;
    let copy = move || Ok(if on_cores { floor::copy_on_cores() } else { floor::copy_on_device(&for_copy) });
    let task = |name, params, set_up| Task { script: None, ..Task::new(name, "", params, set_up) };
    let product = move || Ok(floor::product(&for_product));
    let bytes = 2.0 * floor::COPIED as f64;
    [
        Task {
            floor: Some(Floor::Bytes(bytes)),
            ..task("floor/copy", format!("{copied} MiB copied"), Box::new(copy) as Box<dyn FnOnce() -> _>)
        },
        Task {
            floor: Some(Floor::Operations(floor::operations())),
            ..task("floor/matmul", format!("product of two {0}×{0} matrices of f32", floor::SIDE), Box::new(product))
        },
    ]
}

/// The name of the work that reads PyTorch's checkpoint.
pub(super) const LOAD_CHECKPOINT: &str = "load/resnet50/pth";

/// PyTorch's checkpoint, if it is there, and our own file, beside both that PyTorch's users have.
fn loads(backend: &Backend, folder: &Path) -> Vec<Task> {
    let task = |name: &str, params: &str, path: Option<PathBuf>| {
        let (folder, device) = (folder.to_owned(), backend.device.clone());
        let set_up = move || load::resnet50(&path.map_or_else(|| load::ours(&folder, &device), Ok)?, &device);
        let params = format!("a ResNet-50 of 25.6 M weights and its file in the page cache; {params}");
        Task::new(name, "load.py", params, set_up).with_memory(Memory::InUse)
    };
    let checkpoint = folder.join(load::CHECKPOINT);
    let ours = "our safetensors, its digest verified, beside";
    let mut tasks = vec![
        task("load/resnet50/safetensors", &format!("{ours} `torch.load` of a zip"), None),
        task("load/resnet50/safetensors/load_file", &format!("{ours} `load_file`, which verifies nothing"), None),
    ];
    if checkpoint.exists() {
        tasks.push(task(
            LOAD_CHECKPOINT,
            "PyTorch's zip, its checksums verified, beside `torch.load`",
            Some(checkpoint),
        ));
    }
    tasks
}

/// Each network twice: ours takes modules, PyTorch's side once the bare lists of their tensors, and once the modules too.
fn averages(backend: &Backend) -> Vec<Task> {
    let networks = [
        ("resnet18", "ResNet-18 of 11.2 M weights", ResNetConfig::resnet18(), RESNET18_WEIGHTS),
        ("resnet50", "ResNet-50 of 23.5 M weights", ResNetConfig::resnet50(), 23_508_032),
    ];
    let task = |(name, title, config, expected): (&str, &str, ResNetConfig, usize)| {
        [("", "_foreach_lerp_"), ("/module", "AveragedModel.update_parameters")].map(|(suffix, theirs)| {
            let (config, device) = (config.clone(), backend.device.clone());
            let set_up = move || {
                let (run, weights) = average::update(&config, &device)?;
                ensure!(weights == expected, "{weights} weights, not {expected}");
                Ok(run)
            };
            let params = format!("one update, {title}, decay {}; `{theirs}`", average::DECAY);
            let floor = Floor::Bytes((expected * BYTES_PER_WEIGHT) as f64);
            Task::new(format!("average/{name}{suffix}"), "average.py", params, set_up).with_floor(floor)
        })
    };
    networks.into_iter().flat_map(task).collect()
}

fn losses(backend: &Backend) -> Vec<Task> {
    let task = |(n, count): (usize, usize)| {
        let device = backend.device.clone();
        let params = format!("forward and backward, N {n}, d {}, K {count}, τ 0.07", contrast::DIM);
        let set_up = move || Ok(contrast::loss(n, count, &device));
        Task::new(format!("info_nce/{n}x{count}"), "info_nce.py", params, set_up)
            .with_floor(Floor::Operations(contrast::operations(n, count)))
            .with_instructions(Instructions::Best)
            .with_memory(Memory::InUse)
    };
    contrast::SIZES.map(task).into()
}

fn enqueue(backend: &Backend) -> Task {
    let (keys, size) = ENQUEUED;
    let device = backend.device.clone();
    let params = format!("{keys} keys of length {} into a queue of {size}", contrast::DIM);
    let set_up = move || queue::enqueue(keys, size, &device);
    // The keys are read and written.
    let floor = Floor::Bytes((2 * keys * contrast::DIM * size_of::<f32>()) as f64);
    Task::new(format!("enqueue/{keys}x{size}"), "enqueue.py", params, set_up)
        .with_floor(floor)
        .with_memory(Memory::InUse)
}

fn optimizers(backend: &Backend) -> Vec<Task> {
    let task = |sgd: optimizer::Sgd| {
        let device = backend.device.clone();
        let params = format!(
            "one step, SGD with momentum {} and weight decay {}, ResNet-18 of 11.2 M weights",
            optimizer::MOMENTUM,
            optimizer::WEIGHT_DECAY
        );
        let floor = Floor::Bytes((RESNET18_WEIGHTS * optimizer::BYTES_PER_WEIGHT) as f64);
        Task::new(format!("sgd/resnet18/{}", sgd.name()), "optimizer.py", params, move || optimizer::step(sgd, &device))
            .with_floor(floor)
    };
    optimizer::Sgd::ALL.map(task).into()
}

fn passes(backend: &Backend) -> Vec<Task> {
    let task = |network: Network, batch: usize, pass: Pass| {
        let device = backend.device.clone();
        let [_, height, width] = network.image();
        let gradient = if pass == Pass::Forward { "without gradient, " } else { "" };
        let params = format!("{gradient}{}, {batch} images of {height}×{width}, training mode", network.title());
        let name = format!("{}/{}/{batch}", pass.name(), network.name());
        Task::new(name, "passes.py", params, move || pass.run(network, batch, &device))
            .with_instructions(Instructions::Layers)
            .with_memory(Memory::Resident)
    };
    let of_network = |network: Network| {
        let batches = network.batches(backend).iter();
        batches.flat_map(move |&batch| Pass::ALL.map(|pass| task(network, batch, pass)))
    };
    Network::ALL.into_iter().flat_map(of_network).collect()
}

fn steps(backend: &Backend) -> [Task; 2] {
    let batch = batch(backend);
    let (for_moco, for_teacher) = (backend.device.clone(), backend.device.clone());
    let moco = format!("full step, batch {batch}, K {QUEUE}, keys shuffled, SGD with momentum; ResNet-18, 3×3 stem");
    let teacher = format!(
        "full step, batch {batch}, {} of them labelled, SGD with momentum; 13-layer ConvNet",
        batch.div_ceil(LABELED)
    );
    [
        Task::new(format!("mean_teacher_step/conv_net13/{batch}"), "steps.py", teacher, move || {
            mean_teacher_step(batch, &for_teacher)
        }),
        Task::new(format!("moco_step/resnet18-cifar/{batch}"), "steps.py", moco, move || moco_step(batch, &for_moco)),
    ]
    .map(|task| task.with_instructions(Instructions::Layers).with_memory(Memory::Resident))
}
