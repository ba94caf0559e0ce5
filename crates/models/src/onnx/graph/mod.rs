//! From burn-onnx's graph to the one that is written: each pass replaces nodes by fewer.

mod activation;
mod boundary;
mod constants;
mod convolution;
mod edit;
mod linear;
mod names;
mod shapes;
mod tensor;

use onnx_ir::ModelProto;

use super::{Normalise, OnnxOptions, Output};
use crate::{ParameterInfo, weights::Metadata};
use edit::Graph;

/// Brings a graph of burn-onnx into its final form.
pub(super) fn finish(
    model: &mut ModelProto,
    parameters: &[ParameterInfo],
    output: Output,
    options: &OnnxOptions,
    metadata: &Metadata,
    image: [usize; 3],
) {
    let proto = model.graph.mut_or_insert_default();
    let mut graph = Graph::new(proto);
    names::parameters(&mut graph, parameters);
    shapes::settle(&mut graph);
    constants::fold(&mut graph);
    linear::join(&mut graph);
    activation::join(&mut graph);
    if options.fold_batch_norm {
        convolution::fold(&mut graph);
    }
    if options.normalise == Normalise::Inside {
        boundary::normalise(&mut graph, &metadata.mean, &metadata.std);
    }
    if output == Output::Probabilities {
        boundary::softmax(&mut graph);
    }
    graph.prune();
    names::boundary(&mut graph, output.name());
    names::values(&mut graph);
    boundary::describe(model, output, options, metadata, image);
}
