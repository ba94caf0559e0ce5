//! What things are called: parameters as in PyTorch, nodes and their values after the modules that they belong to.

use std::collections::{HashMap, HashSet};

use super::edit::Graph;
use crate::ParameterInfo;

/// The name of the graph's input.
const INPUT: &str = "images";

/// Gives parameters the names that PyTorch has for them, in the place of Burn's paths.
pub(super) fn parameters(graph: &mut Graph<'_>, parameters: &[ParameterInfo]) {
    for parameter in parameters.iter().filter(|parameter| parameter.path != parameter.name) {
        if !graph.is_taken(&parameter.name) {
            graph.rename(&parameter.path, &parameter.name);
        }
    }
}

/// Calls the input `images` and the output as it is asked for; a parameter of that name gets a number.
pub(super) fn boundary(graph: &mut Graph<'_>, output: &str) {
    let input = graph.proto.input.first().map(|value| value.name.clone());
    let outputs = graph.proto.output.first().map(|value| value.name.clone());
    for (value, name) in [(input, INPUT), (outputs, output)] {
        if graph.is_taken(name) {
            let free = graph.free_name(name);
            graph.rename(name, &free);
        }
        if let Some(value) = value {
            graph.rename(&value, name);
        }
    }
}

/// Names computed weights, nodes and the values between them.
///
/// A weight that was computed from a module's parameters is called `weight`. A node is called as the module whose parameters it
/// reads, other nodes by their operation and a number; its value has its name.
pub(super) fn values(graph: &mut Graph<'_>) {
    weights(graph);
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut taken: HashSet<String> = graph.proto.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let outputs: Vec<String> = graph.proto.output.iter().map(|output| output.name.clone()).collect();
    taken.extend(graph.proto.input.iter().map(|input| input.name.clone()).chain(outputs.clone()));
    let names: Vec<String> = (0..graph.proto.node.len())
        .map(|place| {
            let name = module(graph, place).filter(|module| !taken.contains(module)).unwrap_or_else(|| {
                let operation = graph.proto.node[place].op_type.to_lowercase();
                let count = counts.entry(operation.clone()).or_default();
                let mut numbered = std::iter::repeat_with(|| {
                    *count += 1;
                    format!("{operation}_{count}")
                });
                numbered.find(|name| !taken.contains(name)).unwrap_or_default()
            });
            taken.insert(name.clone());
            name
        })
        .collect();
    for (place, name) in names.into_iter().enumerate() {
        let made = graph.proto.node[place].output.clone();
        for (number, value) in made.iter().enumerate().filter(|(_, value)| !outputs.contains(value)) {
            let new = if number == 0 { name.clone() } else { format!("{name}:{number}") };
            graph.rename(value, &new);
        }
        graph.proto.node[place].name = name;
    }
    lists(graph);
    graph.proto.initializer.sort_by(|a, b| a.name.cmp(&b.name));
}

/// A weight that was computed from several parameters gets the name that it would have as one.
fn weights(graph: &mut Graph<'_>) {
    let weighted = graph.proto.node.iter().filter(|node| matches!(node.op_type.as_str(), "Conv" | "Gemm" | "MatMul"));
    let computed = weighted.filter_map(|node| {
        let name = node.input.get(1)?;
        let (module, last) = name.rsplit_once('.')?;
        (last.starts_with("constant") && graph.constant(name).is_some())
            .then(|| (name.clone(), format!("{module}.weight")))
    });
    for (from, to) in computed.collect::<Vec<_>>() {
        if !graph.is_taken(&to) {
            graph.rename(&from, &to);
        }
    }
}

/// The module whose parameters a node reads.
fn module(graph: &Graph<'_>, place: usize) -> Option<String> {
    let inputs = &graph.proto.node[place].input;
    let parameter = inputs.iter().find(|input| graph.constant(input).is_some() && !is_list(input))?;
    parameter.rsplit_once('.').map(|(module, _)| module.to_owned())
}

/// Lists of integers and single numbers, which burn-onnx numbers after its operations, get the name of the node that reads them.
fn lists(graph: &mut Graph<'_>) {
    let made: Vec<(String, String)> = graph
        .proto
        .node
        .iter()
        .flat_map(|node| node.input.iter().map(move |input| (input.clone(), node.name.clone())))
        .filter(|(input, _)| is_list(input) && graph.constant(input).is_some())
        .collect();
    for (input, node) in made {
        // `node_4_scalar` says what it is, `tensor_12` does not, and has another number in every run.
        let last = input.strip_prefix("node_").and_then(|name| name.trim_end_matches("_known").rsplit('_').next());
        let last = last.unwrap_or("constant").to_owned();
        let name = graph.free_name(&format!("{node}.{last}"));
        graph.rename(&input, &name);
    }
}

/// Whether burn-onnx made the name up.
fn is_list(name: &str) -> bool {
    name.starts_with("node_") || name.starts_with("tensor_")
}
