//! Decoding with a cache of keys and values: the same logits bit for bit whatever else is in the batch.
//!
//! Every product is a dot over a fixed number of lanes ([`project`]), so the order of its sum depends neither on
//! the number of rows nor on how a prompt is cut.

mod project;

use dfdx::prelude::Cpu;
use rayon::prelude::*;

use crate::batch::check_ids;
use crate::blocks::Block;
use crate::kernels::rows::{add_scaled, add_to, dot, rms_row, rope_row, softmax_row, swiglu_row};
use crate::kernels::view;
use crate::{Model, NnError};
use project::project;

/// Keys and values of one sequence, per layer: (positions, kv width).
#[derive(Clone, Debug, Default)]
struct Cache {
    length: usize,
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

/// A model with one or more independent sequences that grow token by token.
#[derive(Clone, Debug)]
pub struct Decoder<'m> {
    model: &'m Model<Cpu>,
    caches: Vec<Cache>,
}

/// One token to feed: the sequence that it extends and its position there.
#[derive(Clone, Copy)]
struct Feed {
    sequence: usize,
    position: usize,
    id: u32,
}

impl<'m> Decoder<'m> {
    /// A decoder with one empty sequence.
    pub fn new(model: &'m Model<Cpu>) -> Self {
        Self::with_sequences(model, 1)
    }

    /// A decoder with this many empty sequences.
    pub fn with_sequences(model: &'m Model<Cpu>, sequences: usize) -> Self {
        let empty = Cache { length: 0, layers: vec![Default::default(); model.spec.layers] };
        Self { model, caches: vec![empty; sequences] }
    }

    /// Tokens that a sequence holds; 0 where there is none.
    pub fn length(&self, sequence: usize) -> usize {
        self.caches.get(sequence).map_or(0, |c| c.length)
    }

    /// Forgets all tokens of a sequence after the first `length`.
    pub fn truncate(&mut self, sequence: usize, length: usize) {
        let width = self.model.spec.kv_width();
        if let Some(cache) = self.caches.get_mut(sequence) {
            cache.length = cache.length.min(length);
            for (k, v) in &mut cache.layers {
                k.truncate(cache.length * width);
                v.truncate(cache.length * width);
            }
        }
    }

    /// Feeds tokens to sequence 0; returns the logits after the last one.
    pub fn prefill(&mut self, ids: &[u32]) -> Result<Vec<f32>, NnError> {
        self.prefill_at(0, ids)
    }

    /// Feeds tokens to a sequence; returns the logits after the last one.
    pub fn prefill_at(&mut self, sequence: usize, ids: &[u32]) -> Result<Vec<f32>, NnError> {
        const OP: &str = "prefill";
        if ids.is_empty() {
            return Err(NnError::Input { op: OP, reason: "there is no token to start from".into() });
        }
        check_ids(OP, ids, ids.len(), self.model.spec.vocab, false)?;
        let mut last = Vec::new();
        for block in ids.chunks(BLOCK) {
            last = {
                let feeds = self.feeds(OP, sequence, block)?;
                self.advance(&feeds)
            };
        }
        let width = self.model.spec.width;
        Ok(self.head(&last[last.len() - width..]))
    }

    /// Feeds one token to sequence 0; returns the logits after it.
    pub fn step(&mut self, id: u32) -> Result<Vec<f32>, NnError> {
        self.prefill_at(0, &[id])
    }

    /// Feeds one token to each of several different sequences; returns the logits of each.
    pub fn step_batch(&mut self, items: &[(usize, u32)]) -> Result<Vec<Vec<f32>>, NnError> {
        const OP: &str = "decode step";
        let mut feeds = Vec::with_capacity(items.len());
        for (at, &(sequence, id)) in items.iter().enumerate() {
            if items[..at].iter().any(|&(other, _)| other == sequence) {
                return Err(NnError::Input { op: OP, reason: format!("sequence {sequence} is given twice") });
            }
            check_ids(OP, &[id], 1, self.model.spec.vocab, false)?;
            feeds.extend(self.feeds(OP, sequence, &[id])?);
        }
        let hidden = self.advance(&feeds);
        Ok(self.head(&hidden).chunks_exact(self.model.spec.vocab).map(<[f32]>::to_vec).collect())
    }

    /// Feeds tokens to a sequence; returns the logits after each. Ids have been checked.
    pub(crate) fn extend(
        &mut self,
        op: &'static str,
        sequence: usize,
        ids: &[u32],
    ) -> Result<Vec<f32>, NnError> {
        let feeds = self.feeds(op, sequence, ids)?;
        let hidden = self.advance(&feeds);
        Ok(self.head(&hidden))
    }

