//! The look-up on the CPU: rows are copied, gradients added row by row in order.

use dfdx::prelude::*;

use crate::kernels::cpu::{take, view};
use crate::kernels::rows::add_to;
use crate::kernels::{Res, T2};

/// The fused version of [`super::composed`].
pub(crate) fn embed<T: Tape<f32, Cpu>>(table_vc: T2<Cpu, T>, ids: &[u32]) -> Res<T2<Cpu, T>, Cpu> {
    let (table, mut tape) = table_vc.split_tape();
    let (_, c) = *table.shape();
    let rows = view(&table);
    let out: Vec<f32> = ids.iter().flat_map(|&id| &rows[id as usize * c..][..c]).copied().collect();
    let y = table.device().try_tensor_from_vec(out, (ids.len(), c))?;
    if T::OWNS_TAPE {
        let (y_ghost, table_ghost) = (y.ghost(), table.ghost());
        let ids = ids.to_vec();
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gt = g.get_or_alloc_mut(&table_ghost)?;
            for (go, &id) in go.chunks_exact(c).zip(&ids) {
                add_to(&mut gt[id as usize * c..][..c], go);
            }
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}
