//! The tensors of an architecture, alike ones stated once, and their full list by name.

use super::{Architecture, ParamInfo};

/// How often a tensor stands in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Once.
    Once,
    /// In every block.
    Block,
    /// In every expert of every block.
    Expert,
}

/// What a tensor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A row of it is looked up.
    Table,
    /// The output head.
    Head,
    /// It is multiplied.
    Matrix,
    /// The gain of a norm.
    Gain,
    /// It is added.
    Bias,
}

/// One tensor, or all that are alike in every block or expert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// How often it stands.
    pub part: Part,
    /// Its path: whole (`norm`), within a block (`attention.q`), or within an expert (`gate`).
    pub leaf: &'static str,
    /// Shape; matrices are `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// What it does.
    pub role: Role,
}

impl Tensor {
    pub(super) fn new(part: Part, leaf: &'static str, shape: &[usize], role: Role) -> Self {
        Tensor { part, leaf, shape: shape.to_vec(), role }
    }

    /// Elements of one of them.
    pub fn count(&self) -> u64 {
        self.shape.iter().map(|&n| n as u64).fold(1, u64::saturating_mul)
    }

    fn info(&self, name: String) -> ParamInfo {
        let decay = matches!(self.role, Role::Table | Role::Head | Role::Matrix);
        ParamInfo { name, shape: self.shape.clone(), role: self.role, decay }
    }
}

impl Architecture {
    /// How many of them there are.
    pub fn copies(&self, tensor: &Tensor) -> u64 {
        let experts = self.experts.map_or(0, |e| e.routed as u64);
        match tensor.part {
            Part::Once => 1,
            Part::Block => self.layers as u64,
            Part::Expert => self.layers as u64 * experts,
        }
    }

    /// Every parameter by its path in the tree of blocks, in canonical order.
    pub fn params(&self) -> Vec<ParamInfo> {
        let tensors = self.tensors();
        let (first, last) = edges(&tensors);
        let once = |t: &Tensor| t.info(t.leaf.to_owned());
        let mut all: Vec<ParamInfo> = tensors[..first].iter().map(once).collect();
        for block in 0..self.layers {
            let mut rest = &tensors[first..last];
            while let Some(tensor) = rest.first() {
                let alike = rest.iter().take_while(|t| t.part == tensor.part).count();
                let (these, after) = rest.split_at(alike);
                rest = after;
                if tensor.part == Part::Block {
                    all.extend(these.iter().map(|t| t.info(format!("blocks.{block}.{}", t.leaf))));
                    continue;
                }
                for expert in 0..self.experts.map_or(0, |e| e.routed) {
                    let name = |t: &Tensor| format!("blocks.{block}.ffn.experts.{expert}.{}", t.leaf);
                    all.extend(these.iter().map(|t| t.info(name(t))));
                }
            }
        }
        all.extend(tensors[last..].iter().map(once));
        all
    }
}

/// Where the tensors of a block begin and end.
fn edges(tensors: &[Tensor]) -> (usize, usize) {
    let first = tensors.iter().position(|t| t.part != Part::Once).unwrap_or(tensors.len());
    let last = tensors.iter().rposition(|t| t.part != Part::Once).map_or(first, |at| at + 1);
    (first, last)
}
