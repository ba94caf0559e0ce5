//! What comes before and after the network, and what the file says of it.

use onnx_ir::ModelProto;

use super::edit::{Graph, node, with_integer};
use super::tensor::Floats;
use super::{OnnxOptions, Output};
use crate::weights::Metadata;

/// `(x − mean)/std` before everything else.
pub(super) fn normalise(graph: &mut Graph<'_>, mean: &[f32], std: &[f32]) {
    let Some(input) = graph.proto.input.first().map(|input| input.name.clone()) else { return };
    let [centred, normal] = ["tensor_centred", "tensor_normal"];
    graph.rename(&input, normal);
    if let Some(first) = graph.proto.input.first_mut() {
        first.name = input.clone();
    }
    let names = [("normalise.mean", mean), ("normalise.std", std)].map(|(name, values)| {
        let name = graph.free_name(name);
        let shape = vec![1, values.len(), 1, 1];
        graph.set_constant(Floats { shape, values: values.to_vec() }.into_tensor(&name));
        name
    });
    graph.proto.node.insert(0, node("Sub", &[&input, &names[0]], centred));
    graph.proto.node.insert(1, node("Div", &[centred, &names[1]], normal));
}

/// The softmax over the second axis, after everything else.
pub(super) fn softmax(graph: &mut Graph<'_>) {
    let Some(output) = graph.proto.output.first().map(|output| output.name.clone()) else { return };
    let logits = "tensor_logits";
    graph.rename(&output, logits);
    if let Some(first) = graph.proto.output.first_mut() {
        first.name = output.clone();
    }
    graph.proto.node.push(with_integer(node("Softmax", &[logits], &output), "axis", 1));
}

/// Writes the metadata, and in words what the graph does.
pub(super) fn describe(
    model: &mut ModelProto,
    output: Output,
    options: &OnnxOptions,
    metadata: &Metadata,
    [channels, height, width]: [usize; 3],
) {
    let (input, version) = (options.normalise.input(), env!("CARGO_PKG_VERSION"));
    let network = metadata.network.as_deref().unwrap_or("network");
    let name = output.name();
    model.producer_name = env!("CARGO_PKG_NAME").to_owned();
    model.producer_version = version.to_owned();
    let graph = model.graph.mut_or_insert_default();
    graph.name = network.to_owned();
    let axes = graph.output.first().map(|output| &output.type_.tensor_type().shape.dim);
    let length = axes.and_then(|axes| axes.last()).map_or(0, |axis| axis.dim_value());
    model.doc_string =
        format!("{network}: images [batch, {channels}, {height}, {width}], {input}, to {name} [batch, {length}].");

    let mut map = metadata.to_map();
    // It says whose layout the tensors of a weights file have.
    map.remove("format");
    map.insert("slowburn.input".to_owned(), input.to_owned());
    map.insert("slowburn.output".to_owned(), name.to_owned());
    model.metadata_props.clear();
    for (key, value) in map {
        model.metadata_props.push(Default::default());
        if let Some(entry) = model.metadata_props.last_mut() {
            (entry.key, entry.value) = (key, value);
        }
    }
}
