//! Log-probabilities of targets on the CPU: logits exist for one chunk of rows at a time and are made again in the backward
//! pass; rows without a target never reach the head, nor do rows without a gradient on the way back.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::HeadForm;
use super::cpu::entropy;
use crate::kernels::cpu::{take, view};
use crate::kernels::mm::{Right, Store, View, Workers};
use crate::kernels::rows::{add_to, cap_row, logsumexp_row};
use crate::kernels::{Res, T1, T2};
use crate::spec::head_rows;
use crate::{IGNORE, Precision};

/// The fused version of [`super::log_probs`].
pub(crate) fn log_probs<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    w_vc: &T2<Cpu>,
    targets: &[u32],
    cap: Option<f32>,
    precision: Precision,
) -> Res<T1<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let ((n, c), (v, _)) = (*x.shape(), *w_vc.shape());
    let counted: Vec<usize> = (0..n).filter(|at| targets[*at] != IGNORE).collect();
    let ahead = precision.right(View::rows(view(w_vc), c).t(), (c, v));
    let mut out = vec![0.0; n];
    for rows in counted.chunks(head_rows(v)) {
        let mut logits = logits(&ahead, &gathered(view(&x), rows, c), (rows.len(), v, c));
        let one = |(row, at): (&mut [f32], &usize)| {
            if let Some(cap) = cap {
                cap_row(row, 1.0, cap);
            }
            row[targets[*at] as usize] - logsumexp_row(row)
        };
        let these: Vec<f32> = logits.par_chunks_mut(v).zip(rows).map(one).collect();
        rows.iter().zip(these).for_each(|(at, one)| out[*at] = one);
    }
    let y = x.device().try_tensor_from_vec(out, (n,))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w_vc.ghost());
        let (w, targets) = (w_vc.clone(), targets.to_vec());
        tape.add_backward_op(move |g| {
            let gy = take(g.get_or_alloc_mut(&y_ghost)?);
            let moved: Vec<usize> = counted.into_iter().filter(|at| gy[*at] != 0.0).collect();
            let w = View::rows(view(&w), c);
            let (ahead, back) = (precision.right(w.t(), (c, v)), precision.right(w, (v, c)));
            for rows in moved.chunks(head_rows(v)) {
                let (m, xs) = (rows.len(), gathered(view(&x), rows, c));
                let mut d = logits(&ahead, &xs, (m, v, c));
                d.par_chunks_mut(v).zip(rows).for_each(|(row, at)| {
                    entropy(row, targets[*at], -gy[*at], HeadForm { cap, z_loss: 0.0 });
                });
                let d = View::rows(&d, v);
                let gx = back.product((m, c, v), d);
                let all = g.get_or_alloc_mut(&x_ghost)?;
                rows.iter().zip(gx.chunks_exact(c)).for_each(|(at, gx)| add_to(&mut all[at * c..][..c], gx));
                let xs = precision.right(View::rows(&xs, c), (m, c));
                xs.mm((v, c, m), g.get_or_alloc_mut(&w_ghost)?, c, Store::Add, d.t(), Workers::Pool);
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Some rows of a matrix.
fn gathered(x: &[f32], rows: &[usize], c: usize) -> Vec<f32> {
    rows.iter().flat_map(|at| &x[at * c..][..c]).copied().collect()
}

/// The logits of some rows.
fn logits(ahead: &Right<'_>, xs: &[f32], (m, v, c): (usize, usize, usize)) -> Vec<f32> {
    ahead.product((m, v, c), View::rows(xs, c))
}
