//! What follows a convolution channel by channel becomes part of its weights and bias: batch normalisation, sums with constants.

use onnx_ir::NodeProto;

use super::edit::{Graph, float};
use super::tensor::Floats;

/// What multiplies each channel, and what is added to it then.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// Folds whatever can be. A value that something else reads too stays.
pub(super) fn fold(graph: &mut Graph<'_>) {
    let mut place = 0;
    while let Some(node) = graph.proto.node.get(place).cloned() {
        // A folded node is gone, and the next one takes its place.
        if fold_one(graph, &node).is_none() {
            place += 1;
        }
    }
    graph.prune();
}

/// Folds `node` into the convolution before it; `None` if that cannot be.
fn fold_one(graph: &mut Graph<'_>, node: &NodeProto) -> Option<()> {
    let operations = ["BatchNormalization", "Add", "Sub"];
    let maps = node.input.first().filter(|_| operations.contains(&node.op_type.as_str()))?;
    let conv = graph.made_by(maps, "Conv").filter(|_| graph.uses(maps) == 1)?.clone();
    let name = conv.input[1].clone();
    let weight = graph.constant(&name).filter(|_| graph.uses(&name) == 1)?;
    let channels = usize::try_from(*weight.dims.first()?).ok()?;
    let affine = affine(graph, node, channels)?;
    let mut weight = Floats::read(weight)?;
    let bias = match conv.input.get(2) {
        Some(bias) => Some(Floats::read(graph.constant(bias).filter(|_| graph.uses(bias) == 1)?)?.values),
        None => None,
    };

    let kernel = weight.values.len() / channels.max(1);
    for (values, scale) in weight.values.chunks_mut(kernel.max(1)).zip(&affine.scale) {
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    }
    let old = |channel: usize| bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
    let values = (0..channels).map(|channel| (old(channel) * affine.scale[channel] + affine.shift[channel]) as f32);
    let bias = Floats { shape: vec![channels], values: values.collect() };
    let bias_name = conv.input.get(2).cloned().unwrap_or_else(|| bias_name(graph, &name));

    graph.set_constant(weight.into_tensor(&name));
    graph.set_constant(bias.into_tensor(&bias_name));
    graph.proto.node.retain(|other| other.output != node.output);
    let place = graph.proto.node.iter().position(|other| other.output == conv.output)?;
    let folded = &mut graph.proto.node[place];
    folded.output = node.output.clone();
    folded.input = vec![conv.input[0].clone(), name, bias_name];
    Some(())
}

/// `conv1.bias` for `conv1.weight`.
fn bias_name(graph: &Graph<'_>, weight: &str) -> String {
    let name = match weight.rsplit_once('.') {
        Some((module, _)) => format!("{module}.bias"),
        None => "bias".to_owned(),
    };
    graph.free_name(&name)
}

/// What a node does to each channel of its first input.
fn affine(graph: &Graph<'_>, node: &NodeProto, channels: usize) -> Option<Affine> {
    let constant = |place: usize| Floats::read(graph.constant(node.input.get(place)?)?);
    match node.op_type.as_str() {
        "BatchNormalization" => {
            let [gamma, beta, mean, variance] = [constant(1)?, constant(2)?, constant(3)?, constant(4)?];
            let epsilon = f64::from(float(node, "epsilon")?);
            let scale = |(gamma, variance): (&f32, &f32)| f64::from(*gamma) / (f64::from(*variance) + epsilon).sqrt();
            let scale: Vec<f64> = gamma.values.iter().zip(&variance.values).map(scale).collect();
            let shift = beta.values.iter().zip(&mean.values).zip(&scale);
            let shift = shift.map(|((beta, mean), scale)| f64::from(*beta) - f64::from(*mean) * scale).collect();
            Some(Affine { scale, shift })
        }
        "Add" => shifted(&constant(1)?, channels, 1.0),
        "Sub" => shifted(&constant(1)?, channels, -1.0),
        _ => None,
    }
}

/// A sum with one number for each channel.
fn shifted(numbers: &Floats, channels: usize, sign: f64) -> Option<Affine> {
    let shift = numbers.values.iter().map(|value| sign * f64::from(*value)).collect();
    (numbers.shape == [1, channels, 1, 1]).then(|| Affine { scale: vec![1.0; channels], shift })
}
