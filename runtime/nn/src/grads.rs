//! Gradients of one optimizer step: one flat buffer in the canonical order of parameters.

use std::ops::Range;

use crate::Architecture;

/// Accumulates over micro-batches. Entry `i` belongs to `spec.params()[i]`, logical matrices also where the
/// model stores them merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    flat: Vec<f32>,
    ranges: Vec<Range<usize>>,
}

impl Grads {
    /// Zeros for every parameter.
    pub fn zeros(spec: &Architecture) -> Self {
        let mut end = 0;
        let ranges: Vec<_> = spec
            .params()
            .iter()
            .map(|p| {
                let start = end;
                end += p.count();
                start..end
            })
            .collect();
        Self { flat: vec![0.0; end], ranges }
    }

    /// Back to zeros, without a new allocation.
    pub fn clear(&mut self) {
        self.flat.fill(0.0);
    }

    /// All gradients, end to end.
    pub fn flat(&self) -> &[f32] {
        &self.flat
    }

    /// All gradients, for clipping and scaling.
    pub fn flat_mut(&mut self) -> &mut [f32] {
        &mut self.flat
    }

    /// Number of parameters (tensors).
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Gradient of parameter `i`; panics when there is none, as a slice does.
    pub fn get(&self, i: usize) -> &[f32] {
        &self.flat[self.ranges[i].clone()]
    }

    /// Gradient of parameter `i`, to add to; panics when there is none, as a slice does.
    pub fn get_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.flat[self.ranges[i].clone()]
    }

    /// Gradients in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.ranges.iter().map(|r| &self.flat[r.clone()])
    }

    /// The first parameter that holds a NaN or an infinity.
    pub fn first_not_finite(&self) -> Option<usize> {
        self.iter().position(|g| g.iter().any(|x| !x.is_finite()))
    }
}
