//! DOT, the language of Graphviz.

use std::fmt::Write;

use super::Graph;

impl Graph {
    /// A directed graph for `dot -Tpng`.
    pub fn dot(&self) -> String {
        let mut out = String::from(
            "digraph plan {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
        );
        for (index, node) in self.nodes.iter().enumerate() {
            let (fill, border) = node.class.colors();
            let detail = if node.detail.is_empty() { String::new() } else { format!("\n{}", node.detail) };
            let label = quote(&format!("{}{detail}", node.name));
            let _ = writeln!(out, "  s{index} [label={label}, fillcolor=\"{fill}\", color=\"{border}\"];");
        }
        for edge in &self.edges {
            let label =
                if edge.part.is_empty() { String::new() } else { format!(" [label={}]", quote(&edge.part)) };
            let _ = writeln!(out, "  s{} -> s{}{label};", edge.from, edge.to);
        }
        out.push_str("}\n");
        out
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
