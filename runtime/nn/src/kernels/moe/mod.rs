//! A mixture of experts: a router gives each token to a few of many feed-forwards (Shazeer et al. 2017).
//!
//! n tokens, c width, e experts, h hidden units of one. Weights of the experts lie end to end in one vector, of each
//! expert gate (h, c), up (h, c), down (c, h); without a gate up and down.

pub(crate) mod cpu;

use super::{Res, T0, T1, T2, activation, linear, twice};
use crate::spec::Activation;
use dfdx::prelude::*;

/// How tokens are given to experts.
#[derive(Clone, Debug)]
pub struct Routing {
    /// Experts that the router chooses from.
    pub routed: usize,
    /// Experts of one token.
    pub active: usize,
    /// Hidden units of an expert.
    pub hidden: usize,
    /// How the hidden units are bent.
    pub activation: Activation,
    /// Whether a second matrix gates them.
    pub gated: bool,
    /// Whether the probabilities of the chosen experts are scaled to sum to one.
    pub renormalise: bool,
    /// What the balance loss adds for a probability of each expert; empty without such a loss.
    pub pull: Vec<f32>,
}

impl Routing {
    /// Rows of gate and up together.
    pub(crate) fn rows(&self) -> usize {
        if self.gated { 2 * self.hidden } else { self.hidden }
    }

    /// Numbers of one expert at this width.
    pub(crate) fn size(&self, width: usize) -> usize {
        (self.rows() + self.hidden) * width
    }

    /// The experts of a token by their probabilities: the likeliest, of equals the first, in rising order.
    pub(crate) fn choose(&self, p: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[b].total_cmp(&p[a]).then(a.cmp(&b)));
        order.truncate(self.active);
        order.sort_unstable();
        order
    }

    /// What the chosen experts' outputs are multiplied with.
    pub(crate) fn weights(&self, p: &[f32], chosen: &[usize]) -> Vec<f32> {
        let sum: f32 = if self.renormalise { chosen.iter().map(|&e| p[e]).sum() } else { 1.0 };
        chosen.iter().map(|&e| p[e] / sum).collect()
    }
}

/// What the experts of a block give.
pub struct Routed<D: Device<f32>, T> {
    /// (n, c).
    pub y: T2<D, T>,
    /// The sum over the tokens of their probabilities times `pull`.
    pub balance: Option<T0<D, T>>,
    /// Tokens that each expert was given.
    pub hits: Vec<u64>,
}

/// The definition: every expert runs on every token, and what was not chosen weighs 0.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    router_ec: &T2<D>,
    experts: &T1<D>,
    routing: &Routing,
) -> Res<Routed<D, T>, D> {
    let device = x_nc.device().clone();
    let ((n, c), e) = (*x_nc.shape(), routing.routed);
    let (x, mut rest) = twice(x_nc);
    let p_ne = linear::composed(x, router_ec)?.try_softmax::<Axis<1>>()?;
    let (mut mask, mut hits) = (vec![0.0; n * e], vec![0; e]);
    for (mask, p) in mask.chunks_exact_mut(e).zip(p_ne.as_vec().chunks_exact(e)) {
        for expert in routing.choose(p) {
            mask[expert] = 1.0;
            hits[expert] += 1;
        }
    }
    let (p_ne, again) = twice(p_ne);
    let balance = if routing.pull.is_empty() {
        None
    } else {
        let pull = device.try_tensor_from_vec(routing.pull.clone(), (e,))?;
        let pull = pull.try_broadcast_like::<_, Axis<0>>(&(n, e))?;
        Some(again.try_mul(pull)?.try_sum::<Rank0, Axes2<0, 1>>()?)
    };
    let mut weights = p_ne.try_mul(device.try_tensor_from_vec(mask, (n, e))?)?;
    if routing.renormalise {
        let (w, again) = twice(weights);
        let sums = again.try_sum::<(usize,), Axis<1>>()?;
        weights = w.try_div(sums.try_broadcast_like::<_, Axis<1>>(&(n, e))?)?;
    }
    let mut sum: Option<T2<D, T>> = None;
    for expert in 0..e {
        let (x, again) = twice(rest);
        rest = again;
        let (w, again) = twice(weights);
        weights = again;
        let w = w.try_slice((.., expert..expert + 1))?.try_reshape_like(&(n,))?;
        let y = one(x, experts, routing, expert)?.try_mul(w.try_broadcast_like::<_, Axis<1>>(&(n, c))?)?;
        sum = Some(match sum {
            Some(sum) => sum.try_add(y)?,
            None => y,
        });
    }
    let y = match sum {
        Some(y) => y,
        None => rest.try_mul(0.0)?,
    };
    Ok(Routed { y, balance, hits })
}

/// One expert on all tokens.
fn one<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    experts: &T1<D>,
    routing: &Routing,
    expert: usize,
) -> Res<T2<D, T>, D> {
    let ((_, c), size) = (*x_nc.shape(), routing.size(x_nc.shape().1));
    let (start, rows) = (expert * size, routing.rows());
    let matrix = |from: usize, (outputs, inputs): (usize, usize)| -> Res<T2<D, T>, D> {
        let whole = experts.clone().put_tape(T::default());
        whole.try_slice((from..from + outputs * inputs,))?.try_reshape_like(&(outputs, inputs))
    };
    let up = matrix(start, (rows, c))?.try_permute::<_, Axes2<1, 0>>()?;
    let down = matrix(start + rows * c, (c, routing.hidden))?.try_permute::<_, Axes2<1, 0>>()?;
    let hidden = activation::composed(x_nc.try_matmul(up)?, routing.activation, routing.gated)?;
    hidden.try_matmul(down)
}
