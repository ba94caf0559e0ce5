//! Leaky rectifiers, which the layers record as `relu(x) − slope·relu(−x)`.

use onnx_ir::NodeProto;

use super::edit::{Graph, node, with_float};
use super::tensor::Floats;

/// Joins the operations of each leaky rectifier.
pub(super) fn join(graph: &mut Graph<'_>) {
    let differences: Vec<NodeProto> = graph.proto.node.iter().filter(|node| node.op_type == "Sub").cloned().collect();
    for difference in differences {
        if let Some((input, slope)) = leaky(graph, &difference) {
            graph.replace(with_float(node("LeakyRelu", &[&input], &difference.output[0]), "alpha", slope));
        }
    }
    graph.prune();
}

/// The input and the slope, if this difference is a leaky rectifier.
fn leaky(graph: &Graph<'_>, difference: &NodeProto) -> Option<(String, f32)> {
    let [above, below] = &difference.input[..] else { return None };
    let input = &graph.made_by(above, "Relu")?.input[0];
    let [below, slope] = &graph.made_by(below, "Mul")?.input[..] else { return None };
    let negative = &graph.made_by(below, "Relu")?.input[0];
    let same = &graph.made_by(negative, "Neg")?.input[0];
    let slope = Floats::read(graph.constant(slope)?)?.single()?;
    (input == same).then(|| (input.clone(), slope))
}
