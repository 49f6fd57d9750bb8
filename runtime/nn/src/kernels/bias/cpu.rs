//! The bias on the CPU: added in place, so that the gradient of the sum is that of the product.

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::view_mut;
use crate::kernels::norm::cpu::PARTS;
use crate::kernels::rows::{ROWS, add_to};
use crate::kernels::{Res, T1, T2, cpu::view};

/// The fused version of [`super::composed`]. The result has the identity of `x_no`, which was moved in: its gradient
/// passes on untouched.
pub(crate) fn bias<T: Tape<f32, Cpu>>(x_no: T2<Cpu, T>, b_o: &T1<Cpu>) -> Res<T2<Cpu, T>, Cpu> {
    let (mut x, mut tape) = x_no.split_tape();
    let (n, o) = *x.shape();
    let b = view(b_o);
    view_mut(&mut x).par_chunks_mut(o * ROWS).for_each(|x| {
        x.chunks_exact_mut(o).for_each(|x| add_to(x, b));
    });
    if T::OWNS_TAPE {
        let (x_ghost, b_ghost) = (x.ghost(), b_o.ghost());
        tape.add_backward_op(move |g| {
            let go = g.get_or_alloc_mut(&x_ghost)?;
            let part = n.div_ceil(PARTS).max(1) * o;
            let sum = |go: &[f32]| {
                let mut sum = vec![0.0; o];
                go.chunks_exact(o).for_each(|go| add_to(&mut sum, go));
                sum
            };
            let parts: Vec<Vec<f32>> = go.par_chunks(part).map(sum).collect();
            let gb = g.get_or_alloc_mut(&b_ghost)?;
            parts.iter().for_each(|part| add_to(gb, part));
            Ok(())
        });
    }
    Ok(x.put_tape(tape))
}
