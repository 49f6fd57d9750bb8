//! Flat views of the parameters in canonical order: logical matrices, also where storage is merged.

use dfdx::prelude::*;

use super::Model;
use crate::NnError;
use crate::blocks::Stored;
use crate::kernels::{Kernels, view, view_mut};

impl<D: Kernels> Model<D> {
    /// A copy of all parameters, end to end in canonical order, from any device.
    pub fn to_flat(&self) -> Vec<f32> {
        let mut flat = Vec::new();
        for tensor in self.stored() {
            match tensor {
                Stored::Vector(t) => flat.extend(t.as_vec()),
                Stored::Matrix(t) => flat.extend(t.as_vec()),
            }
        }
        flat
    }

    /// Replaces all parameters, on any device.
    pub fn set_flat(&mut self, flat: &[f32]) -> Result<(), NnError> {
        let (path, recompute) = (self.path, self.recompute);
        *self = Self::from_flat(self.device.clone(), self.spec.clone(), flat)?
            .with_path(path)
            .with_recompute(recompute);
        Ok(())
    }

    /// The same weights on another device.
    pub fn to_device<E: Kernels>(&self, device: E) -> Result<Model<E>, NnError> {
        Ok(Model::from_flat(device, self.spec.clone(), &self.to_flat())?
            .with_path(self.path)
            .with_recompute(self.recompute))
    }
}

impl Model<Cpu> {
    /// Every parameter as `spec().params()` lists them, without a copy.
    pub fn params(&self) -> Vec<&[f32]> {
        let slices = self.stored().into_iter().map(|tensor| match tensor {
            Stored::Vector(t) => view(t),
            Stored::Matrix(t) => view(t),
        });
        let mut counts = self.counts().into_iter();
        let mut all = Vec::new();
        for mut rest in slices {
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(counts.next().unwrap_or(rest.len()));
                all.push(head);
                rest = tail;
            }
        }
        all
    }

    /// Every parameter as `spec().params()` lists them, for writing in place.
    pub fn params_mut(&mut self) -> Vec<&mut [f32]> {
        let mut counts = self.counts().into_iter();
        let mut all = Vec::new();
        for tensor in self.stored_mut() {
            let mut rest = match tensor {
                Stored::Vector(t) => view_mut(t),
                Stored::Matrix(t) => view_mut(t),
            };
            while !rest.is_empty() {
                let (head, tail) = rest.split_at_mut(counts.next().unwrap_or(rest.len()));
                all.push(head);
                rest = tail;
            }
        }
        all
    }

    fn counts(&self) -> Vec<usize> {
        self.spec.params().iter().map(|p| p.count()).collect()
    }
}
