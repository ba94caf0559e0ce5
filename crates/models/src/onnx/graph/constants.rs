//! Arithmetic on constants, done here: the weights of weight-normalised convolutions, and parameters in other shapes.

use onnx_ir::{NodeProto, TensorProto};

use super::edit::{Graph, integer};
use super::tensor::{Floats, integers};

/// Computes every node whose inputs are all constant, if it is one of those that [`compute`] knows.
pub(super) fn fold(graph: &mut Graph<'_>) {
    // Nodes are in the order of computation: one pass reaches all of them.
    let mut place = 0;
    while let Some(node) = graph.proto.node.get(place).cloned() {
        if fold_one(graph, &node).is_none() {
            place += 1;
        }
    }
    graph.prune();
}

fn fold_one(graph: &mut Graph<'_>, node: &NodeProto) -> Option<()> {
    let inputs: Option<Vec<&TensorProto>> = node.input.iter().map(|input| graph.constant(input)).collect();
    let result = compute(node, &inputs?)?;
    let name = name(graph, node);
    graph.proto.node.retain(|other| other.output != node.output);
    // If it is the name of what came in, nothing else reads that.
    graph.set_constant(result.into_tensor(&name));
    graph.rename(&node.output[0], &name);
    Some(())
}

/// What a node makes of constants.
fn compute(node: &NodeProto, inputs: &[&TensorProto]) -> Option<Floats> {
    let first = Floats::read(inputs.first()?)?;
    let second = inputs.get(1);
    let both = |operation: fn(f32, f32) -> f32| broadcast(&first, &Floats::read(second?)?, operation);
    match node.op_type.as_str() {
        "Add" => both(|a, b| a + b),
        "Sub" => both(|a, b| a - b),
        "Mul" => both(|a, b| a * b),
        "Div" => both(|a, b| a / b),
        "Sqrt" => Some(each(first, f32::sqrt)),
        "Exp" => Some(each(first, f32::exp)),
        "Neg" => Some(each(first, |a| -a)),
        "ReduceSum" => sum(&first, &integers(second?)?, integer(node, "keepdims") != Some(0)),
        "Reshape" => reshape(first, &integers(second?)?),
        _ => None,
    }
}

fn each(mut floats: Floats, operation: fn(f32) -> f32) -> Floats {
    floats.values.iter_mut().for_each(|value| *value = operation(*value));
    floats
}

/// An operation of two tensors; an axis of length 1 is that of the other repeated, and so is one in front that is missing.
fn broadcast(a: &Floats, b: &Floats, operation: fn(f32, f32) -> f32) -> Option<Floats> {
    let rank = a.shape.len().max(b.shape.len());
    let full = |shape: &[usize]| [vec![1; rank - shape.len()], shape.to_vec()].concat();
    let [left, right] = [full(&a.shape), full(&b.shape)];
    let shape: Option<Vec<usize>> = left
        .iter()
        .zip(&right)
        .map(|pair| match pair {
            (a, b) if a == b => Some(*a),
            (1, other) | (other, 1) => Some(*other),
            _ => None,
        })
        .collect();
    let shape = shape?;
    let place = |index: usize, own: &[usize]| {
        let (mut rest, mut step, mut place) = (index, 1, 0);
        for (&length, &own) in shape.iter().zip(own).rev() {
            place += if own == 1 { 0 } else { rest % length * step };
            rest /= length;
            step *= own;
        }
        place
    };
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| operation(a.values[place(index, &left)], b.values[place(index, &right)]));
    Some(Floats { values: values.collect(), shape: shape.clone() })
}

/// The sum along one axis.
fn sum(floats: &Floats, axes: &[i64], keep: bool) -> Option<Floats> {
    let [axis] = axes[..] else { return None };
    let axis = usize::try_from(axis).ok().filter(|&axis| axis < floats.shape.len())?;
    let [length, inner] = [floats.shape[axis], floats.shape[axis + 1..].iter().product()];
    let outer: usize = floats.shape[..axis].iter().product();
    let total = |outer: usize, place: usize| {
        let terms = (0..length).map(|index| f64::from(floats.values[(outer * length + index) * inner + place]));
        terms.sum::<f64>() as f32
    };
    let values = (0..outer).flat_map(|outer| (0..inner).map(move |place| (outer, place)));
    let values = values.map(|(outer, place)| total(outer, place)).collect();
    let mut shape = floats.shape.clone();
    match keep {
        true => shape[axis] = 1,
        false => drop(shape.remove(axis)),
    }
    Some(Floats { shape, values })
}

fn reshape(floats: Floats, target: &[i64]) -> Option<Floats> {
    let known: usize = target.iter().filter(|&&length| length > 0).map(|&length| length as usize).product();
    let count = floats.values.len();
    let shape: Vec<usize> =
        target.iter().map(|&length| if length == -1 { count / known.max(1) } else { length as usize }).collect();
    (shape.iter().product::<usize>() == count).then_some(Floats { shape, ..floats })
}

/// What the result is called: as the parameter that came in, if it came alone and nothing else reads it; otherwise after the
/// module whose parameters came in.
fn name(graph: &Graph<'_>, node: &NodeProto) -> String {
    let parameters: Vec<&String> = node.input.iter().filter(|input| !is_made_up(input)).collect();
    match parameters[..] {
        [only] if graph.uses(only) == 1 => only.clone(),
        _ => {
            let modules = parameters.iter().map(|name| name.rsplit_once('.').map_or("", |(module, _)| module));
            let module = modules.reduce(common).unwrap_or_default();
            graph.free_name(&if module.is_empty() { "constant".to_owned() } else { format!("{module}.constant") })
        }
    }
}

/// The part of two paths that they share.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let shared = a.split('.').zip(b.split('.')).take_while(|(a, b)| a == b);
    let length: usize = shared.map(|(name, _)| name.len() + 1).sum();
    &a[..length.saturating_sub(1)]
}

/// Whether burn-onnx made the name up: it is no parameter's.
fn is_made_up(name: &str) -> bool {
    name.starts_with("node_") || name.starts_with("tensor_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[usize], values: &[f32]) -> Floats {
        Floats { shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn axes_of_length_one_are_repeated() {
        let column = floats(&[2, 1], &[10.0, 20.0]);
        let row = floats(&[3], &[1.0, 2.0, 3.0]);
        let sum = broadcast(&column, &row, |a, b| a + b).unwrap_or_else(|| floats(&[], &[]));
        assert_eq!(sum, floats(&[2, 3], &[11.0, 12.0, 13.0, 21.0, 22.0, 23.0]));
        assert_eq!(broadcast(&floats(&[2], &[1.0, 2.0]), &row, |a, b| a + b), None);
    }

    #[test]
    fn sums_go_along_their_axis() {
        let numbers = floats(&[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(sum(&numbers, &[1], true), Some(floats(&[2, 1, 2], &[4.0, 6.0, 12.0, 14.0])));
        assert_eq!(sum(&numbers, &[2], false), Some(floats(&[2, 2], &[3.0, 7.0, 11.0, 15.0])));
    }

    #[test]
    fn paths_share_whole_names() {
        assert_eq!(common("block1.0.conv", "block1.0.conv"), "block1.0.conv");
        assert_eq!(common("block1.0.conv", "block1.0.conv2"), "block1.0");
        assert_eq!(common("a", "b"), "");
    }
}
