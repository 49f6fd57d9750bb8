//! Normalisation by kernels in CUDA C: rows of a matrix, or the heads of merged queries, keys and values.

use dfdx::prelude::*;

use crate::kernels::launch::{Arg, BLOCK, Buffer, Grid, Launch, WARP, buffer, taken, tensor, zeros};
use crate::kernels::{Gains, Res, T1, T2};
use crate::spec::NormForm;

/// Threads of a block that adds up the gradients of gain and bias.
const GAINS_BLOCK: usize = 1024;

/// The fused version of [`super::composed`].
pub(crate) fn norm<D: Launch, T: Tape<f32, D>>(
    x_nc: T2<D, T>,
    gain_c: &T1<D>,
    bias_c: Option<&T1<D>>,
    form: &NormForm,
) -> Res<T2<D, T>, D> {
    let (n, c) = *x_nc.shape();
    let rows = Rows { positions: n, pieces: 1, c, stride: c, start: 0 };
    normed(x_nc, &[(rows, gain_c, bias_c)], form)
}

/// The fused version of [`crate::kernels::head_norm::composed`].
pub(crate) fn head_norm<D: Launch, T: Tape<f32, D>>(
    qkv: T2<D, T>,
    gains: Gains<'_, D>,
    (heads, kv_heads): (usize, usize),
    form: &NormForm,
) -> Res<T2<D, T>, D> {
    let (n, width) = *qkv.shape();
    let d = gains.q.0.shape().0;
    let of = |pieces, start| Rows { positions: n, pieces, c: d, stride: width, start };
    let (q, k) = ((of(heads, 0), gains.q.0, gains.q.1), (of(kv_heads, heads * d), gains.k.0, gains.k.1));
    normed(qkv, &[q, k], form)
}

/// Rows inside a matrix: `pieces` of `c` numbers from `start` on at every position; positions are `stride` apart.
#[derive(Clone, Copy)]
struct Rows {
    positions: usize,
    pieces: usize,
    c: usize,
    stride: usize,
    start: usize,
}

/// Rows with their gain and, where there is one, their bias.
type Part<'a, D> = (Rows, &'a T1<D>, Option<&'a T1<D>>);

/// The same numbers with all these rows normalised.
fn normed<D: Launch, T: Tape<f32, D>>(
    x: T2<D, T>,
    parts: &[Part<'_, D>],
    form: &NormForm,
) -> Res<T2<D, T>, D> {
    let (x, mut tape) = x.split_tape();
    let device = x.device().clone();
    let form = NormForm { bias: parts.iter().any(|(_, _, bias)| bias.is_some()), ..*form };
    let mut y = buffer(x.clone())?;
    let (mut kept, mut ghosts) = (Vec::new(), Vec::new());
    for (rows, gain, bias) in parts {
        kept.push(Kept::forward(&device, *rows, &mut y, gain, *bias, &form)?);
        ghosts.push((gain.ghost(), bias.map(|b| b.ghost())));
    }
    let y = tensor(&device, &y, *x.shape())?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        tape.add_backward_op(move |g| {
            let dy = taken(&device, g.get_or_alloc_mut(&y_ghost)?)?;
            let x = buffer(x)?;
            for (kept, (gain, bias)) in kept.iter().zip(&ghosts) {
                // One buffer of the map can be borrowed at a time.
                let mut dbias = match bias {
                    Some(bias) => taken(&device, g.get_or_alloc_mut(bias)?)?,
                    None => zeros(&device, 1)?,
                };
                kept.gains(&device, (&x, &dy), g.get_or_alloc_mut(gain)?, &mut dbias, &form)?;
                if let Some(bias) = bias {
                    *g.get_or_alloc_mut(bias)? = dbias;
                }
            }
            let dx = g.get_or_alloc_mut(&x_ghost)?;
            kept.iter().try_for_each(|kept| kept.backward(&device, (&x, &dy), dx, &form))?;
            kept.last().map_or(Ok(()), |kept| kept.rows.rest(&device, &dy, dx))
        });
    }
    Ok(y.put_tape(tape))
}

