//! A layered layout (Sugiyama, Tagawa and Toda 1981): layers by longest path, few crossings, boxes above what they feed.

use super::Graph;

/// A box with its place, or a bend of a long arrow (`node` is `None`).
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) node: Option<usize>,
    pub(super) width: f64,
    /// Its middle.
    pub(super) x: f64,
    /// Cells of the layer above that lead here.
    up: Vec<usize>,
    /// Cells of the layer below.
    down: Vec<usize>,
}

/// Cells by layer from top to bottom, and the cells that each arrow goes through.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) cells: Vec<Cell>,
    pub(super) layers: Vec<Vec<usize>>,
    /// For each arrow the cells from its start to its end.
    pub(super) routes: Vec<Vec<usize>>,
    pub(super) width: f64,
}

/// Least distance between two boxes of a layer.
const GAP: f64 = 24.0;
/// Sweeps over all layers; more change little.
const SWEEPS: usize = 12;

/// Places the boxes, whose widths are given.
pub(super) fn layout(graph: &Graph, widths: &[f64]) -> Layout {
    let ranks = ranks(graph);
    let mut layout = Layout::default();
    let height = ranks.iter().max().map_or(0, |most| most + 1);
    layout.layers = vec![Vec::new(); height];
    for (node, rank) in ranks.iter().enumerate() {
        layout.cells.push(Cell { node: Some(node), width: widths[node], x: 0.0, up: vec![], down: vec![] });
        layout.layers[*rank].push(node);
    }
    for edge in &graph.edges {
        let mut route = vec![edge.from];
        for layer in layout.layers.iter_mut().take(ranks[edge.to]).skip(ranks[edge.from] + 1) {
            layout.cells.push(Cell { node: None, width: 8.0, x: 0.0, up: vec![], down: vec![] });
            layer.push(layout.cells.len() - 1);
            route.push(layout.cells.len() - 1);
        }
        route.push(edge.to);
        for pair in route.windows(2) {
            layout.cells[pair[0]].down.push(pair[1]);
            layout.cells[pair[1]].up.push(pair[0]);
        }
        layout.routes.push(route);
    }
    layout.order();
    layout.place();
    layout
}

/// The layer of each box: as far down as its inputs ask, and sources just above what reads them first.
fn ranks(graph: &Graph) -> Vec<usize> {
    let mut ranks = vec![0; graph.nodes.len()];
    // Boxes stand in the order of the plan, so inputs come first.
    for node in 0..graph.nodes.len() {
        let above = graph.edges.iter().filter(|e| e.to == node).map(|e| ranks[e.from] + 1);
        ranks[node] = above.max().unwrap_or(0);
    }
    for node in (0..graph.nodes.len()).rev() {
        let fed = graph.edges.iter().any(|e| e.to == node);
        let below = graph.edges.iter().filter(|e| e.from == node).map(|e| ranks[e.to]).min();
        if let (false, Some(below)) = (fed, below) {
            ranks[node] = below - 1;
        }
    }
    ranks
}

impl Layout {
    /// Sorts layers by the mean place of their neighbours, down and up, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                let (here, there) = if down { (step, step - 1) } else { (count - 1 - step, count - step) };
                let place = self.places(there);
                let mean = |cell: usize, own: usize| {
                    let near = if down { &self.cells[cell].up } else { &self.cells[cell].down };
                    if near.is_empty() {
                        return own as f64;
                    }
                    near.iter().map(|n| place[*n] as f64).sum::<f64>() / near.len() as f64
                };
                let mut keyed: Vec<(f64, usize, usize)> = self.layers[here]
                    .iter()
                    .enumerate()
                    .map(|(own, cell)| (mean(*cell, own), own, *cell))
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                self.layers[here] = keyed.into_iter().map(|(_, _, cell)| cell).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// Place of every cell of a layer, by cell.
    fn places(&self, layer: usize) -> Vec<usize> {
        let mut places = vec![0; self.cells.len()];
        for (place, cell) in self.layers[layer].iter().enumerate() {
            places[*cell] = place;
        }
        places
    }

    fn crossings(&self) -> usize {
        let mut count = 0;
        for upper in 0..self.layers.len().saturating_sub(1) {
            let places = self.places(upper + 1);
            let mut seen: Vec<usize> = Vec::new();
            for cell in &self.layers[upper] {
                let mut ends: Vec<usize> = self.cells[*cell].down.iter().map(|to| places[*to]).collect();
                ends.sort_unstable();
                count += ends.iter().map(|end| seen.iter().filter(|s| *s > end).count()).sum::<usize>();
                seen.extend(ends);
            }
        }
        count
    }

