//! A norm of the residual stream or of heads.

use dfdx::prelude::*;

use super::{Weights, tensors};
use crate::kernels::{Kernels, Path, Res, T1, T2};
use crate::spec::NormForm;

/// Its gain and, where the form has one, its bias: both as wide as what is normalised.
#[derive(Clone, Debug)]
pub(crate) struct Norm<D: Storage<f32>> {
    pub(crate) gain: T1<D>,
    pub(crate) bias: Option<T1<D>>,
    pub(crate) form: NormForm,
}

tensors!(Norm: gain, bias);

impl<D: Kernels> Norm<D> {
    pub(crate) fn new(weights: &mut Weights<'_, D>, form: NormForm, width: usize) -> Res<Self, D> {
        let gain = weights.vector(width)?;
        let bias = form.bias.then(|| weights.vector(width)).transpose()?;
        Ok(Self { gain, bias, form })
    }

    /// (n, width) to the same.
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(&self, path: Path, x: T2<D, T>) -> Res<T2<D, T>, D> {
        path.norm(x, &self.gain, self.bias.as_ref(), &self.form)
    }
}
