//! Head and cross-entropy by kernels in CUDA C: logits exist for one chunk of rows at a time, gradients are made in the forward
//! pass. The matrix products are dfdx's.

use dfdx::prelude::*;

use super::HeadForm;
use crate::kernels::launch::{Arg, BLOCK, Buffer, Grid, Launch, buffer, taken, tensor, zeros};
use crate::kernels::{Res, T0, T2, linear};
use crate::spec::head_rows;
use crate::{IGNORE, LossSums};

/// The fused version of [`super::composed`].
pub(crate) fn head_loss<D: Launch, T: Tape<f32, D>>(
    x_nc: T2<D, T>,
    w_vc: &T2<D>,
    targets: &[u32],
    normaliser: f64,
    form: HeadForm,
) -> Res<(T0<D, T>, LossSums), D> {
    let (x, mut tape) = x_nc.split_tape();
    let device = x.device().clone();
    let n = targets.len();
    let rows = head_rows(w_vc.shape().0).min(n).max(1);
    let scale = (1.0 / normaliser) as f32;
    let (losses, logsums) = (zeros(&device, n)?, zeros(&device, n)?);
    let mut entropy = Entropy { ids: device.upload(targets)?, losses, logsums, scale, form };
    let mut map = Gradients::leaky();
    for first in (0..n).step_by(rows) {
        let here = (first..n.min(first + rows), ..);
        if T::OWNS_TAPE {
            map = entropy.chunk(x.clone().traced(map).try_slice(here)?, w_vc, first)?;
        } else {
            let logits = linear::composed(x.clone().try_slice(here)?, w_vc)?;
            entropy.of(&device, logits, first, false)?;
        }
    }
    let mut sums = LossSums::default();
    let losses = tensor(&device, &entropy.losses, (n,))?.as_vec();
    let logsums = tensor(&device, &entropy.logsums, (n,))?.as_vec();
    for ((loss, logsum), _) in losses.into_iter().zip(logsums).zip(targets).filter(|(_, t)| **t != IGNORE) {
        let z_sum = if form.z_loss == 0.0 { 0.0 } else { f64::from(logsum).powi(2) };
        sums += LossSums { nll_sum: f64::from(loss), targets: 1, z_sum };
    }
    let loss = (sums.nll_sum + f64::from(form.z_loss) * sums.z_sum) / normaliser;
    let y = device.try_tensor_from_vec(vec![loss as f32], ())?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w_vc.ghost());
        let gx = taken(&device, map.get_or_alloc_mut(&x)?)?;
        let gw = taken(&device, map.get_or_alloc_mut(w_vc)?)?;
        tape.add_backward_op(move |g| {
            let factor = taken(&device, g.get_or_alloc_mut(&y_ghost)?)?;
            add(&device, g.get_or_alloc_mut(&x_ghost)?, &gx, &factor)?;
            add(&device, g.get_or_alloc_mut(&w_ghost)?, &gw, &factor)
        });
    }
    Ok((y.put_tape(tape), sums))
}

/// `out += factor x`.
fn add<D: Launch>(device: &D, out: &mut Buffer<D>, x: &Buffer<D>, factor: &Buffer<D>) -> Res<(), D> {
    let n = Storage::<f32>::len(device, x);
    let args = &mut [Arg::Out(out), Arg::In(x), Arg::In(factor), Arg::Size(n)];
    device.launch("add_scaled", Grid::over(n), args)
}

/// The loss of every row.
struct Entropy<D: Launch> {
    ids: D::Ids,
    losses: Buffer<D>,
    /// The logs of the softmax's denominators.
    logsums: Buffer<D>,
    /// Stands before every gradient.
    scale: f32,
    form: HeadForm,
}

impl<D: Launch> Entropy<D> {
    /// The losses of the rows from `first` on; their logits come back, as gradients where `train`.
    fn of(&mut self, device: &D, logits: T2<D>, first: usize, train: bool) -> Res<Buffer<D>, D> {
        let (rows, v) = *logits.shape();
        let mut logits = buffer(logits)?;
        let args = &mut [
            Arg::Out(&mut logits),
            Arg::Ids(&self.ids),
            Arg::Out(&mut self.losses),
            Arg::Out(&mut self.logsums),
            Arg::Size(first),
            Arg::Size(v),
            Arg::Float(self.scale),
            Arg::Float(self.form.cap.unwrap_or(0.0)),
            Arg::Float(self.form.z_loss),
            Arg::Size(usize::from(train)),
        ];
        device.launch("cross_entropy", Grid::line(rows, BLOCK), args)?;
        Ok(logits)
    }

    /// The same with gradients: on a tape that brings them to the rows and to the weights.
    fn chunk(
        &mut self,
        x_nc: T2<D, OwnedTape<f32, D>>,
        w_vc: &T2<D>,
        first: usize,
    ) -> Res<Gradients<f32, D>, D> {
        let device = x_nc.device().clone();
        let x_ghost = x_nc.ghost();
        let (logits, mut tape) = linear::composed(x_nc, w_vc)?.split_tape();
        let (ghost, again) = (logits.ghost(), logits.ghost());
        let gradient = self.of(&device, logits, first, true)?;
        tape.add_backward_op(move |g| {
            *g.get_or_alloc_mut(&ghost)? = gradient;
            Ok(())
        });
        let start: T0<D> = device.try_zeros()?;
        let mut map = start.put_tape(tape).try_backward()?;
        // The map keeps what it was given, and these have done their work.
        *map.get_or_alloc_mut(&again)? = zeros(&device, 0)?;
        *map.get_or_alloc_mut(&x_ghost)? = zeros(&device, 0)?;
        Ok(map)
    }
}
