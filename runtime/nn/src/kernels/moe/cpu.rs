//! A mixture of experts on the CPU: the tokens of each expert are gathered, so that it is three matrix products.

use dfdx::prelude::*;

use super::{Routed, Routing};
use crate::kernels::Precision;
use crate::kernels::activation::cpu::{activate_grad_row, activate_row};
use crate::kernels::cpu::{take, view};
use crate::kernels::mm::{Store, View, Workers, mm, product};
use crate::kernels::rows::add_scaled;
use crate::kernels::{Res, T1, T2};

/// What an expert did in the forward pass.
pub(crate) struct Work {
    /// Its tokens, in rising order.
    pub(crate) tokens: Vec<usize>,
    /// What its output is multiplied with for each.
    pub(crate) weights: Vec<f32>,
    /// Gate and up: (tokens, rows).
    up: Vec<f32>,
    /// Bent: (tokens, hidden).
    hidden: Vec<f32>,
    /// (tokens, width).
    out: Vec<f32>,
}

/// The fused version of [`super::composed`]; the router knows 32 bits only, so that the precision decides no choice.
pub(crate) fn moe<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    router_ec: &T2<Cpu>,
    experts: &T1<Cpu>,
    routing: &Routing,
    precision: Precision,
) -> Res<Routed<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let ((n, c), e) = (*x.shape(), routing.routed);
    let mut p_ne = product((n, e, c), View::rows(view(&x), c), View::rows(view(router_ec), c).t());
    p_ne.chunks_exact_mut(e).for_each(softmax);
    let mut works = assign(&p_ne, routing);
    let mut y = vec![0.0; n * c];
    for (work, weights) in works.iter_mut().zip(view(experts).chunks_exact(routing.size(c))) {
        run(work, view(&x), weights, (routing, precision), c);
        for ((&token, &weight), out) in work.tokens.iter().zip(&work.weights).zip(work.out.chunks_exact(c)) {
            add_scaled(&mut y[token * c..][..c], out, weight);
        }
    }
    let hits = works.iter().map(|work| work.tokens.len() as u64).collect();
    let device = x.device().clone();
    let y = device.try_tensor_from_vec(y, (n, c))?;
    let balance = if routing.pull.is_empty() {
        None
    } else {
        let each = p_ne.chunks_exact(e).map(|p| dot64(p, &routing.pull));
        Some(device.try_tensor_from_vec(vec![each.sum::<f64>() as f32], ())?)
    };
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        let (router_ghost, experts_ghost) = (router_ec.ghost(), experts.ghost());
        let balance_ghost = balance.as_ref().map(Tensor::ghost);
        let (router, experts, routing) = (router_ec.clone(), experts.clone(), routing.clone());
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let pull = match &balance_ghost {
                Some(ghost) => g.get_or_alloc_mut(ghost)?[0],
                None => 0.0,
            };
            let mut dx = take(g.get_or_alloc_mut(&x_ghost)?);
            let mut dw_ne = vec![0.0; n * e];
            let gw = g.get_or_alloc_mut(&experts_ghost)?;
            let size = routing.size(c);
            let weights = view(&experts).chunks_exact(size).zip(gw.chunks_exact_mut(size));
            for (expert, (work, (weights, gw))) in works.into_iter().zip(weights).enumerate() {
                for (&token, out) in work.tokens.iter().zip(work.out.chunks_exact(c)) {
                    dw_ne[token * e + expert] = dot64(&go[token * c..][..c], out) as f32;
                }
                back(&work, view(&x), &go, (weights, gw), (&routing, precision), c, &mut dx);
            }
            let dl_ne = router_gradient(&p_ne, &dw_ne, pull, &routing);
            let (rows, dl) = (View::rows(view(&router), c), View::rows(&dl_ne, e));
            mm((n, c, e), &mut dx, c, Store::Add, dl, rows, Workers::Pool);
            **g.get_or_alloc_mut(&x_ghost)? = dx;
            let gr = g.get_or_alloc_mut(&router_ghost)?;
            mm((e, c, n), gr, c, Store::Add, dl.t(), View::rows(view(&x), c), Workers::Pool);
            Ok(())
        });
    }
    Ok(Routed { y: y.put_tape(tape), balance: balance.map(|b| b.put_tape(T::default())), hits })
}

