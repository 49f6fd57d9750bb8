//! The matrix product on the CPU.

use dfdx::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::mm::{Store, View, Workers, mm, product};
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn linear<T: Tape<f32, Cpu>>(x_nc: T2<Cpu, T>, w_oc: &T2<Cpu>) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = x_nc.split_tape();
    let ((n, c), (o, _)) = (*x.shape(), *w_oc.shape());
    let out = product((n, o, c), View::rows(view(&x), c), View::rows(view(w_oc), c).t());
    let y = x.device().try_tensor_from_vec(out, (n, o))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w_oc.ghost());
        let w = w_oc.clone();
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let go = View::rows(&go, o);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            mm((n, c, o), gx, c, Store::Add, go, View::rows(view(&w), c), Workers::Pool);
            let gw = g.get_or_alloc_mut(&w_ghost)?;
            mm((o, c, n), gw, c, Store::Add, go.t(), View::rows(view(&x), c), Workers::Pool);
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
