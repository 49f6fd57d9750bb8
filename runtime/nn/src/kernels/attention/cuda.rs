//! Attention by kernels in CUDA C.

use dfdx::prelude::*;

use super::{Geometry, Positions};
use crate::kernels::launch::{
    Arg, BLOCK, Buffer, Grid, Launch, SHARED_BYTES, WARP, buffer, taken, tensor, zeros,
};
use crate::kernels::{Res, T2};

/// Positions that a warp owns.
const OWN: usize = 4;

/// The widest head that the kernels take.
#[cfg(feature = "cuda")]
pub(crate) const WIDEST: usize = 256;

/// The fused version of [`super::composed`], for heads up to 256 wide.
pub(crate) fn attention<D: Launch, T: Tape<f32, D>>(
    qkv: T2<D, T>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let (qkv, mut tape) = qkv.split_tape();
    let device = qkv.device().clone();
    let job = Job { geometry: positions.geometry, from: device.upload(&positions.from)? };
    let Geometry { rows, length, heads, head_dim, .. } = job.geometry;
    let (qkv_ghost, qkv) = (qkv.ghost(), buffer(qkv)?);
    let (out, lse) = job.forward(&device, &qkv)?;
    let y = tensor(&device, &out, (rows * length, heads * head_dim))?;
    if T::OWNS_TAPE {
        let (y_ghost, saved) = (y.ghost(), y.clone());
        tape.add_backward_op(move |g| {
            let dout = taken(&device, g.get_or_alloc_mut(&y_ghost)?)?;
            let delta = job.delta(&device, &dout, &buffer(saved)?)?;
            job.backward(&device, [&qkv, &dout, &lse, &delta], g.get_or_alloc_mut(&qkv_ghost)?)
        });
    }
    Ok(y.put_tape(tape))
}

/// An attention, with the first position that each one sees.
struct Job<D: Launch> {
    geometry: Geometry,
    from: D::Ids,
}

impl<D: Launch> Job<D> {
    /// The kernel for a head's width, of those named for 1, 2, 4 and 8 times 32 columns.
    fn kernel(&self, names: [&'static str; 4]) -> &'static str {
        let columns = self.geometry.head_dim.div_ceil(WARP);
        names[columns.next_power_of_two().trailing_zeros() as usize]
    }

    /// Tiles of owned positions for `heads` of every row; a warp keeps its rows `sets` times. As many warps share a tile
    /// of the other side as the shared memory holds.
    fn grid(&self, heads: usize, sets: usize) -> Grid {
        let Geometry { rows, length, head_dim: d, .. } = self.geometry;
        let bytes = |warps: usize| (WARP * d + warps * OWN * (sets * d + WARP)) * size_of::<f32>();
        let warps = [8, 4, 2].into_iter().find(|w| bytes(*w) <= SHARED_BYTES).unwrap_or(1);
        let blocks = [length.div_ceil(warps * OWN), heads, rows];
        Grid { blocks, threads: warps * WARP, shared: bytes(warps) }
    }

    /// The sizes and scales, as every kernel over tiles takes them.
    fn sizes<'a>(&self) -> [Arg<'a, D>; 6] {
        let Geometry { length, heads, kv_heads, head_dim, scale, cap, .. } = self.geometry;
        let [length, heads, kv_heads, d] = [length, heads, kv_heads, head_dim].map(Arg::Size);
        [length, heads, kv_heads, d, Arg::Float(scale), Arg::Float(cap.unwrap_or(0.0))]
    }

    /// Positions times heads.
    fn queries(&self) -> usize {
        self.geometry.rows * self.geometry.length * self.geometry.heads
    }

    /// Outputs (n, h d) and logsumexps (n, h).
    fn forward(&self, device: &D, qkv: &Buffer<D>) -> Res<(Buffer<D>, Buffer<D>), D> {
        let mut out = zeros(device, self.queries() * self.geometry.head_dim)?;
        let mut lse = zeros(device, self.queries())?;
        let kernel = self.kernel([
            "attention_forward_1",
            "attention_forward_2",
            "attention_forward_4",
            "attention_forward_8",
        ]);
        let buffers = [Arg::In(qkv), Arg::Ids(&self.from), Arg::Out(&mut out), Arg::Out(&mut lse)];
        let mut args: Vec<Arg<'_, D>> = buffers.into_iter().chain(self.sizes()).collect();
        device.launch(kernel, self.grid(self.geometry.heads, 1), &mut args)?;
        drop(args);
        Ok((out, lse))
    }

    /// The product of each output with its gradient.
    fn delta(&self, device: &D, dout: &Buffer<D>, out: &Buffer<D>) -> Res<Buffer<D>, D> {
        let count = self.queries();
        let mut delta = zeros(device, count)?;
        let args = &mut [
            Arg::In(dout),
            Arg::In(out),
            Arg::Out(&mut delta),
            Arg::Size(count),
            Arg::Size(self.geometry.head_dim),
        ];
        device.launch("attention_delta", Grid::line(count.div_ceil(BLOCK / WARP), BLOCK), args)?;
        Ok(delta)
    }

    /// Adds to the gradient of the merged q k v.
    fn backward(&self, device: &D, saved: [&Buffer<D>; 4], dqkv: &mut Buffer<D>) -> Res<(), D> {
        let queries = self.kernel([
            "attention_backward_queries_1",
            "attention_backward_queries_2",
            "attention_backward_queries_4",
            "attention_backward_queries_8",
        ]);
        let keys = self.kernel([
            "attention_backward_keys_1",
            "attention_backward_keys_2",
            "attention_backward_keys_4",
            "attention_backward_keys_8",
        ]);
        for (kernel, heads) in [(queries, self.geometry.heads), (keys, self.geometry.kv_heads)] {
            let [qkv, dout, lse, delta] = saved.map(Arg::In);
            let buffers = [qkv, Arg::Ids(&self.from), dout, lse, delta, Arg::Out(&mut *dqkv)];
            let mut args: Vec<Arg<'_, D>> = buffers.into_iter().chain(self.sizes()).collect();
            device.launch(kernel, self.grid(heads, 2), &mut args)?;
        }
        Ok(())
    }
}
