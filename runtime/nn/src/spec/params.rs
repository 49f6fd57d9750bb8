//! The parameters of a decoder: names by the block tree, shapes, in the one canonical order.

use super::Role;

/// One parameter as optimizers, checkpoints and exports see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// Path in the tree of blocks, for example `blocks.0.attention.q`.
    pub name: String,
    /// Shape; matrices are `[outputs, inputs]`, row-major.
    pub shape: Vec<usize>,
    /// What it does.
    pub role: Role,
    /// Whether weight decay applies by default: to matrices, not to gains.
    pub decay: bool,
}

impl ParamInfo {
    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}
