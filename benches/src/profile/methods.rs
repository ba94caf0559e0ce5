//! What a method costs beside the passes of its networks: a step of it around a network that is all but free, beside the same step
//! around a real one. Views, optimizer and average of the real network are in the second alone.

use std::fmt::Write;
use std::time::Instant;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use slowburn_benches::stats::{duration, median};
use slowburn_benches::work::Run;
use slowburn_benches::work::networks::{CLASSES, resnet18_cifar};
use slowburn_benches::work::steps::{QUEUE, contrastive_step, few_labels_step};
use slowburn_contrastive::{
    ByolConfig, Contrastive, Encode, EndToEndConfig, MemoryBankConfig, MocoConfig, MocoV3Config, SimSiamConfig,
};
use slowburn_models::{
    Classifier, ClassifierConfig, Encoder, HeadVersion, MlpHead, MlpHeadConfig, ProjectionConfig, Projector,
};
use slowburn_semi::{
    FixMatch, IctConfig, LabelForm, MeanTeacherConfig, PiModelConfig, PseudoLabelConfig, SemiSupervised,
    SupervisedConfig, Teacher, TemporalConfig,
};

/// Images of a training set like CIFAR-10: FlexMatch, temporal ensembling and a memory bank keep something of each.
const SAMPLES: usize = 50_000;
/// FixMatch's images for each one with a label.
const SHARE: usize = 8;
/// Numbers of an image that the free network hands on.
const HANDED_ON: usize = 8;
/// Length of an embedding.
const DIM: usize = 128;
/// Updates of BYOL's and MoCo v3's schedules.
const UPDATES: u64 = 100_000;

/// A method's step around either network.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    method: &'static str,
    /// Around a network that is all but free.
    own_seconds: f64,
    /// Around ResNet-18.
    step_seconds: f64,
}

/// An encoder that hands on a few pixels.
#[derive(Module, Debug)]
struct Free {
    feature_dim: usize,
}

impl Encoder for Free {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        images.narrow(2, 0, 1).narrow(3, 0, HANDED_ON).reshape([batch, self.feature_dim])
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }
}

/// Every method, around both networks.
pub(super) fn profile(batch: usize, rounds: u32, device: &Device) -> Result<Vec<Row>> {
    let clock = Rounds { batch, rounds, device: device.clone().autodiff() };
    let free = || Ok(Free { feature_dim: 3 * HANDED_ON });
    let real = || resnet18_cifar(1, device);
    let tiny = MlpHeadConfig::new(vec![HANDED_ON], DIM);
    let own = clock.few_labels(free)?.into_iter().chain(clock.no_labels(free, &tiny)?);
    let whole = clock.few_labels(real)?.into_iter().chain(clock.no_labels(real, &MlpHeadConfig::moco_v3_predictor())?);
    let row = |((method, own_seconds), (_, step_seconds))| Row { method, own_seconds, step_seconds };
    Ok(own.zip(whole).map(row).collect())
}

/// The rows as a table.
pub(super) fn text(rows: &[Row], batch: usize) -> String {
    let mut out =
        format!("| Step of {batch} images, ResNet-18 | of the method's own | whole step | share |\n|---|---|---|---|");
    for Row { method, own_seconds, step_seconds } in rows {
        let share = 100.0 * own_seconds / step_seconds;
        let (own, step) = (duration(*own_seconds), duration(*step_seconds));
        let _ = write!(out, "\n| {method} | {own} | {step} | {share:.2} % |");
    }
    out
}

/// How steps are timed.
struct Rounds {
    batch: usize,
    rounds: u32,
    device: Device,
}

