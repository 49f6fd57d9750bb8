//! Normalisation on the CPU.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::dispatch::row_kernel;
use crate::kernels::rows::{ROWS, add_to, inner, sum};
use crate::kernels::{Res, T1, T2};
use crate::spec::NormForm;

/// Parts of the gradients of gain and bias; fixed, so that their sums do not depend on the number of threads.
pub(crate) const PARTS: usize = 8;

/// The fused version of [`super::composed`].
pub(crate) fn norm<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    gain_c: &T1<Cpu>,
    bias_c: Option<&T1<Cpu>>,
    form: &NormForm,
) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let (n, c) = *x.shape();
    let (mut out, mut inverse) = (vec![0.0; n * c], vec![0.0; n]);
    let (gain, bias) = (view(gain_c), bias_c.map_or(&[][..], view));
    let rows =
        out.par_chunks_mut(c * ROWS).zip(inverse.par_chunks_mut(ROWS)).zip(view(&x).par_chunks(c * ROWS));
    rows.for_each(|((out, inverse), x)| {
        for ((out, inverse), x) in out.chunks_exact_mut(c).zip(inverse).zip(x.chunks_exact(c)) {
            *inverse = norm_row(x, gain, bias, out, form);
        }
    });
    let y = x.device().try_tensor_from_vec(out, (n, c))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, gain_ghost) = (y.ghost(), x.ghost(), gain_c.ghost());
        let bias_ghost = bias_c.map(|b| b.ghost());
        let (gain, form) = (gain_c.clone(), *form);
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            let parts = grads((n, c), view(&x), view(&gain), &inverse, &go, gx, &form);
            let gg = g.get_or_alloc_mut(&gain_ghost)?;
            parts.iter().for_each(|part| add_to(gg, &part[..c]));
            if let Some(ghost) = bias_ghost {
                let gb = g.get_or_alloc_mut(&ghost)?;
                parts.iter().for_each(|part| add_to(gb, &part[c..]));
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Adds to `gx`; returns the gradients of gain and bias, side by side, in [`PARTS`] parts.
fn grads(
    (n, c): (usize, usize),
    x: &[f32],
    gain: &[f32],
    inverse: &[f32],
    go: &[f32],
    gx: &mut [f32],
    form: &NormForm,
) -> Vec<Vec<f32>> {
    let rows = n.div_ceil(PARTS).max(1);
    let part = rows * c;
    let inputs = go.par_chunks(part).zip(x.par_chunks(part)).zip(inverse.par_chunks(rows));
    let parts = gx.par_chunks_mut(part).zip(inputs).map(|(gx, ((go, x), inverse))| {
        let mut sums = vec![0.0; 2 * c];
        let (gg, gb) = sums.split_at_mut(c);
        let rows = gx.chunks_exact_mut(c).zip(go.chunks_exact(c)).zip(x.chunks_exact(c)).zip(inverse);
        for (((gx, go), x), &inverse) in rows {
            norm_grad_row(x, gain, inverse, go, gx, (&mut *gg, &mut *gb), form);
        }
        sums
    });
    parts.collect()
}

row_kernel! {
    /// Normalises a row, with a bias unless it is empty; returns the inverse root of its mean square.
    fn norm_row(x: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32], form: &NormForm) -> f32 {
        let n = x.len();
        let mean = if form.rms { 0.0 } else { sum(n, |i| x[i]) / n as f32 };
        let squares = if form.rms { inner::<FMA>(x, x) } else { sum(n, |i| (x[i] - mean) * (x[i] - mean)) };
        let inverse = 1.0 / (squares / n as f32 + form.eps as f32).sqrt();
        let offset = if form.offset { 1.0 } else { 0.0 };
        for ((o, x), g) in out.iter_mut().zip(x).zip(gain) { *o = (x - mean) * inverse * (g + offset) }
        for (o, b) in out.iter_mut().zip(bias) { *o += b }
        inverse
    }
}

row_kernel! {
    /// Adds the gradients of a normalised row to `gx` and to those of gain and bias.
    fn norm_grad_row(
        x: &[f32],
        gain: &[f32],
        inverse: f32,
        go: &[f32],
        gx: &mut [f32],
        sums: (&mut [f32], &mut [f32]),
        form: &NormForm,
    ) {
        let n = x.len();
        let (gain, go, gx, gg) = (&gain[..n], &go[..n], &mut gx[..n], &mut sums.0[..n]);
        let offset = if form.offset { 1.0 } else { 0.0 };
        let (mut mean, mut average) = (0.0, 0.0);
        if !form.rms {
            mean = sum(n, |i| x[i]) / n as f32;
            average = sum(n, |i| go[i] * (gain[i] + offset)) * inverse / n as f32;
            for (gb, go) in sums.1[..n].iter_mut().zip(go) { *gb += go }
        }
        let along = sum(n, |i| go[i] * (gain[i] + offset) * (x[i] - mean)) * inverse * inverse * inverse / n as f32;
        for i in 0..n {
            let x = x[i] - mean;
            gg[i] += go[i] * x * inverse;
            gx[i] += go[i] * (gain[i] + offset) * inverse - x * along - average;
        }
    }
}
