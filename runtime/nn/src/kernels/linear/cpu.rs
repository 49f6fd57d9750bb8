//! The matrix product on the CPU.

use dfdx::prelude::*;

use crate::Precision;
use crate::kernels::cpu::{take, view};
use crate::kernels::mm::{Store, View, Workers};
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn linear<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    w_oc: &T2<Cpu>,
    precision: Precision,
) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let ((n, c), (o, _)) = (*x.shape(), *w_oc.shape());
    let w = precision.right(View::rows(view(w_oc), c).t(), (c, o));
    let out = w.product((n, o, c), View::rows(view(&x), c));
    let y = x.device().try_tensor_from_vec(out, (n, o))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w_oc.ghost());
        let w = w_oc.clone();
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let go = View::rows(&go, o);
            let w = precision.right(View::rows(view(&w), c), (o, c));
            w.mm((n, c, o), g.get_or_alloc_mut(&x_ghost)?, c, Store::Add, go, Workers::Pool);
            let x = precision.right(View::rows(view(&x), c), (n, c));
            x.mm((o, c, n), g.get_or_alloc_mut(&w_ghost)?, c, Store::Add, go.t(), Workers::Pool);
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
