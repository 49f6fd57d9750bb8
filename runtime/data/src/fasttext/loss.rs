//! From a hidden vector to labels with probabilities: softmax, hierarchical softmax, one against all.

use super::{bytes::Read, matrix::Matrix};

/// fastText adds this to a probability before it takes the logarithm.
const FLOOR: f32 = 1e-5;

/// How scores become probabilities.
#[derive(Debug)]
pub(super) enum Loss {
    /// Probabilities of all labels sum to 1.
    Softmax,
    /// The product of decisions on the way from the root to a label: the children of each inner node, which may be
    /// labels (below their number) or inner nodes.
    Tree(Vec<[usize; 2]>),
    /// Each label on its own.
    OneVsAll,
}

impl Loss {
    /// The loss of a file's header; `counts` say how often each label occurred.
    pub(super) fn new(number: i32, counts: &[i64]) -> Read<Loss> {
        match number {
            1 => huffman(counts).map(Loss::Tree),
            2 | 4 => Ok(Loss::OneVsAll),
            3 => Ok(Loss::Softmax),
            other => Err(format!("has loss {other}; known are 1 to 4")),
        }
    }

    /// The best `k` labels with their probabilities, best first; of equals the lower label first.
    pub(super) fn best(&self, output: &Matrix, hidden: &[f32], k: usize) -> Vec<(usize, f32)> {
        let mut best = Best { k, list: Vec::with_capacity(k.min(output.rows) + 1) };
        let scores = || (0..output.rows).map(|label| output.dot_row(label, hidden));
        match self {
            Loss::Tree(children) => walk(children, output, hidden, &mut best),
            Loss::OneVsAll => {
                scores().enumerate().for_each(|(label, x)| best.offer(label, log(table_sigmoid(x))))
            }
            Loss::Softmax => {
                let scores: Vec<f32> = scores().collect();
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = scores.iter().map(|x| (x - most).exp()).sum();
                scores
                    .iter()
                    .enumerate()
                    .for_each(|(label, x)| best.offer(label, log((x - most).exp() / total)));
            }
        }
        best.list.into_iter().map(|(label, log)| (label, log.exp().min(1.0))).collect()
    }
}

/// The labels found so far, best first.
struct Best {
    k: usize,
    list: Vec<(usize, f32)>,
}

impl Best {
    fn offer(&mut self, label: usize, score: f32) {
        let before = |&(other, its): &(usize, f32)| its > score || (its == score && other < label);
        let at = self.list.partition_point(before);
        self.list.insert(at, (label, score));
        self.list.truncate(self.k);
    }

    /// Whether a score can still enter.
    fn admits(&self, score: f32) -> bool {
        self.list.len() < self.k || self.list.last().is_some_and(|&(_, worst)| score >= worst)
    }
}

fn log(probability: f32) -> f32 {
    (probability + FLOOR).ln()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The sigmoid as fastText tabulates it: 512 steps between -8 and 8.
fn table_sigmoid(x: f32) -> f32 {
    if x < -8.0 {
        0.0
    } else if x > 8.0 {
        1.0
    } else {
        sigmoid(((x + 8.0) * 32.0).floor() / 32.0 - 8.0)
    }
}

/// Goes from the root to the labels; a branch that cannot enter the list is left out.
fn walk(children: &[[usize; 2]], output: &Matrix, hidden: &[f32], best: &mut Best) {
    let labels = children.len() + 1;
    let mut stack = vec![(2 * labels - 2, 0.0)];
    while let Some((node, score)) = stack.pop() {
        if !best.admits(score) {
            continue;
        }
        let Some(inner) = node.checked_sub(labels) else {
            best.offer(node, score);
            continue;
        };
        let right = sigmoid(output.dot_row(inner, hidden));
        let [left_score, right_score] = [score + log(1.0 - right), score + log(right)];
        let mut both = [(children[inner][0], left_score), (children[inner][1], right_score)];
        // The better one is popped first.
        both.sort_by(|a, b| a.1.total_cmp(&b.1));
        stack.extend(both);
    }
}

/// The Huffman tree that fastText builds over labels in descending order of their counts.
fn huffman(counts: &[i64]) -> Read<Vec<[usize; 2]>> {
    let labels = counts.len();
    if counts.iter().any(|&count| count < 0) || counts.windows(2).any(|pair| pair[0] < pair[1]) {
        return Err("counts of labels are negative or not in descending order".into());
    }
    let mut sums: Vec<i64> = Vec::with_capacity(labels);
    let mut children = Vec::with_capacity(labels);
    // The next leaf is the one before `leaf`; `node` is the next inner node without a parent.
    let (mut leaf, mut node) = (labels, 0);
    for _ in 1..labels {
        let mut pick = || {
            let inner: Option<i64> = sums.get(node).copied();
            if leaf > 0 && inner.is_none_or(|sum| counts[leaf - 1] < sum) {
                leaf -= 1;
                (leaf, counts[leaf])
            } else {
                node += 1;
                (labels + node - 1, inner.unwrap_or(0))
            }
        };
        let (left, right) = (pick(), pick());
        children.push([left.0, right.0]);
        sums.push(left.1.saturating_add(right.1));
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huffman_tree_joins_the_rarest_first() {
        assert_eq!(huffman(&[5, 3, 1, 1]).unwrap(), [[3, 2], [4, 1], [5, 0]]);
        assert!(huffman(&[7]).unwrap().is_empty());
        assert!(huffman(&[1, 2]).is_err() && huffman(&[1, -2]).is_err());
    }

    #[test]
    fn the_list_keeps_the_best_in_order() {
        let mut best = Best { k: 2, list: Vec::new() };
        [(0, -3.0), (1, -1.0), (2, -1.0), (3, -2.0)].into_iter().for_each(|(label, x)| best.offer(label, x));
        assert_eq!(best.list, [(1, -1.0), (2, -1.0)]);
        assert!(!best.admits(-1.5) && best.admits(-0.5));
    }
}
