//! Head and cross-entropy on the CPU: logits exist for one chunk of rows at a time, gradients are made in the
//! forward pass.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::HeadForm;
use crate::kernels::cpu::{made_ahead, view};
use crate::kernels::mm::{Right, Store, View, Workers};
use crate::kernels::rows::{cap_row, cross_entropy_row, uncap_grad_row};
use crate::kernels::{Res, T0, T2};
use crate::spec::head_rows;
use crate::{IGNORE, LossSums, Precision};

/// The fused version of [`super::composed`].
pub(crate) fn head_loss<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    w_vc: &T2<Cpu>,
    targets: &[u32],
    normaliser: f64,
    form: HeadForm,
    precision: Precision,
) -> Res<(T0<Cpu, T>, LossSums), Cpu> {
    let (x, tape) = x_nc.split_tape();
    let ((n, c), (v, _)) = (*x.shape(), *w_vc.shape());
    let mut chunks = Chunks::new((n, c, v), view(w_vc), precision, T::OWNS_TAPE);
    let mut sums = LossSums::default();
    let pieces = view(&x).chunks(chunks.rows * c).zip(targets.chunks(chunks.rows));
    for (at, (x, targets)) in pieces.enumerate() {
        sums += chunks.run(at, x, targets, (1.0 / normaliser) as f32, form);
    }
    let (gx, gw) = (chunks.gx, chunks.gw);
    let loss = (sums.nll_sum + f64::from(form.z_loss) * sums.z_sum) / normaliser;
    Ok((made_ahead(loss as f32, x.put_tape(tape), w_vc, gx, gw)?, sums))
}

/// The work over chunks of rows: logits, losses, gradients.
struct Chunks<'a> {
    c: usize,
    v: usize,
    /// Rows of a chunk; the last may have fewer.
    rows: usize,
    /// W^T, for logits.
    ahead: Right<'a>,
    /// W, for the gradient of x; none without a tape.
    back: Option<Right<'a>>,
    precision: Precision,
    logits: Vec<f32>,
    gx: Vec<f32>,
    gw: Vec<f32>,
}

impl<'a> Chunks<'a> {
    fn new((n, c, v): (usize, usize, usize), w: &'a [f32], precision: Precision, taped: bool) -> Self {
        let most = head_rows(v).min(n).max(1);
        let rows = n.div_ceil(n.div_ceil(most).max(1)).max(1);
        let w = View::rows(w, c);
        let zeros = |len: usize| vec![0.0; if taped { len } else { 0 }];
        Self {
            c,
            v,
            rows,
            ahead: precision.right(w.t(), (c, v)),
            back: taped.then(|| precision.right(w, (v, c))),
            precision,
            logits: vec![0.0; rows * v],
            gx: zeros(n * c),
            gw: zeros(v * c),
        }
    }

    /// The chunk `at`, with `scale` before each target's loss.
    fn run(&mut self, at: usize, x: &[f32], targets: &[u32], scale: f32, form: HeadForm) -> LossSums {
        let (c, v, n) = (self.c, self.v, targets.len());
        let logits = &mut self.logits[..n * v];
        let x = View::rows(x, c);
        self.ahead.mm((n, v, c), logits, v, Store::Set, x, Workers::Pool);
        let losses: Vec<(f32, f32)> = logits
            .par_chunks_mut(v)
            .zip(targets)
            .map(|(row, &target)| {
                if target == IGNORE {
                    row.fill(0.0);
                    return (0.0, 0.0);
                }
                entropy(row, target, scale, form)
            })
            .collect();
        if let Some(back) = &self.back {
            let d = View::rows(logits, v);
            back.mm((n, c, v), &mut self.gx[at * self.rows * c..], c, Store::Set, d, Workers::Pool);
            let store = if at == 0 { Store::Set } else { Store::Add };
            self.precision.right(x, (n, c)).mm((v, c, n), &mut self.gw, c, store, d.t(), Workers::Pool);
        }
        let counted = targets.iter().filter(|&&t| t != IGNORE).count() as u64;
        let nll_sum = losses.iter().map(|l| f64::from(l.0)).sum();
        let squares = losses.iter().map(|l| f64::from(l.1).powi(2));
        let z_sum = if form.z_loss == 0.0 { 0.0 } else { squares.sum() };
        LossSums { nll_sum, targets: counted, z_sum }
    }
}

/// Turns the logits of a row into the gradient of `scale` times its loss; gives its negative log-likelihood and the logsumexp.
pub(super) fn entropy(row: &mut [f32], target: u32, scale: f32, form: HeadForm) -> (f32, f32) {
    let (target, z) = (target as usize, form.z_loss);
    let Some(cap) = form.cap else { return cross_entropy_row(row, target, scale, z) };
    cap_row(row, 1.0, cap);
    let capped = row.to_vec();
    let loss = cross_entropy_row(row, target, scale, z);
    uncap_grad_row(row, &capped, cap);
    loss
}
