//! `llmp graph FILE`: the plan as a drawing.

use serde_json::json;

use crate::Exit;
use crate::args::{Color, Graph, GraphFormat};
use crate::load;
use crate::output;

pub(crate) fn graph(args: &Graph, color: Color) -> Exit {
    let Some(planned) = load::plan(&args.file, &args.reading, color) else { return Exit::Failed };
    let graph = llmp_interpreter::graph(&planned.plan, &planned.checked.registry);
    output::print(&match args.format {
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Dot => graph.dot(),
        GraphFormat::Svg => graph.svg(),
        GraphFormat::Json => {
            let node = |n: &llmp_interpreter::Node| json!({ "id": n.id, "name": n.name, "detail": n.detail, "class": n.class.name() });
            let id = |index: usize| graph.nodes.get(index).map(|n| n.id.clone());
            let edge =
                |e: &llmp_interpreter::Edge| json!({ "from": id(e.from), "to": id(e.to), "part": e.part });
            let nodes: Vec<_> = graph.nodes.iter().map(node).collect();
            let edges: Vec<_> = graph.edges.iter().map(edge).collect();
            format!("{:#}\n", json!({ "nodes": nodes, "edges": edges }))
        }
    });
    Exit::Clean
}
