//! The norm of queries and keys on the CPU.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::Gains;
use crate::kernels::cpu::{take, view};
use crate::kernels::norm::cpu::{PARTS, norm_grad_row, norm_row};
use crate::kernels::rows::{ROWS, add_to};
use crate::kernels::{Res, T2};
use crate::spec::NormForm;

/// The fused version of [`super::composed`].
pub(crate) fn head_norm<T: Tape<f32, Cpu>>(
    qkv: T2<Cpu, T>,
    gains: Gains<'_, Cpu>,
    (heads, kv_heads): (usize, usize),
    form: &NormForm,
) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = qkv.split_tape();
    let (n, width) = *x.shape();
    let (d, normed) = (gains.q.0.shape().0, heads + kv_heads);
    let (mut out, mut inverse) = (vec![0.0; n * width], vec![0.0; n * normed]);
    let parts = [gains.q, gains.k].map(|(gain, bias)| (view(gain), bias.map_or(&[][..], view)));
    let rows = out.par_chunks_mut(width * ROWS).zip(inverse.par_chunks_mut(normed * ROWS));
    rows.zip(view(&x).par_chunks(width * ROWS)).for_each(|((out, inverse), x)| {
        let rows = out.chunks_exact_mut(width).zip(inverse.chunks_exact_mut(normed));
        for ((out, inverse), x) in rows.zip(x.chunks_exact(width)) {
            for (head, inverse) in inverse.iter_mut().enumerate() {
                let (gain, bias) = parts[usize::from(head >= heads)];
                let at = head * d..(head + 1) * d;
                *inverse = norm_row(&x[at.clone()], gain, bias, &mut out[at], form);
            }
            out[normed * d..].copy_from_slice(&x[normed * d..]);
        }
    });
    let y = x.device().try_tensor_from_vec(out, (n, width))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        let ghosts = [gains.q, gains.k].map(|(gain, bias)| (gain.ghost(), bias.map(|b| b.ghost())));
        let (q_gain, k_gain, form) = (gains.q.0.clone(), gains.k.0.clone(), *form);
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            let sizes = (heads, normed, d, width);
            let sums = grads(sizes, view(&x), [view(&q_gain), view(&k_gain)], &inverse, &go, gx, &form);
            for (which, (gain, bias)) in ghosts.into_iter().enumerate() {
                let at = which * 2 * d;
                let gg = g.get_or_alloc_mut(&gain)?;
                sums.iter().for_each(|part| add_to(gg, &part[at..at + d]));
                if let Some(bias) = bias {
                    let gb = g.get_or_alloc_mut(&bias)?;
                    sums.iter().for_each(|part| add_to(gb, &part[at + d..at + 2 * d]));
                }
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Adds to `gx`; returns the gradients of query gain, query bias, key gain and key bias, side by side, in parts.
fn grads(
    (heads, normed, d, width): (usize, usize, usize, usize),
    x: &[f32],
    gains: [&[f32]; 2],
    inverse: &[f32],
    go: &[f32],
    gx: &mut [f32],
    form: &NormForm,
) -> Vec<Vec<f32>> {
    let rows = (x.len() / width).div_ceil(PARTS).max(1);
    let part = rows * width;
    let inputs = go.par_chunks(part).zip(x.par_chunks(part)).zip(inverse.par_chunks(rows * normed));
    let parts = gx.par_chunks_mut(part).zip(inputs).map(|(gx, ((go, x), inverse))| {
        let mut sums = vec![0.0; 4 * d];
        let rows = gx.chunks_exact_mut(width).zip(go.chunks_exact(width)).zip(x.chunks_exact(width));
        for (((gx, go), x), inverse) in rows.zip(inverse.chunks_exact(normed)) {
            for (head, &inverse) in inverse.iter().enumerate() {
                let which = usize::from(head >= heads);
                let (gg, gb) = sums[which * 2 * d..][..2 * d].split_at_mut(d);
                let at = head * d..(head + 1) * d;
                let (x, go, gx) = (&x[at.clone()], &go[at.clone()], &mut gx[at]);
                norm_grad_row(x, gains[which], inverse, go, gx, (gg, gb), form);
            }
            add_to(&mut gx[normed * d..], &go[normed * d..]);
        }
        sums
    });
    parts.collect()
}
