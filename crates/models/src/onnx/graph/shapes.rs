//! Reshapes: burn-onnx computes the new shape with nodes, of which the batch is the only unknown.

use onnx_ir::NodeProto;

use super::edit::{Graph, node, with_integer};
use super::tensor::{integer_list, integers};

/// Makes computed shapes constant, the one unknown length as −1, and pooled maps flat by `Flatten`.
pub(super) fn settle(graph: &mut Graph<'_>) {
    let reshapes: Vec<NodeProto> = graph.proto.node.iter().filter(|node| node.op_type == "Reshape").cloned().collect();
    for reshape in reshapes {
        let [input, target] = &reshape.input[..] else { continue };
        let Some(shape) = graph.made_by(target, "Concat").and_then(|concat| known(graph, concat)) else { continue };
        let output = &reshape.output[0];
        if graph.made_by(input, "GlobalAveragePool").is_some() && shape.len() == 2 && shape[0] == -1 {
            graph.replace(with_integer(node("Flatten", &[input], output), "axis", 1));
            continue;
        }
        let name = graph.free_name(&format!("{target}_known"));
        graph.set_constant(integer_list(&name, &shape));
        graph.replace(node("Reshape", &[input, &name], output));
    }
    graph.prune();
}

/// The parts of a shape, −1 for one that is not constant; `None` if there are more of these.
fn known(graph: &Graph<'_>, concat: &NodeProto) -> Option<Vec<i64>> {
    let mut shape = Vec::new();
    for part in &concat.input {
        match graph.constant(part) {
            Some(constant) => shape.extend(integers(constant)?),
            // One length of a value's shape.
            None => shape.push(graph.made_by(part, "Gather").map(|_| -1)?),
        }
    }
    (shape.iter().filter(|&&length| length == -1).count() <= 1).then_some(shape)
}
