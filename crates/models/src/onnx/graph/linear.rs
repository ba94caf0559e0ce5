//! Linear layers: a product and a sum become `Gemm`, with the weight in PyTorch's layout, `[out, in]`.

use onnx_ir::NodeProto;

use super::edit::{Graph, node, with_integer};
use super::tensor::Floats;

/// Joins `x·W + b` wherever `W` is a constant matrix and `b` a constant row.
pub(super) fn join(graph: &mut Graph<'_>) {
    let sums: Vec<NodeProto> = graph.proto.node.iter().filter(|node| node.op_type == "Add").cloned().collect();
    for sum in sums {
        join_one(graph, &sum);
    }
    graph.prune();
}

fn join_one(graph: &mut Graph<'_>, sum: &NodeProto) -> Option<()> {
    let [product, bias] = &sum.input[..] else { return None };
    let multiply = graph.made_by(product, "MatMul").filter(|_| graph.uses(product) == 1)?;
    let [input, weight] = &multiply.input[..] else { return None };
    let (input, weight) = (input.clone(), weight.clone());
    let matrix = Floats::read(graph.constant(&weight)?)?;
    let row = Floats::read(graph.constant(bias)?)?;
    let [rows, columns] = matrix.shape[..] else { return None };
    // Burn adds tensors of one rank: that of the row says that the input is a matrix.
    if row.shape != [1, columns] || graph.uses(&weight) != 1 || graph.uses(bias) != 1 {
        return None;
    }
    let values = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    let values = values.map(|place| matrix.values[place]).collect();
    graph.set_constant(Floats { shape: vec![columns, rows], values }.into_tensor(&weight));
    graph.set_constant(Floats { shape: vec![columns], values: row.values }.into_tensor(bias));
    graph.replace(with_integer(node("Gemm", &[&input, &weight, bias], &sum.output[0]), "transB", 1));
    Some(())
}
