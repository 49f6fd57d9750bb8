//! A matrix product with or without a bias.

use dfdx::prelude::*;

use super::{Weights, tensors};
use crate::kernels::{Kernels, Path, Res, T1, T2};

/// Matrix (outputs, inputs) and bias (outputs).
#[derive(Clone, Debug)]
pub(crate) struct Linear<D: Storage<f32>> {
    pub(crate) matrix: T2<D>,
    pub(crate) bias: Option<T1<D>>,
}

tensors!(Linear: matrix, bias);

impl<D: Kernels> Linear<D> {
    pub(crate) fn new(
        weights: &mut Weights<'_, D>,
        (outputs, inputs): (usize, usize),
        bias: bool,
    ) -> Res<Self, D> {
        let matrix = weights.matrix(outputs, inputs)?;
        let bias = bias.then(|| weights.vector(outputs)).transpose()?;
        Ok(Self { matrix, bias })
    }

    /// (n, inputs) to (n, outputs).
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(&self, path: Path, x: T2<D, T>) -> Res<T2<D, T>, D> {
        let y = path.linear(x, &self.matrix)?;
        match &self.bias {
            Some(bias) => path.bias(y, bias),
            None => Ok(y),
        }
    }
}
