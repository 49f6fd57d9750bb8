//! Weights that are read from memory in half the bytes: those that 16 bits hold exactly.

use dfdx::prelude::Cpu;
use rayon::prelude::*;

use super::project::Matrix;
use crate::Model;
use crate::blocks::{Ffn, Linear};
use crate::kernels::rows::Short;
use crate::kernels::view;

/// The matrices of a model that hold bf16 numbers only, in 16 bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Compact {
    pub(super) blocks: Vec<Shorts>,
    pub(super) head: Option<Vec<Short>>,
}

/// Those of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Shorts {
    pub(super) qkv: Option<Vec<Short>>,
    pub(super) output: Option<Vec<Short>>,
    pub(super) up: Option<Vec<Short>>,
    pub(super) down: Option<Vec<Short>>,
}

impl Compact {
    pub(super) fn of(model: &Model<Cpu>) -> Compact {
        let of = |linear: &Linear<Cpu>| short(view(&linear.matrix));
        let blocks = model.blocks.iter().map(|block| {
            let (up, down) = match &block.ffn {
                Ffn::Dense(dense) => (of(&dense.up), of(&dense.down)),
                Ffn::Experts(_) => (None, None),
            };
            Shorts { qkv: of(&block.attention.qkv), output: of(&block.attention.output), up, down }
        });
        Compact { blocks: blocks.collect(), head: short(view(model.head_weight())) }
    }
}

/// A matrix in 16 bits, if all of it fits.
fn short(matrix: &[f32]) -> Option<Vec<Short>> {
    matrix.par_iter().map(|number| Short::of(*number)).collect()
}

/// A matrix in the shorter form, where there is one.
pub(super) fn shorter<'a>(short: Option<&'a Vec<Short>>, wide: &'a [f32]) -> Matrix<'a> {
    short.map_or(Matrix::Wide(wide), |short| Matrix::Short(short))
}