pub(crate) fn softmax(row: &mut [f32]) {
    let most = row.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
    row.iter_mut().for_each(|x| *x = (*x - most).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

/// The tokens of each expert with their weights.
pub(crate) fn assign(p_ne: &[f32], routing: &Routing) -> Vec<Work> {
    let empty = || Work { tokens: vec![], weights: vec![], up: vec![], hidden: vec![], out: vec![] };
    let mut works: Vec<Work> = (0..routing.routed).map(|_| empty()).collect();
    for (token, p) in p_ne.chunks_exact(routing.routed).enumerate() {
        let chosen = routing.choose(p);
        for (&expert, weight) in chosen.iter().zip(routing.weights(p, &chosen)) {
            works[expert].tokens.push(token);
            works[expert].weights.push(weight);
        }
    }
    works
}

pub(crate) fn gathered(x: &[f32], tokens: &[usize], c: usize) -> Vec<f32> {
    tokens.iter().flat_map(|&token| &x[token * c..][..c]).copied().collect()
}

/// The feed-forward of one expert on its tokens.
fn run(work: &mut Work, x: &[f32], weights: &[f32], (routing, precision): (&Routing, Precision), c: usize) {
    let (m, rows, h) = (work.tokens.len(), routing.rows(), routing.hidden);
    if m == 0 {
        return;
    }
    let x_mc = gathered(x, &work.tokens, c);
    let (up, down) = weights.split_at(rows * c);
    work.up = precision.right(View::rows(up, c).t(), (c, rows)).product((m, rows, c), View::rows(&x_mc, c));
    work.hidden = vec![0.0; m * h];
    for (out, up) in work.hidden.chunks_exact_mut(h).zip(work.up.chunks_exact(rows)) {
        activate_row(routing.activation, &up[..h], &up[h..], out);
    }
    let down = precision.right(View::rows(down, h).t(), (h, c));
    work.out = down.product((m, c, h), View::rows(&work.hidden, h));
}

/// Adds the gradients of one expert's weights to `gw` and of its tokens to `dx`.
fn back(
    work: &Work,
    x: &[f32],
    go: &[f32],
    (weights, gw): (&[f32], &mut [f32]),
    (routing, precision): (&Routing, Precision),
    c: usize,
    dx: &mut [f32],
) {
    let (m, rows, h) = (work.tokens.len(), routing.rows(), routing.hidden);
    if m == 0 {
        return;
    }
    let (x_mc, mut go_mc) = (gathered(x, &work.tokens, c), gathered(go, &work.tokens, c));
    for (row, weight) in go_mc.chunks_exact_mut(c).zip(&work.weights) {
        row.iter_mut().for_each(|g| *g *= weight);
    }
    let ((up, down), (g_up, g_down)) = (weights.split_at(rows * c), gw.split_at_mut(rows * c));
    let go_mc = View::rows(&go_mc, c);
    let hidden = precision.right(View::rows(&work.hidden, h), (m, h));
    hidden.mm((c, h, m), g_down, h, Store::Add, go_mc.t(), Workers::Pool);
    let dh = precision.right(View::rows(down, h), (c, h)).product((m, h, c), go_mc);
    let mut du = vec![0.0; m * rows];
    for ((du, up), dh) in du.chunks_exact_mut(rows).zip(work.up.chunks_exact(rows)).zip(dh.chunks_exact(h)) {
        let (dg, du) = du.split_at_mut(h);
        activate_grad_row(routing.activation, &up[..h], &up[h..], dh, dg, du);
    }
    let du = View::rows(&du, rows);
    let x_mc = precision.right(View::rows(&x_mc, c), (m, c));
    x_mc.mm((rows, c, m), g_up, c, Store::Add, du.t(), Workers::Pool);
    let dx_mc = precision.right(View::rows(up, c), (rows, c)).product((m, c, rows), du);
    for (&token, row) in work.tokens.iter().zip(dx_mc.chunks_exact(c)) {
        add_scaled(&mut dx[token * c..][..c], row, 1.0);
    }
}

/// The gradient of the router's logits, from that of the weights of the chosen experts.
fn router_gradient(p_ne: &[f32], dw_ne: &[f32], pull: f32, routing: &Routing) -> Vec<f32> {
    let e = routing.routed;
    let mut dl_ne = vec![0.0; p_ne.len()];
    for ((dl, p), dw) in dl_ne.chunks_exact_mut(e).zip(p_ne.chunks_exact(e)).zip(dw_ne.chunks_exact(e)) {
        let chosen = routing.choose(p);
        let (sum, mean) = if routing.renormalise {
            let sum: f32 = chosen.iter().map(|&i| p[i]).sum();
            (sum, chosen.iter().map(|&i| dw[i] * p[i] / sum).sum())
        } else {
            (1.0, 0.0f32)
        };
        for &i in &chosen {
            dl[i] = (dw[i] - mean) / sum;
        }
        for (d, each) in dl.iter_mut().zip(&routing.pull) {
            *d += pull * each;
        }
        let mean = dot64(dl, p) as f32;
        for (d, p) in dl.iter_mut().zip(p) {
            *d = p * (*d - mean);
        }
    }
    dl_ne
}

fn dot64(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