type Timed = Vec<(&'static str, f64)>;

impl Rounds {
    fn few_labels<E: Encoder + 'static>(&self, encoder: impl Fn() -> Result<E>) -> Result<Timed> {
        let device = &self.device;
        let network = || -> Result<Classifier<E>> { Ok(ClassifierConfig::new(CLASSES).init(encoder()?, device)?) };
        let pseudo = |config: PseudoLabelConfig| -> Result<FixMatch<Classifier<E>>> {
            Ok(config.init(network()?, SAMPLES, CLASSES, device)?)
        };
        let temporal = TemporalConfig::default().init(network()?, SAMPLES, CLASSES, device)?;
        Ok(vec![
            ("labels alone", self.semi(SupervisedConfig::default().init(network()?, device)?)?),
            ("Mean Teacher", self.semi(MeanTeacherConfig::default().init(network()?, device)?)?),
            ("Mean Teacher, sharpened targets", self.semi(pseudo(PseudoLabelConfig::mean_teacher(LabelForm::UDA))?)?),
            ("Π-model", self.semi(PiModelConfig::default().init(network()?, device)?)?),
            ("temporal ensembling", self.semi(temporal)?),
            ("FixMatch", self.semi(pseudo(PseudoLabelConfig::fix_match())?)?),
            ("FlexMatch", self.semi(pseudo(PseudoLabelConfig::flex_match())?)?),
            ("FreeMatch", self.semi(pseudo(PseudoLabelConfig::free_match())?)?),
            ("ICT", self.semi(IctConfig::default().init(network()?, device)?)?),
        ])
    }

    fn no_labels<E: Encoder + 'static>(
        &self,
        encoder: impl Fn() -> Result<E>,
        predictor: &MlpHeadConfig,
    ) -> Result<Timed> {
        let device = &self.device;
        let network = || -> Result<Projector<E>> {
            Ok(ProjectionConfig::new(HeadVersion::V2).with_dim(DIM).init(encoder()?, device)?)
        };
        let predictor = || -> Result<MlpHead> { Ok(predictor.clone().with_dim(DIM).init(DIM, device)?) };
        let moco = MocoConfig { queue: QUEUE, ..MocoConfig::cifar() };
        let masked = MocoConfig { masked: true, ..moco.clone() };
        let bank = MemoryBankConfig { dim: DIM, negatives: QUEUE, ..MemoryBankConfig::default() };
        let byol = ByolConfig { dim: DIM, ..ByolConfig::paper(UPDATES) };
        let v3 = MocoV3Config { dim: DIM, ..MocoV3Config::resnet(UPDATES) };
        let sim_siam = SimSiamConfig { dim: DIM, ..SimSiamConfig::default() };
        Ok(vec![
            ("MoCo", self.contrast(moco.init(network()?, device)?)?),
            ("MoCo, a masked query", self.contrast(masked.init(network()?, device)?)?),
            ("memory bank", self.contrast(bank.init(network()?, SAMPLES, device)?)?),
            ("end-to-end", self.contrast(EndToEndConfig::default().init(network()?, device)?)?),
            ("MoCo v3", self.contrast(v3.init(network()?, predictor()?, device)?)?),
            ("BYOL", self.contrast(byol.init(network()?, predictor()?, device)?)?),
            ("SimSiam", self.contrast(sim_siam.init(network()?, predictor()?, device)?)?),
        ])
    }

    fn semi<E, T>(&self, method: SemiSupervised<Classifier<E>, T>) -> Result<f64>
    where
        E: Encoder + 'static,
        T: Teacher<Classifier<E>> + 'static,
    {
        self.time(few_labels_step(method, self.batch, SHARE, &self.device)?)
    }

    fn contrast<C>(&self, method: C) -> Result<f64>
    where
        C: Contrastive<Encoder: Encode<Input = Tensor<4>>> + 'static,
    {
        self.time(contrastive_step(method, self.batch, &self.device)?)
    }

    /// The median over the steps behind the first.
    fn time(&self, mut step: Run) -> Result<f64> {
        step()?;
        let timed = |_| {
            let start = Instant::now();
            step()?;
            Ok(start.elapsed().as_secs_f64())
        };
        Ok(median(&(0..self.rounds).map(timed).collect::<Result<Vec<f64>>>()?))
    }
}
