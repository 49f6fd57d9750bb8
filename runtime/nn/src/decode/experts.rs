//! A mixture of experts in decoding: the tokens of each expert run together, and no token's numbers depend on the others.

use dfdx::prelude::Cpu;

use super::project::project;
use crate::blocks::Moe;
use crate::kernels::activation::cpu::activate_row;
use crate::kernels::moe::cpu::{assign, gathered, softmax};
use crate::kernels::rows::add_scaled;
use crate::kernels::view;

/// What the routed experts of a block give for these rows.
pub(super) fn routed(moe: &Moe<Cpu>, x: &[f32], c: usize) -> Vec<f32> {
    let (routing, rows) = (&moe.routing, moe.routing.rows());
    let (e, h) = (routing.routed, routing.hidden);
    let mut p_ne = project(x, view(&moe.router), c);
    p_ne.chunks_exact_mut(e).for_each(softmax);
    let mut y = vec![0.0; x.len()];
    for (work, weights) in assign(&p_ne, routing).iter().zip(view(&moe.experts).chunks_exact(routing.size(c)))
    {
        if work.tokens.is_empty() {
            continue;
        }
        let (up, down) = weights.split_at(rows * c);
        let up = project(&gathered(x, &work.tokens, c), up, c);
        let mut hidden = vec![0.0; work.tokens.len() * h];
        for (out, up) in hidden.chunks_exact_mut(h).zip(up.chunks_exact(rows)) {
            activate_row(routing.activation, &up[..h], &up[h..], out);
        }
        let out = project(&hidden, down, h);
        for ((&token, &weight), out) in work.tokens.iter().zip(&work.weights).zip(out.chunks_exact(c)) {
            add_scaled(&mut y[token * c..][..c], out, weight);
        }
    }
    y
}