    /// Moves cells towards the middle of their neighbours as far as the order and the gaps allow.
    fn place(&mut self) {
        for layer in self.layers.clone() {
            let mut x = 0.0;
            for cell in layer {
                self.cells[cell].x = x + self.cells[cell].width / 2.0;
                x += self.cells[cell].width + GAP;
            }
        }
        for sweep in 0..SWEEPS * 2 {
            let down = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 0..count {
                let layer = self.layers[if down { step } else { count - 1 - step }].clone();
                let wanted: Vec<f64> = layer.iter().map(|cell| self.wanted(*cell, down)).collect();
                self.settle(&layer, &wanted);
            }
        }
        let left = self.cells.iter().map(|c| c.x - c.width / 2.0).fold(f64::INFINITY, f64::min);
        let left = if left.is_finite() { left } else { 0.0 };
        for cell in &mut self.cells {
            cell.x -= left;
        }
        self.width = self.cells.iter().map(|c| c.x + c.width / 2.0).fold(0.0, f64::max);
    }

    fn wanted(&self, cell: usize, down: bool) -> f64 {
        let cell = &self.cells[cell];
        let near = if down { &cell.up } else { &cell.down };
        let near = if near.is_empty() { &cell.down } else { near };
        if near.is_empty() {
            return cell.x;
        }
        near.iter().map(|n| self.cells[*n].x).sum::<f64>() / near.len() as f64
    }

    /// Puts a layer as near to its wished places as can be: neighbours that would overlap become one block that
    /// stands at the mean of their wishes (pooling of adjacent violators).
    fn settle(&mut self, layer: &[usize], wanted: &[f64]) {
        // Offsets of cells in a packed layer; a block is (sum of wishes less offsets, cells).
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(layer.len());
        for (index, cell) in layer.iter().enumerate() {
            if index > 0 {
                let before = self.cells[layer[index - 1]].width;
                offset += before / 2.0 + GAP + self.cells[*cell].width / 2.0;
            }
            offsets.push(offset);
        }
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for (wish, offset) in wanted.iter().zip(&offsets) {
            blocks.push((wish - offset, 1));
            while let [.., a, b] = blocks.as_slice()
                && a.0 / a.1 as f64 > b.0 / b.1 as f64
            {
                let joined = (a.0 + b.0, a.1 + b.1);
                blocks.truncate(blocks.len() - 2);
                blocks.push(joined);
            }
        }
        let starts = blocks.iter().flat_map(|(sum, cells)| std::iter::repeat_n(sum / *cells as f64, *cells));
        for ((cell, offset), start) in layer.iter().zip(offsets).zip(starts) {
            self.cells[*cell].x = start + offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Edge, Node};
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Graph {
        let node = |i: usize| Node {
            id: i.to_string(),
            name: i.to_string(),
            detail: String::new(),
            class: Class::Data,
        };
        let edge = |(from, to): &(usize, usize)| Edge { from: *from, to: *to, part: String::new() };
        Graph { nodes: (0..nodes).map(node).collect(), edges: edges.iter().map(edge).collect() }
    }

    #[test]
    fn boxes_of_a_layer_do_not_overlap_and_arrows_go_down() {
        let edges: Vec<(usize, usize)> = (0..40)
            .flat_map(|i| [(i, i + 1 + (i * 7) % 5), (i, i + 2 + (i * 3) % 9)])
            .filter(|e| e.1 < 40)
            .collect();
        let graph = graph(40, &edges);
        let widths: Vec<f64> = (0..40).map(|i| 40.0 + f64::from(i % 7) * 20.0).collect();
        let layout = layout(&graph, &widths);
        let layer_of = |cell: usize| layout.layers.iter().position(|l| l.contains(&cell)).unwrap();
        for layer in &layout.layers {
            for pair in layer.windows(2) {
                let (a, b) = (&layout.cells[pair[0]], &layout.cells[pair[1]]);
                assert!(a.x + a.width / 2.0 + GAP <= b.x - b.width / 2.0 + 1e-6);
            }
        }
        for route in &layout.routes {
            assert!(route.windows(2).all(|pair| layer_of(pair[0]) + 1 == layer_of(pair[1])));
        }
        assert!(layout.cells.iter().all(|c| c.x - c.width / 2.0 >= -1e-6));
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        // Two chains whose ends are listed in opposite order.
        let layout = layout(&graph(4, &[(0, 3), (1, 2)]), &[40.0; 4]);
        assert_eq!(layout.crossings(), 0);
        assert!((layout.cells[0].x - layout.cells[3].x).abs() < 1e-6);
    }
}
