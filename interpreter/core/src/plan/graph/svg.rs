//! SVG drawn by our own layout: a picture that needs no other tool.

use std::fmt::Write;

use super::layout::{Layout, layout};
use super::{Class, Graph, Node, escape};

/// Height of a box.
const BOX: f64 = 40.0;
/// Distance between the tops of two layers.
const ROW: f64 = 78.0;
/// Space around the drawing.
const MARGIN: f64 = 16.0;

impl Graph {
    /// The drawing as a file of its own.
    pub fn svg(&self) -> String {
        let widths: Vec<f64> = self.nodes.iter().map(width).collect();
        let layout = layout(self, &widths);
        let (width, height) =
            (layout.width + 2.0 * MARGIN, layout.layers.len() as f64 * ROW - (ROW - BOX) + 2.0 * MARGIN);
        let height = height.max(2.0 * MARGIN);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>plan</title>\n"
        );
        out.push_str(&style());
        self.arrows(&layout, &mut out);
        for (y, layer) in layout.layers.iter().enumerate() {
            for cell in layer {
                let cell = &layout.cells[*cell];
                if let Some(node) = cell.node {
                    draw(&self.nodes[node], cell.x, cell.width, y as f64 * ROW, &mut out);
                }
            }
        }
        out.push_str("</svg>\n");
        out
    }

    fn arrows(&self, layout: &Layout, out: &mut String) {
        let layer = |cell: usize| layout.layers.iter().position(|l| l.contains(&cell)).unwrap_or(0) as f64;
        for (edge, route) in self.edges.iter().zip(&layout.routes) {
            let (Some(first), Some(last)) = (route.first(), route.last()) else { continue };
            let x = |cell: usize| layout.cells[cell].x + MARGIN;
            let mut at = (x(*first), layer(*first) * ROW + BOX + MARGIN);
            let mut path = format!("M{:.1} {:.1}", at.0, at.1);
            for cell in &route[1..] {
                let end = *cell == *last;
                // An arrow ends before the box, so that its head is seen; bends are in the middle of their row.
                let y = layer(*cell) * ROW + MARGIN + if end { -5.0 } else { BOX / 2.0 };
                let middle = (at.1 + y) / 2.0;
                let _ = write!(
                    path,
                    " C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {y:.1}",
                    at.0,
                    x(*cell),
                    x(*cell)
                );
                at = (x(*cell), y);
            }
            let _ = writeln!(out, "<path class=\"arrow\" d=\"{path}\" marker-end=\"url(#head)\"/>");
            if !edge.part.is_empty() {
                let (px, py) = (x(*first) + 6.0, layer(*first) * ROW + BOX + MARGIN + 13.0);
                let _ = writeln!(
                    out,
                    "<text class=\"part\" x=\"{px:.1}\" y=\"{py:.1}\">{}</text>",
                    escape(&edge.part)
                );
            }
        }
    }
}

/// Width of a box: about seven units for a letter.
fn width(node: &Node) -> f64 {
    let name = node.name.chars().count() as f64 * 7.4;
    let detail = node.detail.chars().count() as f64 * 6.2;
    (name.max(detail) + 24.0).max(72.0)
}

fn draw(node: &Node, x: f64, width: f64, y: f64, out: &mut String) {
    let (left, top, middle) = (x - width / 2.0 + MARGIN, y + MARGIN, x + MARGIN);
    let class = node.class.name();
    let _ = writeln!(out, "<g class=\"{class}\"><title>{} {}</title>", escape(&node.name), escape(&node.id));
    let _ = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BOX:.1}\" rx=\"6\"/>"
    );
    let name_at = if node.detail.is_empty() { top + 25.0 } else { top + 18.0 };
    let _ = writeln!(out, "<text x=\"{middle:.1}\" y=\"{name_at:.1}\">{}</text>", escape(&node.name));
    if !node.detail.is_empty() {
        let at = top + 32.0;
        let _ = writeln!(
            out,
            "<text class=\"detail\" x=\"{middle:.1}\" y=\"{at:.1}\">{}</text>",
            escape(&node.detail)
        );
    }
    out.push_str("</g>\n");
}

fn style() -> String {
    let mut css = String::from(
        "text{font:12px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#212529}\
         .detail{font-size:10px;fill:#495057}.part{font-size:10px;text-anchor:start;fill:#868e96}\
         .arrow{fill:none;stroke:#868e96;stroke-width:1.2}",
    );
    for class in Class::ALL {
        let (fill, border) = class.colors();
        let _ = write!(css, ".{} rect{{fill:{fill};stroke:{border}}}", class.name());
    }
    format!(
        "<style>{css}</style>\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"4\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#868e96\"/></marker></defs>\n"
    )
}
