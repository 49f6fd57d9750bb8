//! Rotary positions on the CPU: turned in place, and the gradient turned back in place.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::RopeTables;
use crate::kernels::attention::Geometry;
use crate::kernels::cpu::view_mut;
use crate::kernels::rows::{ROWS, rope_row};
use crate::kernels::{Positions, Res, T2};

/// The fused version of [`super::composed`]. The result has the identity of `qkv`, which was moved in.
pub(crate) fn rope<T: Tape<f32, Cpu>>(qkv: T2<Cpu, T>, positions: &Positions<Cpu>) -> Res<T2<Cpu, T>, Cpu> {
    let (mut x, mut tape) = qkv.split_tape();
    let (geometry, tables) = (positions.geometry, positions.rope.clone());
    turn(view_mut(&mut x), &geometry, &tables, 1.0);
    if T::OWNS_TAPE {
        let ghost = x.ghost();
        tape.add_backward_op(move |g| {
            turn(g.get_or_alloc_mut(&ghost)?, &geometry, &tables, -1.0);
            Ok(())
        });
    }
    Ok(x.put_tape(tape))
}

/// Turns queries and keys of every position; `sign` -1 turns them back.
fn turn(x: &mut [f32], geometry: &Geometry, tables: &RopeTables, sign: f32) {
    let Geometry { length, heads, kv_heads, head_dim: d, .. } = *geometry;
    let w = geometry.qkv_width();
    x.par_chunks_mut(w * ROWS).enumerate().for_each(|(chunk, x)| {
        for (i, x) in x.chunks_exact_mut(w).enumerate() {
            let (cos, sin) = tables.at((chunk * ROWS + i) % length);
            for head in x[..(heads + kv_heads) * d].chunks_exact_mut(d) {
                rope_row(head, cos, sin, sign);
            }
        }
    });
}
