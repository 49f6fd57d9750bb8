//! Causal attention inside documents and windows, with or without a cap on scores.

mod chunked;
mod composed;
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;

pub(crate) use chunked::{Chunks, chunked};
pub use composed::composed;

use dfdx::prelude::*;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::kernels::{Res, RopeTables, T2};
use crate::spec::Reach;
use crate::{Architecture, MicroBatch};

/// Sizes and scales of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// What scores are multiplied with.
    pub scale: f32,
    /// What scores are bent to stay within: `cap tanh(score / cap)`.
    pub cap: Option<f32>,
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
}

type MaskTensor<D> = Tensor<(usize, usize, usize), f32, D>;

/// Where each position of a batch stands: sizes, rotary tables, the range that it attends to. One per reach of a
/// forward pass.
pub struct Positions<D: Device<f32>> {
    pub(crate) geometry: Geometry,
    pub(crate) rope: RopeTables,
    /// For each position the first one, in its row, that it attends to: of its document, inside the window.
    pub(crate) from: Arc<[u32]>,
    /// The places of rows that are longer than the trained length.
    pub(crate) chunks: Option<Chunks<D>>,
    turns: OnceCell<Turns<D>>,
    mask: OnceCell<MaskTensor<D>>,
}

/// Cosines and sines of rotary positions on the device.
pub(crate) struct Turns<D: Device<f32>> {
    pub(crate) cos: T2<D>,
    pub(crate) sin: T2<D>,
}

impl<D: Device<f32>> Positions<D> {
    /// Positions of a batch that was checked against `spec`, for blocks of this reach.
    pub fn new(spec: &Architecture, rope: &RopeTables, batch: &MicroBatch, reach: Reach) -> Self {
        let geometry = Geometry {
            rows: batch.rows,
            length: batch.length,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
            scale: spec.scale(),
            cap: spec.attention_cap.map(|cap| cap as f32),
        };
        let window = if let Reach::Window(window) = reach { window } else { batch.length };
        let nearest = |at: usize| (at % batch.length + 1).saturating_sub(window) as u32;
        let from = batch.doc_start.iter().enumerate().map(|(at, &start)| start.max(nearest(at))).collect();
        let form = spec
            .chunks()
            .filter(|form| reach != Reach::GlobalWithoutOrder && batch.length > form.alike(spec));
        let chunks = form.map(|form| Chunks::new(form, rope, geometry));
        Self { from, chunks, ..Self::at_places(geometry, rope.clone()) }
    }

    /// Positions with these angles, of which nothing else is asked.
    fn at_places(geometry: Geometry, rope: RopeTables) -> Self {
        let (turns, mask) = (OnceCell::new(), OnceCell::new());
        Self { geometry, rope, from: [].into(), chunks: None, turns, mask }
    }

    /// Tables of the composed rotary positions, made on first use.
    pub(crate) fn turns(&self, device: &D) -> Res<&Turns<D>, D> {
        if let Some(turns) = self.turns.get() {
            return Ok(turns);
        }
        let shape = (self.geometry.length, self.rope.half);
        let table = |of: &[f32]| device.try_tensor_from_vec(of[..shape.0 * shape.1].to_vec(), shape);
        let turns = Turns { cos: table(&self.rope.cos)?, sin: table(&self.rope.sin)? };
        Ok(self.turns.get_or_init(|| turns))
    }

    /// The mask of the composed attention, made on first use: 0 inside the causal range and -1e30 elsewhere.
    pub(crate) fn mask(&self, device: &D) -> Res<&MaskTensor<D>, D> {
        if let Some(mask) = self.mask.get() {
            return Ok(mask);
        }
        let Geometry { rows, length, .. } = self.geometry;
        let mut mask = vec![-1e30; rows * length * length];
        for (at, line) in mask.chunks_exact_mut(length).enumerate() {
            line[self.from[at] as usize..=at % length].fill(0.0);
        }
        let mask = device.try_tensor_from_vec(mask, (rows, length, length))?;
        Ok(self.mask.get_or_init(|| mask))
    }
}
