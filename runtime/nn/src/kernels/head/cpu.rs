//! Head and cross-entropy on the CPU: logits exist for one chunk of rows at a time, gradients are made in the
//! forward pass.

use dfdx::prelude::*;
use rayon::prelude::*;

use crate::kernels::cpu::view;
use crate::kernels::mm::{Store, View, Workers, mm};
use crate::kernels::rows::{cap_row, cross_entropy_row, par_add_scaled, uncap_grad_row};
use crate::kernels::{Res, T0, T2};
use crate::spec::head_rows;
use crate::{IGNORE, LossSums};

/// The fused version of [`super::composed`].
pub(crate) fn head_loss<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    w_vc: &T2<Cpu>,
    targets: &[u32],
    normaliser: f64,
    cap: Option<f32>,
) -> Res<(T0<Cpu, T>, LossSums), Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let mut chunks = Chunks::new(view(&x), view(w_vc), *x.shape(), w_vc.shape().0, T::OWNS_TAPE);
    let mut sums = LossSums::default();
    for (chunk, targets) in targets.chunks(chunks.rows).enumerate() {
        sums += chunks.run(chunk * chunks.rows, targets, (1.0 / normaliser) as f32, cap);
    }
    let (gx, gw) = (chunks.gx, chunks.gw);
    let y = x.device().try_tensor_from_vec(vec![(sums.nll_sum / normaliser) as f32], ())?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w_vc.ghost());
        tape.add_backward_op(move |g| {
            let scale = g.get_or_alloc_mut(&y_ghost)?[0];
            par_add_scaled(g.get_or_alloc_mut(&x_ghost)?, &gx, scale);
            par_add_scaled(g.get_or_alloc_mut(&w_ghost)?, &gw, scale);
            Ok(())
        });
    }
    Ok((y.put_tape(tape), sums))
}

/// The work over chunks of rows: logits, losses, gradients.
struct Chunks<'a> {
    x: &'a [f32],
    w: &'a [f32],
    c: usize,
    v: usize,
    rows: usize,
    logits: Vec<f32>,
    gx: Vec<f32>,
    gw: Vec<f32>,
    taped: bool,
}

impl<'a> Chunks<'a> {
    fn new(x: &'a [f32], w: &'a [f32], (n, c): (usize, usize), v: usize, taped: bool) -> Self {
        let rows = head_rows(v).min(n).max(1);
        let grads = |len: usize| vec![0.0; if taped { len } else { 0 }];
        Self { x, w, c, v, rows, logits: vec![0.0; rows * v], gx: grads(n * c), gw: grads(v * c), taped }
    }

    fn run(&mut self, start: usize, targets: &[u32], scale: f32, cap: Option<f32>) -> LossSums {
        let (c, v, n) = (self.c, self.v, targets.len());
        let logits = &mut self.logits[..n * v];
        let x = View::rows(&self.x[start * c..(start + n) * c], c);
        let w = View::rows(self.w, c);
        mm((n, v, c), logits, v, Store::Set, x, w.t(), Workers::Pool);
        let losses: Vec<f32> = logits
            .par_chunks_mut(v)
            .zip(targets)
            .map(|(row, &target)| {
                if target == IGNORE {
                    row.fill(0.0);
                    return 0.0;
                }
                let Some(cap) = cap else { return cross_entropy_row(row, target as usize, scale) };
                cap_row(row, 1.0, cap);
                let capped = row.to_vec();
                let loss = cross_entropy_row(row, target as usize, scale);
                uncap_grad_row(row, &capped, cap);
                loss
            })
            .collect();
        if self.taped {
            let d = View::rows(logits, v);
            mm((n, c, v), &mut self.gx[start * c..], c, Store::Set, d, w, Workers::Pool);
            mm((v, c, n), &mut self.gw, c, Store::Add, d.t(), x, Workers::Pool);
        }
        let counted = targets.iter().filter(|&&t| t != IGNORE).count() as u64;
        LossSums { nll_sum: losses.iter().map(|&l| f64::from(l)).sum(), targets: counted }
    }
}
