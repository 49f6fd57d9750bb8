//! Look-up of embedding rows.

pub(crate) mod cpu;

use super::{Res, T2};
use dfdx::prelude::*;

/// The definition: a gather of rows. Ids must lie below the table's rows.
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(table_vc: T2<D, T>, ids: &[u32]) -> Res<T2<D, T>, D> {
    let index: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
    let index = table_vc.device().try_tensor_from_vec(index, (ids.len(),))?;
    table_vc.try_gather::<(usize, usize), _>(index)
}