impl Rows {
    fn count(&self) -> usize {
        self.positions * self.pieces
    }

    /// Where its rows lie, as every kernel takes it.
    fn layout<'a, D: Launch>(&self) -> [Arg<'a, D>; 4] {
        [Arg::Size(self.c), Arg::Size(self.pieces), Arg::Size(self.stride), Arg::Size(self.start)]
    }

    /// Adds the gradient of what stands behind the rows.
    fn rest<D: Launch>(&self, device: &D, dy: &Buffer<D>, dx: &mut Buffer<D>) -> Res<(), D> {
        let from = self.start + self.pieces * self.c;
        let blocks = if from < self.stride { self.positions } else { 0 };
        let args = &mut [Arg::In(dy), Arg::Out(dx), Arg::Size(self.stride), Arg::Size(from)];
        device.launch("norm_rest", Grid::line(blocks, BLOCK), args)
    }
}

/// What the backward pass needs of some rows.
struct Kept<D: Launch> {
    rows: Rows,
    gain: Buffer<D>,
    /// Mean and inverse root of each row.
    stats: Buffer<D>,
}

impl<D: Launch> Kept<D> {
    /// Normalises the rows of `y` in place.
    fn forward(
        device: &D,
        rows: Rows,
        y: &mut Buffer<D>,
        gain: &T1<D>,
        bias: Option<&T1<D>>,
        form: &NormForm,
    ) -> Res<Self, D> {
        let (gain, bias) = (buffer(gain.clone())?, bias.map(|b| buffer(b.clone())).transpose()?);
        let mut stats = zeros(device, 2 * rows.count())?;
        let [c, pieces, stride, start] = rows.layout();
        let bias = Arg::In(bias.as_ref().unwrap_or(&gain));
        let (form, eps) = (bits(form), Arg::Float(form.eps as f32));
        let args = &mut [
            Arg::Out(y),
            Arg::Out(&mut stats),
            Arg::In(&gain),
            bias,
            c,
            pieces,
            stride,
            start,
            form,
            eps,
        ];
        device.launch("norm_forward", Grid::line(rows.count(), BLOCK), args)?;
        Ok(Self { rows, gain, stats })
    }

    /// Adds the gradients of gain and bias.
    fn gains(
        &self,
        device: &D,
        (x, dy): (&Buffer<D>, &Buffer<D>),
        dgain: &mut Buffer<D>,
        dbias: &mut Buffer<D>,
        form: &NormForm,
    ) -> Res<(), D> {
        let shared = 2 * GAINS_BLOCK * size_of::<f32>();
        let grid = Grid { shared, ..Grid::line(self.rows.c.div_ceil(WARP), GAINS_BLOCK) };
        let rows = Arg::Size(self.rows.count());
        let [c, pieces, stride, start] = self.rows.layout();
        let (x, stats, dy) = (Arg::In(x), Arg::In(&self.stats), Arg::In(dy));
        let (dgain, dbias) = (Arg::Out(dgain), Arg::Out(dbias));
        let args = &mut [x, stats, dy, dgain, dbias, rows, c, pieces, stride, start, bits(form)];
        device.launch("norm_gains", grid, args)
    }

    /// Adds the gradient of the rows.
    fn backward(
        &self,
        device: &D,
        (x, dy): (&Buffer<D>, &Buffer<D>),
        dx: &mut Buffer<D>,
        form: &NormForm,
    ) -> Res<(), D> {
        let [c, pieces, stride, start] = self.rows.layout();
        let (x, stats, gain) = (Arg::In(x), Arg::In(&self.stats), Arg::In(&self.gain));
        let args = &mut [x, stats, gain, Arg::In(dy), Arg::Out(dx), c, pieces, stride, start, bits(form)];
        device.launch("norm_backward", Grid::line(self.rows.count(), BLOCK), args)
    }
}

/// The form as the kernels read it.
fn bits<'a, D: Launch>(form: &NormForm) -> Arg<'a, D> {
    Arg::Size(usize::from(form.rms) + 2 * usize::from(form.offset) + 4 * usize::from(form.bias))
}