    /// Places the tokens behind what the sequence holds.
    fn feeds(&self, op: &'static str, sequence: usize, ids: &[u32]) -> Result<Vec<Feed>, NnError> {
        let Some(cache) = self.caches.get(sequence) else {
            let reason = format!("sequence {sequence} of a decoder with {}", self.caches.len());
            return Err(NnError::Input { op, reason });
        };
        let (length, context) = (cache.length + ids.len(), self.model.spec.context);
        if length > context {
            return Err(NnError::Context { op, length, context });
        }
        let place = |(i, &id)| Feed { sequence, position: cache.length + i, id };
        Ok(ids.iter().enumerate().map(place).collect())
    }

    /// Runs all blocks on the tokens, extends the caches, returns the residual stream after the final norm.
    fn advance(&mut self, feeds: &[Feed]) -> Vec<f32> {
        let spec = &self.model.spec;
        let (c, eps) = (spec.width, spec.norm.eps as f32);
        let table = view(&self.model.embedding);
        let mut x: Vec<f32> = feeds.iter().flat_map(|f| &table[f.id as usize * c..][..c]).copied().collect();
        for (layer, block) in self.model.blocks.iter().enumerate() {
            let y = normed(&x, view(&block.attention_norm), eps);
            let y = self.attend(layer, block, feeds, &y);
            add_to(&mut x, &project(&y, view(&block.output), spec.query_width()));
            let y = normed(&x, view(&block.ffn_norm), eps);
            let both = project(&y, view(&block.gate_up), c);
            let f = spec.ffn.hidden;
            let mut y = vec![0.0; feeds.len() * f];
            for (y, both) in y.chunks_exact_mut(f).zip(both.chunks_exact(2 * f)) {
                swiglu_row(&both[..f], &both[f..], y);
            }
            add_to(&mut x, &project(&y, view(&block.down), f));
        }
        for f in feeds {
            self.caches[f.sequence].length = f.position + 1;
        }
        normed(&x, view(&self.model.norm), eps)
    }

    /// Queries, keys and values of the tokens; keys and values join the caches; every query attends to all of
    /// its sequence up to itself.
    fn attend(&mut self, layer: usize, block: &Block<Cpu>, feeds: &[Feed], y: &[f32]) -> Vec<f32> {
        let spec = &self.model.spec;
        let (d, w) = (spec.head_dim, spec.qkv_width());
        let (hd, kd) = (spec.query_width(), spec.kv_width());
        let mut qkv = project(y, view(&block.qkv), spec.width);
        for (x, feed) in qkv.chunks_exact_mut(w).zip(feeds) {
            let (cos, sin) = self.model.rope.at(feed.position);
            for head in x[..hd + kd].chunks_exact_mut(d) {
                rope_row(head, cos, sin, 1.0);
            }
            let (keys, values) = &mut self.caches[feed.sequence].layers[layer];
            keys.extend_from_slice(&x[hd..hd + kd]);
            values.extend_from_slice(&x[hd + kd..]);
        }
        let mut out = vec![0.0; feeds.len() * hd];
        let group = spec.heads / spec.kv_heads;
        let scale = 1.0 / (d as f32).sqrt();
        let caches = &self.caches;
        out.par_chunks_mut(hd).zip(qkv.par_chunks(w)).zip(feeds).for_each(|((out, x), feed)| {
            let (keys, values) = &caches[feed.sequence].layers[layer];
            let mut weights = vec![0.0; feed.position + 1];
            for (head, (out, q)) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)).enumerate() {
                let at = head / group * d;
                for (weight, k) in weights.iter_mut().zip(keys.chunks_exact(kd)) {
                    *weight = dot(q, &k[at..at + d]);
                }
                softmax_row(&mut weights, 0, feed.position + 1, scale);
                for (&weight, v) in weights.iter().zip(values.chunks_exact(kd)) {
                    add_scaled(out, &v[at..at + d], weight);
                }
            }
        });
        out
    }

    /// Logits of rows of the final residual stream.
    fn head(&self, x: &[f32]) -> Vec<f32> {
        project(x, view(self.model.head_weight()), self.model.spec.width)
    }
}

/// Tokens of a prompt that run together.
const BLOCK: usize = 64;

fn normed(x: &[f32], gain: &[f32], eps: f32) -> Vec<f32> {
    let c = gain.len();
    let mut y = vec![0.0; x.len()];
    for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
        rms_row(x, gain, y, eps);
    }
    y
}
