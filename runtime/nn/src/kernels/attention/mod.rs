//! Rotary positions and causal attention inside documents.

mod composed;
pub(crate) mod cpu;

pub use composed::composed;

use dfdx::prelude::*;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::kernels::{Res, T2};
use crate::spec::Order;
use crate::{Architecture, MicroBatch};

/// Cosine and sine of every position and pair: `angle = position * base^(-2i / head_dim)` (Su et al. 2021).
#[derive(Clone, Debug)]
pub struct RopeTables {
    /// Entries of a position: half the head width.
    pub(crate) half: usize,
    pub(crate) cos: Arc<[f32]>,
    pub(crate) sin: Arc<[f32]>,
}

impl RopeTables {
    /// Tables for all positions of a model, angles in f64.
    pub fn new(spec: &Architecture) -> Self {
        let half = spec.head_dim / 2;
        let base = if let Order::Rotary(rotary) = &spec.order { rotary.base } else { 1.0 };
        let angles = (0..spec.context * half).map(|at| {
            let (position, pair) = (at / half, at % half);
            let frequency = base.powf(-2.0 * pair as f64 / spec.head_dim as f64);
            position as f64 * frequency
        });
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip();
        Self { half, cos: cos.into(), sin: sin.into() }
    }

    /// The entries of one position.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// Sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Sequences.
    pub rows: usize,
    /// Positions of each.
    pub length: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

impl Geometry {
    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Width of the merged queries, keys and values.
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// What scores are multiplied with: `1 / sqrt(head_dim)`.
    pub fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

type MaskTensor<D> = Tensor<(usize, usize, usize), f32, D>;

/// Where each position of a batch stands: sizes, rotary tables, document ranges. One per forward pass.
pub struct Positions<D: Device<f32>> {
    pub(crate) geometry: Geometry,
    pub(crate) rope: RopeTables,
    pub(crate) doc_start: Arc<[u32]>,
    tensors: OnceCell<DeviceTables<D>>,
}

/// What the composed definition needs on the device.
pub(crate) struct DeviceTables<D: Device<f32>> {
    pub(crate) cos: T2<D>,
    pub(crate) sin: T2<D>,
    pub(crate) mask: MaskTensor<D>,
}

impl<D: Device<f32>> Positions<D> {
    /// Positions of a batch that was checked against `spec`.
    pub fn new(spec: &Architecture, rope: &RopeTables, batch: &MicroBatch) -> Self {
        let geometry = Geometry {
            rows: batch.rows,
            length: batch.length,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
        };
        let doc_start = batch.doc_start.as_slice().into();
        Self { geometry, rope: rope.clone(), doc_start, tensors: OnceCell::new() }
    }

    /// Device tables, made on first use: the mask is 0 inside a document's causal range and -1e30 elsewhere.
    pub(crate) fn tensors(&self, device: &D) -> Res<&DeviceTables<D>, D> {
        if let Some(tables) = self.tensors.get() {
            return Ok(tables);
        }
        let Geometry { rows, length, .. } = self.geometry;
        let half = self.rope.half;
        let mut mask = vec![-1e30; rows * length * length];
        for (at, line) in mask.chunks_exact_mut(length).enumerate() {
            line[self.doc_start[at] as usize..=at % length].fill(0.0);
        }
        let tables = DeviceTables {
            cos: device.try_tensor_from_vec(self.rope.cos[..length * half].to_vec(), (length, half))?,
            sin: device.try_tensor_from_vec(self.rope.sin[..length * half].to_vec(), (length, half))?,
            mask: device.try_tensor_from_vec(mask, (rows, length, length))?,
        };
        Ok(self.tensors.get_or_init(|| tables))
    }
}
