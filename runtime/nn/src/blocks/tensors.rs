//! Walks over the weights of a part in canonical order, for reading and for writing, and their making.

use dfdx::prelude::*;

use crate::kernels::{Res, T1, T2};

/// One stored tensor; merged ones hold several parameters that follow each other in canonical order.
pub(crate) enum Stored<V, M> {
    Vector(V),
    Matrix(M),
}

/// What holds tensors.
pub(crate) trait Tensors<D: Storage<f32>> {
    /// Lists every tensor in canonical order.
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>);
    /// Lists every tensor in canonical order, for writing.
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>);
}

impl<D: Storage<f32>> Tensors<D> for T1<D> {
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>) {
        all.push(Stored::Vector(self));
    }
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
        all.push(Stored::Vector(self));
    }
}

impl<D: Storage<f32>> Tensors<D> for T2<D> {
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>) {
        all.push(Stored::Matrix(self));
    }
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
        all.push(Stored::Matrix(self));
    }
}

impl<D: Storage<f32>, X: Tensors<D>> Tensors<D> for Option<X> {
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>) {
        self.iter().for_each(|x| x.list(all));
    }
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
        self.iter_mut().for_each(|x| x.list_mut(all));
    }
}

impl<D: Storage<f32>, X: Tensors<D>> Tensors<D> for Vec<X> {
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>) {
        self.iter().for_each(|x| x.list(all));
    }
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
        self.iter_mut().for_each(|x| x.list_mut(all));
    }
}

/// States the fields of a part that hold tensors, in canonical order.
macro_rules! tensors {
    ($Part:ident: $($field:ident),* $(,)?) => {
        impl<D: Storage<f32>> $crate::blocks::Tensors<D> for $Part<D> {
            fn list<'a>(&'a self, all: &mut Vec<$crate::blocks::Stored<&'a T1<D>, &'a T2<D>>>) {
                $( self.$field.list(all); )*
            }
            fn list_mut<'a>(&'a mut self, all: &mut Vec<$crate::blocks::Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
                $( self.$field.list_mut(all); )*
            }
        }
    };
}

pub(crate) use tensors;

/// All parameters end to end in canonical order, handed out tensor by tensor.
pub(crate) struct Weights<'a, D> {
    device: &'a D,
    rest: &'a [f32],
}

impl<'a, D: Device<f32>> Weights<'a, D> {
    /// The parameters of a model, as many as it has.
    pub(crate) fn new(device: &'a D, flat: &'a [f32]) -> Self {
        Self { device, rest: flat }
    }

    fn take(&mut self, n: usize) -> Vec<f32> {
        let (head, tail) = self.rest.split_at(n);
        self.rest = tail;
        head.to_vec()
    }

    /// The next `n` as a vector.
    pub(crate) fn vector(&mut self, n: usize) -> Res<T1<D>, D> {
        self.device.try_tensor_from_vec(self.take(n), (n,))
    }

    /// The next as a matrix of `outputs` rows.
    pub(crate) fn matrix(&mut self, outputs: usize, inputs: usize) -> Res<T2<D>, D> {
        self.device.try_tensor_from_vec(self.take(outputs * inputs), (outputs, inputs))
    }
}
