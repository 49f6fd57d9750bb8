//! Mermaid, which GitHub and GitLab draw inside Markdown.

use std::fmt::Write;

use super::{Class, Graph, escape};

impl Graph {
    /// A Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        for (index, node) in self.nodes.iter().enumerate() {
            let detail = if node.detail.is_empty() {
                String::new()
            } else {
                format!("<br/><small>{}</small>", escape(&node.detail))
            };
            let class = node.class.name();
            let _ = writeln!(out, "  s{index}[\"{}{detail}\"]:::{class}", escape(&node.name));
        }
        for edge in &self.edges {
            let label =
                if edge.part.is_empty() { String::new() } else { format!("|{}|", escape(&edge.part)) };
            let _ = writeln!(out, "  s{} -->{label} s{}", edge.from, edge.to);
        }
        for class in Class::ALL {
            let (fill, border) = class.colors();
            let _ = writeln!(out, "  classDef {} fill:{fill},stroke:{border},color:#212529", class.name());
        }
        out
    }
}
