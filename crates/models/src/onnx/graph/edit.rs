//! A graph that is changed: who makes a value, and who reads it.

use std::collections::HashSet;

use onnx_ir::{AttributeProto, AttributeType, GraphProto, NodeProto, TensorProto};

/// A graph of some hundred nodes, which passes search from end to end.
pub(super) struct Graph<'a> {
    pub(super) proto: &'a mut GraphProto,
}

impl<'a> Graph<'a> {
    pub(super) fn new(proto: &'a mut GraphProto) -> Self {
        Self { proto }
    }

    /// The constant of this name.
    pub(super) fn constant(&self, name: &str) -> Option<&TensorProto> {
        self.proto.initializer.iter().find(|tensor| tensor.name == name)
    }

    /// The node that makes a value.
    pub(super) fn maker(&self, value: &str) -> Option<&NodeProto> {
        self.proto.node.iter().find(|node| node.output.iter().any(|output| output == value))
    }

    /// The node that makes a value, if it is this operation.
    pub(super) fn made_by(&self, value: &str, operation: &str) -> Option<&NodeProto> {
        self.maker(value).filter(|node| node.op_type == operation)
    }

    /// How often a value or constant is read, by nodes and as the graph's output.
    pub(super) fn uses(&self, value: &str) -> usize {
        let read = self.proto.node.iter().flat_map(|node| &node.input).filter(|input| *input == value).count();
        read + self.proto.output.iter().filter(|output| output.name == value).count()
    }

    /// Whether a name is taken, by a value, a constant or the graph's input.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        let made = self.proto.node.iter().flat_map(|node| &node.output).any(|output| output == name);
        made || self.constant(name).is_some() || self.proto.input.iter().any(|input| input.name == name)
    }

    /// `name`, with a number behind it if it is taken.
    pub(super) fn free_name(&self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1;
        while self.is_taken(&free) {
            number += 1;
            free = format!("{name}_{number}");
        }
        free
    }

    /// Adds a constant, in the place of one of its name.
    pub(super) fn set_constant(&mut self, tensor: TensorProto) {
        self.proto.initializer.retain(|other| other.name != tensor.name);
        self.proto.initializer.push(tensor);
    }

    /// Calls a value, constant, input or output by another name, wherever it is.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let proto = &mut *self.proto;
        let nodes = proto.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        let tensors = proto.initializer.iter_mut().map(|tensor| &mut tensor.name);
        let boundary = proto.input.iter_mut().chain(&mut proto.output).map(|value| &mut value.name);
        for name in nodes.chain(tensors).chain(boundary).filter(|name| *name == from) {
            *name = to.to_owned();
        }
    }

    /// Puts `node` in the place of the one that makes the same value.
    pub(super) fn replace(&mut self, node: NodeProto) {
        if let Some(old) = self.proto.node.iter_mut().find(|old| old.output == node.output) {
            *old = node;
        }
    }

    /// Removes what nothing reads.
    pub(super) fn prune(&mut self) {
        let mut needed: HashSet<&str> = self.proto.output.iter().map(|output| output.name.as_str()).collect();
        // Nodes are in the order of computation.
        let mut kept: Vec<bool> = Vec::with_capacity(self.proto.node.len());
        for node in self.proto.node.iter().rev() {
            let keep = node.output.iter().any(|output| needed.contains(output.as_str()));
            if keep {
                needed.extend(node.input.iter().map(String::as_str));
            }
            kept.push(keep);
        }
        let constants: Vec<bool> =
            self.proto.initializer.iter().map(|tensor| needed.contains(tensor.name.as_str())).collect();
        let mut kept = kept.into_iter().rev();
        self.proto.node.retain(|_| kept.next().unwrap_or(true));
        let mut constants = constants.into_iter();
        self.proto.initializer.retain(|_| constants.next().unwrap_or(true));
    }
}

/// A node without attributes.
pub(super) fn node(operation: &str, inputs: &[&str], output: &str) -> NodeProto {
    let mut node = NodeProto::new();
    node.op_type = operation.to_owned();
    node.input = inputs.iter().map(|&input| input.to_owned()).collect();
    node.output = vec![output.to_owned()];
    node
}

/// A node with an integer attribute more.
pub(super) fn with_integer(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    node.attribute.push(AttributeProto { i: value, ..attribute(name, AttributeType::INT) });
    node
}

/// A node with an attribute more that is a 32-bit float.
pub(super) fn with_float(mut node: NodeProto, name: &str, value: f32) -> NodeProto {
    node.attribute.push(AttributeProto { f: value, ..attribute(name, AttributeType::FLOAT) });
    node
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), type_: kind.into(), ..AttributeProto::default() }
}

/// The integer attribute of a node.
pub(super) fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.i)
}

/// The float attribute of a node.
pub(super) fn float(node: &NodeProto, name: &str) -> Option<f32> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.f)
}
