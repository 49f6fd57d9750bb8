//! Output head and cross-entropy.

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;
pub(crate) mod log_probs;

use super::{Res, T0, T1, T2, linear};
use crate::{IGNORE, LossSums};
use dfdx::prelude::*;

/// What a head does with its logits besides comparing them with a target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadForm {
    /// They are bent to stay within it.
    pub cap: Option<f32>,
    /// Weight of the penalty on the squared log of the softmax's denominator (z-loss: PaLM, AFM; F2), over the bent
    /// logits of every position that counts.
    pub z_loss: f32,
}

/// The definition: whole logits, bent to stay within the cap where there is one, log-softmax, the target's entry, and the
/// squared logsumexp where it is penalised; masked positions weigh 0.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    w_vc: &T2<D>,
    targets: &[u32],
    normaliser: f64,
    form: HeadForm,
) -> Res<(T0<D, T>, LossSums), D> {
    let device = x_nc.device().clone();
    let n = targets.len();
    let index = places(targets);
    let weight: Vec<f32> =
        targets.iter().map(|&t| if t == IGNORE { 0.0 } else { (-1.0 / normaliser) as f32 }).collect();
    let logits = capped(linear::composed(x_nc, w_vc)?, form.cap)?;
    let (logits, again) = super::twice(logits);
    let logprobs = logits.try_log_softmax::<Axis<1>>()?;
    let chosen = logprobs.try_select::<(usize,), _>(device.try_tensor_from_vec(index, (n,))?)?;
    let mut sums = LossSums::default();
    for (logprob, &t) in chosen.as_vec().into_iter().zip(targets) {
        if t != IGNORE {
            sums += LossSums { nll_sum: -f64::from(logprob), targets: 1, z_sum: 0.0 };
        }
    }
    let weighted = chosen.try_mul(device.try_tensor_from_vec(weight, (n,))?)?;
    let loss = weighted.try_sum::<Rank0, Axis<0>>()?;
    if form.z_loss == 0.0 {
        return Ok((loss, sums));
    }
    let (penalty, z_sum) = z_loss(again, targets, normaliser, form.z_loss)?;
    Ok((loss.try_add(penalty)?, LossSums { z_sum, ..sums }))
}

/// The definition of the log-probability of every target: whole logits, bent to stay within the cap, log-softmax, the
/// target's entry; 0 where it is [`IGNORE`].
pub fn log_probs<D: Device<f32>, T: Tape<f32, D>>(
    x_nc: T2<D, T>,
    w_vc: &T2<D>,
    targets: &[u32],
    cap: Option<f32>,
) -> Res<T1<D, T>, D> {
    let device = x_nc.device().clone();
    let n = targets.len();
    let counts: Vec<f32> = targets.iter().map(|&t| f32::from(u8::from(t != IGNORE))).collect();
    let logprobs = capped(linear::composed(x_nc, w_vc)?, cap)?.try_log_softmax::<Axis<1>>()?;
    let chosen = logprobs.try_select::<(usize,), _>(device.try_tensor_from_vec(places(targets), (n,))?)?;
    chosen.try_mul(device.try_tensor_from_vec(counts, (n,))?)
}

/// Where the targets stand among the logits; those that do not count point anywhere.
fn places(targets: &[u32]) -> Vec<usize> {
    targets.iter().map(|&t| if t == IGNORE { 0 } else { t as usize }).collect()
}

/// Logits bent to stay within the cap.
pub(super) fn capped<D: Device<f32>, T: Tape<f32, D>>(
    logits: T2<D, T>,
    cap: Option<f32>,
) -> Res<T2<D, T>, D> {
    match cap {
        Some(cap) => logits.try_mul(1.0 / cap)?.try_tanh()?.try_mul(cap),
        None => Ok(logits),
    }
}

/// The definition of the penalty over bent logits: `weight` times the sum of squared logsumexps over `normaliser`; and
/// that sum alone. Positions whose target is [`IGNORE`] do not count.
pub(super) fn z_loss<D: Device<f32>, T: Tape<f32, D>>(
    logits: T2<D, T>,
    targets: &[u32],
    normaliser: f64,
    weight: f32,
) -> Res<(T0<D, T>, f64), D> {
    let device = logits.device().clone();
    let squares = logits.try_logsumexp::<(usize,), Axis<1>>()?.try_square()?;
    let counts = squares.as_vec().into_iter().zip(targets).filter(|(_, t)| **t != IGNORE);
    let sum = counts.map(|(square, _)| f64::from(square)).sum();
    let scale = (f64::from(weight) / normaliser) as f32;
    let weights: Vec<f32> = targets.iter().map(|&t| if t == IGNORE { 0.0 } else { scale }).collect();
    let weighted = squares.try_mul(device.try_tensor_from_vec(weights, (targets.len(),))?)?;
    Ok((weighted.try_sum::<Rank0, Axis<0>>()?, sum))
}
