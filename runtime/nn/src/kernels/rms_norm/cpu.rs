//! Root-mean-square normalisation on the CPU.

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::rows::{ROWS, add_to, rms_grad_row, rms_row};
use crate::kernels::{Res, T1, T2};

/// Parts of the gain's gradient; fixed, so that its sum does not depend on the number of threads.
const PARTS: usize = 8;

/// The fused version of [`super::composed`].
pub(crate) fn rms_norm<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    gain_c: &T1<Cpu>,
    eps: f32,
) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let (n, c) = *x.shape();
    let (mut out, mut inverse) = (vec![0.0; n * c], vec![0.0; n]);
    let gain = view(gain_c);
    let rows =
        out.par_chunks_mut(c * ROWS).zip(inverse.par_chunks_mut(ROWS)).zip(view(&x).par_chunks(c * ROWS));
    rows.for_each(|((out, inverse), x)| {
        for ((out, inverse), x) in out.chunks_exact_mut(c).zip(inverse).zip(x.chunks_exact(c)) {
            *inverse = rms_row(x, gain, out, eps);
        }
    });
    let y = x.device().try_tensor_from_vec(out, (n, c))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, gain_ghost) = (y.ghost(), x.ghost(), gain_c.ghost());
        let gain = gain_c.clone();
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            let parts = grads((n, c), view(&x), view(&gain), &inverse, &go, gx);
            let gg = g.get_or_alloc_mut(&gain_ghost)?;
            for part in parts {
                add_to(gg, &part);
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Adds to `gx`; returns the gain's gradient in [`PARTS`] parts.
fn grads(
    (n, c): (usize, usize),
    x: &[f32],
    gain: &[f32],
    inverse: &[f32],
    go: &[f32],
    gx: &mut [f32],
) -> Vec<Vec<f32>> {
    let rows = n.div_ceil(PARTS).max(1);
    let part = rows * c;
    let inputs = go.par_chunks(part).zip(x.par_chunks(part)).zip(inverse.par_chunks(rows));
    let parts = gx.par_chunks_mut(part).zip(inputs).map(|(gx, ((go, x), inverse))| {
        let mut gg = vec![0.0; c];
        let rows = gx.chunks_exact_mut(c).zip(go.chunks_exact(c)).zip(x.chunks_exact(c)).zip(inverse);
        for (((gx, go), x), &inverse) in rows {
            rms_grad_row(x, gain, inverse, go, gx, &mut gg);
        }
        gg
    });
    parts.collect()
}
