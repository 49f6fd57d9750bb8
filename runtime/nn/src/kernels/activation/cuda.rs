//! The bend of hidden units by kernels in CUDA C.

use dfdx::prelude::*;

use crate::kernels::launch::{Arg, Grid, Launch, buffer, taken, tensor, zeros};
use crate::kernels::{Res, T2};
use crate::spec::Activation;

/// The fused version of [`super::composed`].
pub(crate) fn activate<D: Launch, T: Tape<f32, D>>(
    x: T2<D, T>,
    activation: Activation,
    gated: bool,
) -> Res<T2<D, T>, D> {
    let (x, mut tape) = x.split_tape();
    let device = x.device().clone();
    let (rows, width) = *x.shape();
    let shape = (rows, if gated { width / 2 } else { width });
    let which = match activation {
        Activation::Silu => 0,
        Activation::GeluTanh => 1,
        Activation::Gelu => 2,
        Activation::Relu2 => 3,
    };
    let n = shape.0 * shape.1;
    let sizes = move || [n, shape.1, which, usize::from(gated)].map(Arg::Size);
    let mut y = zeros(&device, n)?;
    let [count, f, form, pairs] = sizes();
    let args = &mut [Arg::In(&buffer(x.clone())?), Arg::Out(&mut y), count, f, form, pairs];
    device.launch("activate", Grid::over(n), args)?;
    let y = tensor(&device, &y, shape)?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        tape.add_backward_op(move |g| {
            let dy = taken(&device, g.get_or_alloc_mut(&y_ghost)?)?;
            let (x, dx) = (buffer(x)?, g.get_or_alloc_mut(&x_ghost)?);
            let [count, f, form, pairs] = sizes();
            let args = &mut [Arg::In(&x), Arg::In(&dy), Arg::Out(dx), count, f, form, pairs];
            device.launch("activate_backward", Grid::over(n), args)
        });
    }
    Ok(y.put_tape(tape))
}
