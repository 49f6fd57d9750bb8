//! Rotary positions by a kernel in CUDA C.

use dfdx::prelude::*;

use crate::kernels::attention::Geometry;
use crate::kernels::launch::{Arg, BLOCK, Buffer, Grid, Launch, buffer, taken, tensor, zeros};
use crate::kernels::{Positions, Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn rope<D: Launch, T: Tape<f32, D>>(qkv: T2<D, T>, positions: &Positions<D>) -> Res<T2<D, T>, D> {
    let (qkv, mut tape) = qkv.split_tape();
    let device = qkv.device().clone();
    let turns = positions.turns(&device)?;
    let turn = Turn {
        geometry: positions.geometry,
        cosines: buffer(turns.cos.clone())?,
        sines: buffer(turns.sin.clone())?,
    };
    let (shape, qkv_ghost) = (*qkv.shape(), qkv.ghost());
    let mut out = zeros(&device, shape.0 * shape.1)?;
    turn.add(&device, &mut out, &buffer(qkv)?, 1.0)?;
    let y = tensor(&device, &out, shape)?;
    if T::OWNS_TAPE {
        let y_ghost = y.ghost();
        tape.add_backward_op(move |g| {
            let dy = taken(&device, g.get_or_alloc_mut(&y_ghost)?)?;
            turn.add(&device, g.get_or_alloc_mut(&qkv_ghost)?, &dy, -1.0)
        });
    }
    Ok(y.put_tape(tape))
}

/// The angles of every position.
struct Turn<D: Launch> {
    geometry: Geometry,
    cosines: Buffer<D>,
    sines: Buffer<D>,
}

impl<D: Launch> Turn<D> {
    /// `out += x` with queries and keys turned; back where `sign` is -1.
    fn add(&self, device: &D, out: &mut Buffer<D>, x: &Buffer<D>, sign: f32) -> Res<(), D> {
        let Geometry { rows, length, heads, kv_heads, head_dim, .. } = self.geometry;
        let args = &mut [
            Arg::Out(out),
            Arg::In(x),
            Arg::In(&self.cosines),
            Arg::In(&self.sines),
            Arg::Size(length),
            Arg::Size(heads + kv_heads),
            Arg::Size(head_dim),
            Arg::Size(self.geometry.qkv_width()),
            Arg::Float(sign),
        ];
        device.launch("rope", Grid::line(rows * length, BLOCK), args)
    }
}
