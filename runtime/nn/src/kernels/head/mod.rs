//! Output head and cross-entropy.

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;

use super::{Res, T0, T2, linear};
use crate::{IGNORE, LossSums};
use dfdx::prelude::*;

/// The definition: whole logits, bent to stay within the cap where there is one, log-softmax, the target's entry; masked positions weigh 0.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    w_vc: &T2<D>,
    targets: &[u32],
    normaliser: f64,
    cap: Option<f32>,
) -> Res<(T0<D, T>, LossSums), D> {
    let device = x_nc.device().clone();
    let n = targets.len();
    let index: Vec<usize> = targets.iter().map(|&t| if t == IGNORE { 0 } else { t as usize }).collect();
    let weight: Vec<f32> =
        targets.iter().map(|&t| if t == IGNORE { 0.0 } else { (-1.0 / normaliser) as f32 }).collect();
    let logits = linear::composed(x_nc, w_vc)?;
    let logits = match cap {
        Some(cap) => logits.try_mul(1.0 / cap)?.try_tanh()?.try_mul(cap)?,
        None => logits,
    };
    let logprobs = logits.try_log_softmax::<Axis<1>>()?;
    let chosen = logprobs.try_select::<(usize,), _>(device.try_tensor_from_vec(index, (n,))?)?;
    let mut sums = LossSums::default();
    for (logprob, &t) in chosen.as_vec().into_iter().zip(targets) {
        if t != IGNORE {
            sums += LossSums { nll_sum: -f64::from(logprob), targets: 1 };
        }
    }
    let weighted = chosen.try_mul(device.try_tensor_from_vec(weight, (n,))?)?;
    Ok((weighted.try_sum::<Rank0, Axis<0>>()?, sums))
}
