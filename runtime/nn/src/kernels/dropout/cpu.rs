//! Dropout on the CPU: in place, the factors drawn again for the gradient.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::Drop;
use crate::kernels::cpu::view_mut;
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`]. The result has the identity of `x_nc`, which was moved in.
pub(crate) fn dropout<T: Tape<f32, Cpu>>(x_nc: T2<Cpu, T>, drop: Drop) -> Res<T2<Cpu, T>, Cpu> {
    let (mut x, mut tape) = x_nc.split_tape();
    let (_, c) = *x.shape();
    apply(view_mut(&mut x), c, drop);
    if T::OWNS_TAPE {
        let ghost = x.ghost();
        tape.add_backward_op(move |g| {
            apply(g.get_or_alloc_mut(&ghost)?, c, drop);
            Ok(())
        });
    }
    Ok(x.put_tape(tape))
}

fn apply(x: &mut [f32], c: usize, drop: Drop) {
    x.par_chunks_mut(c).enumerate().for_each(|(position, x)| {
        x.iter_mut().zip(drop.factors(position, c)).for_each(|(x, factor)| *x *= factor);
    });
}
