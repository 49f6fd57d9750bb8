//! The gated activation of the feed-forward (Shazeer 2020).

pub(crate) mod cpu;

use super::{Res, T2, twice};
use dfdx::prelude::*;

/// The definition: `gate * sigmoid(gate) * up`, with gate and up side by side in (n, 2f).
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(gate_up: T2<D, T>) -> Res<T2<D, T>, D> {
    let (_, both) = *gate_up.shape();
    let hidden = both / 2;
    let (left, right) = twice(gate_up);
    let gate = left.try_slice((.., 0..hidden))?;
    let up = right.try_slice((.., hidden..both))?;
    let (gate, again) = twice(gate);
    gate.try_mul(again.try_sigmoid()?)?.try_mul(up)
}
