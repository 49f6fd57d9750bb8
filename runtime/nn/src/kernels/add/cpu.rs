//! The residual sum on the CPU.

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::rows::{CHUNK, add_into, par_add};
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn add<T: Tape<f32, Cpu> + Merge<T>>(a_nc: T2<Cpu, T>, b_nc: T2<Cpu, T>) -> Res<T2<Cpu, T>, Cpu> {
    let (a, tape) = a_nc.split_tape();
    let (b, other) = b_nc.split_tape();
    let mut tape = tape.merge(other);
    let shape = *a.shape();
    let mut out = vec![0.0; shape.0 * shape.1];
    let inputs = view(&a).par_chunks(CHUNK).zip(view(&b).par_chunks(CHUNK));
    out.par_chunks_mut(CHUNK).zip(inputs).for_each(|(o, (a, b))| add_into(o, a, b));
    let y = a.device().try_tensor_from_vec(out, shape)?;
    if T::OWNS_TAPE {
        let (y_ghost, a_ghost, b_ghost) = (y.ghost(), a.ghost(), b.ghost());
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            par_add(g.get_or_alloc_mut(&a_ghost)?, &go);
            par_add(g.get_or_alloc_mut(&b_ghost)?, &go);
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
