//! The gated activation on the CPU.

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::rows::{ROWS, swiglu_grad_row, swiglu_row};
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn swiglu<T: Tape<f32, Cpu>>(gate_up: T2<Cpu, T>) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = gate_up.split_tape();
    let (n, both) = *x.shape();
    let f = both / 2;
    let mut out = vec![0.0; n * f];
    out.par_chunks_mut(f * ROWS).zip(view(&x).par_chunks(both * ROWS)).for_each(|(out, x)| {
        for (out, x) in out.chunks_exact_mut(f).zip(x.chunks_exact(both)) {
            swiglu_row(&x[..f], &x[f..], out);
        }
    });
    let y = x.device().try_tensor_from_vec(out, (n, f))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            let inputs = view(&x).par_chunks(both * ROWS).zip(go.par_chunks(f * ROWS));
            gx.par_chunks_mut(both * ROWS).zip(inputs).for_each(|(gx, (x, go))| {
                for ((gx, x), go) in
                    gx.chunks_exact_mut(both).zip(x.chunks_exact(both)).zip(go.chunks_exact(f))
                {
                    let (dg, du) = gx.split_at_mut(f);
                    swiglu_grad_row(&x[..f], &x[f..], go, dg, du);
                }
            });
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
