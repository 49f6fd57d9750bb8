//! Decoding with a cache of keys and values: the same logits bit for bit whatever else is in the batch.
//!
//! Every product is a dot over a fixed number of lanes ([`project`]), so the order of its sum depends neither on
//! the number of rows nor on how a prompt is cut.

mod compact;
mod experts;
mod project;

use std::sync::Arc;

use dfdx::prelude::{Cpu, HasShape};
use rayon::prelude::*;

use crate::batch::check_ids;
use crate::blocks::{Block, FeedForward, Ffn, Linear, Norm};
use crate::kernels::activation::cpu::activate_row;
use crate::kernels::norm::cpu::norm_row;
use crate::kernels::rows::{
    Short, add_scaled, add_to, cap_row, logsumexp_row, mix_rows, rope_row, score_rows, softmax_row,
};
use crate::kernels::view;
use crate::spec::{ChunkForm, Reach};
use crate::{Model, NnError};
use compact::{Compact, Shorts, shorter};
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
    compact: Option<Arc<Compact>>,
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
        Self { model, caches: vec![empty; sequences], compact: None }
    }

    /// The same decoder with a copy of those matrices whose numbers all fit 16 bits, as they do where a model was published in bf16:
    /// half the bytes of every step, the same logits bit for bit. Worth it for many tokens.
    pub fn compact(self) -> Self {
        Self { compact: Some(Arc::new(Compact::of(self.model))), ..self }
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

    /// Makes the first `length` tokens of a sequence those of another one: what several of them begin with is computed once.
    pub fn copy(&mut self, from: usize, to: usize, length: usize) {
        if let Ok([source, target]) = self.caches.get_disjoint_mut([from, to]) {
            target.length = length.min(source.length);
            let cut = target.length * self.model.spec.kv_width();
            for ((k, v), (its_k, its_v)) in target.layers.iter_mut().zip(&source.layers) {
                for (own, its) in [(k, its_k), (v, its_v)] {
                    own.clear();
                    own.extend_from_slice(&its[..cut]);
                }
            }
        } else if from == to {
            self.truncate(to, length);
        }
    }

    /// Feeds tokens to several different sequences, together and without logits.
    pub fn fill(&mut self, items: &[(usize, &[u32])]) -> Result<(), NnError> {
        const OP: &str = "fill";
        let mut feeds = Vec::new();
        for (at, &(sequence, ids)) in items.iter().enumerate() {
            different(OP, sequence, items[..at].iter().map(|item| item.0))?;
            check_ids(OP, ids, ids.len(), self.model.spec.vocab, false)?;
            feeds.extend(self.feeds(OP, sequence, ids)?);
        }
        for block in feeds.chunks(BLOCK) {
            self.advance(block);
        }
        Ok(())
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
            different(OP, sequence, items[..at].iter().map(|item| item.0))?;
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
        let model = self.model;
        let mut x = self.embedded(feeds);
        let compact = self.compact.clone();
        for (layer, block) in model.blocks.iter().enumerate() {
            let short = compact.as_ref().and_then(|compact| compact.blocks.get(layer));
            let y = self.attend(
                (layer, short),
                block,
                feeds,
                normed(&x, &block.attention_norm).as_deref().unwrap_or(&x),
            );
            add_to(&mut x, normed(&y, &block.attention_post_norm).as_deref().unwrap_or(&y));
            let y = behind(&block.ffn, short, normed(&x, &block.ffn_norm).as_deref().unwrap_or(&x));
            add_to(&mut x, normed(&y, &block.ffn_post_norm).as_deref().unwrap_or(&y));
        }
        for f in feeds {
            self.caches[f.sequence].length = f.position + 1;
        }
        norm_rows(&x, &model.norm)
    }

    /// Rows of the embedding, scaled, with learned positions added.
    fn embedded(&self, feeds: &[Feed]) -> Vec<f32> {
        let c = self.model.spec.width;
        let table = view(&self.model.embedding);
        let mut x: Vec<f32> = feeds.iter().flat_map(|f| &table[f.id as usize * c..][..c]).copied().collect();
        if let Some(scale) = self.model.spec.embedding_scale {
            x.iter_mut().for_each(|x| *x *= scale as f32);
        }
        if let Some(table) = &self.model.positions {
            for (x, f) in x.chunks_exact_mut(c).zip(feeds) {
                add_to(x, &view(table)[f.position * c..][..c]);
            }
        }
        x
    }

    /// Queries, keys and values of the tokens; keys and values join the caches; every query attends to its
    /// sequence up to itself, as far as its block reaches.
    fn attend(
        &mut self,
        (layer, short): (usize, Option<&Shorts>),
        block: &Block<Cpu>,
        feeds: &[Feed],
        y: &[f32],
    ) -> Vec<f32> {
        let spec = &self.model.spec;
        let (d, w) = (spec.head_dim, spec.qkv_width());
        let (hd, kd) = (spec.query_width(), spec.kv_width());
        let mut qkv = linear(&block.attention.qkv, short.and_then(|s| s.qkv.as_ref()), y);
        let chunks = self.chunks(block);
        // Queries among the keys of the chunk before theirs, and of all others.
        let mut others = vec![0.0; if chunks.is_some() { feeds.len() * 2 * hd } else { 0 }];
        for (i, (x, feed)) in qkv.chunks_exact_mut(w).zip(feeds).enumerate() {
            if let Some(form) = chunks {
                let (next, far) = others[i * 2 * hd..(i + 1) * 2 * hd].split_at_mut(hd);
                next.copy_from_slice(&x[..hd]);
                far.copy_from_slice(&x[..hd]);
                self.place(block, form.next(feed.position), next);
                self.place(block, form.far(feed.position), far);
            }
            let at = chunks.map_or(feed.position, |form| form.own(feed.position));
            self.place(block, at, &mut x[..hd + kd]);
            let (keys, values) = &mut self.caches[feed.sequence].layers[layer];
            keys.extend_from_slice(&x[hd..hd + kd]);
            values.extend_from_slice(&x[hd + kd..]);
        }
        let mut out = vec![0.0; feeds.len() * hd];
        let group = spec.heads / spec.kv_heads;
        let window = if let Reach::Window(window) = spec.reach(layer) { window } else { usize::MAX };
        let caches = &self.caches;
        out.par_chunks_mut(hd).zip(qkv.par_chunks(w)).zip(feeds).enumerate().for_each(
            |(i, ((out, x), feed))| {
                let others = others.get(i * 2 * hd..(i + 1) * 2 * hd).unwrap_or_default();
                let (keys, values) = &caches[feed.sequence].layers[layer];
                let from = (feed.position + 1).saturating_sub(window);
                let (keys, values) = (&keys[from * kd..], &values[from * kd..]);
                let mut weights = vec![0.0; feed.position + 1 - from];
                let starts = chunks.map_or([0; 2], |form| form.starts(feed.position));
                let [next, own] = starts.map(|start| start.saturating_sub(from));
                for (head, out) in out.chunks_exact_mut(d).enumerate() {
                    let at = head / group * d;
                    score_rows(&x[head * d..][..d], &keys[own * kd + at..], kd, &mut weights[own..]);
                    if own > 0 {
                        let (before, far) = (&others[head * d..][..d], &others[hd + head * d..][..d]);
                        score_rows(before, &keys[next * kd + at..], kd, &mut weights[next..own]);
                        score_rows(far, &keys[at..], kd, &mut weights[..next]);
                    }
                    let mut scale = spec.scale();
                    if let Some(cap) = spec.attention_cap {
                        cap_row(&mut weights, scale, cap as f32);
                        scale = 1.0;
                    }
                    let all = weights.len();
                    softmax_row(&mut weights, 0, all, scale);
                    mix_rows(&weights, &values[at..], kd, out);
                }
            },
        );
        linear(&block.attention.output, short.and_then(|s| s.output.as_ref()), &out)
    }

    /// How the attention of a block is cut into chunks.
    fn chunks(&self, block: &Block<Cpu>) -> Option<ChunkForm> {
        self.model.spec.chunks().filter(|_| block.attention.turns)
    }

    /// Norms and turn of the queries and keys of one token.
    fn place(&self, block: &Block<Cpu>, position: usize, x: &mut [f32]) {
        let (d, attention) = (self.model.spec.head_dim, &block.attention);
        let (cos, sin) = self.model.rope.at(position);
        let heads = self.model.spec.heads;
        for (head, x) in x.chunks_exact_mut(d).enumerate() {
            let norm = if head < heads { &attention.q_norm } else { &attention.k_norm };
            for after in [false, true] {
                if after && attention.turns {
                    rope_row(x, cos, sin, 1.0);
                }
                if let Some(norm) = norm.as_ref().filter(|_| attention.norm_after == after) {
                    x.copy_from_slice(&norm_rows(x, norm));
                }
            }
        }
    }

    /// Logits of rows of the final residual stream.
    fn head(&self, x: &[f32]) -> Vec<f32> {
        let short = self.compact.as_ref().and_then(|compact| compact.head.as_ref());
        let head = shorter(short, view(self.model.head_weight()));
        let mut logits = project(x, head, self.model.spec.width);
        if let Some(cap) = self.model.spec.logit_cap {
            cap_row(&mut logits, 1.0, cap as f32);
        }
        logits
    }
}

/// Natural log of the probability that logits give to a token.
pub fn log_prob(logits: &[f32], id: u32) -> f32 {
    logits.get(id as usize).map_or(f32::NEG_INFINITY, |logit| logit - logsumexp_row(logits))
}

/// An error for a sequence that was given before.
fn different(
    op: &'static str,
    sequence: usize,
    mut before: impl Iterator<Item = usize>,
) -> Result<(), NnError> {
    let reason = || format!("sequence {sequence} is given twice");
    if before.any(|other| other == sequence) { Err(NnError::Input { op, reason: reason() }) } else { Ok(()) }
}

/// Tokens of a prompt that run together.
const BLOCK: usize = 64;

/// The rows after a norm; nothing where there is none.
fn normed(x: &[f32], norm: &Option<Norm<Cpu>>) -> Option<Vec<f32>> {
    norm.as_ref().map(|norm| norm_rows(x, norm))
}

fn norm_rows(x: &[f32], norm: &Norm<Cpu>) -> Vec<f32> {
    let (gain, bias) = (view(&norm.gain), norm.bias.as_ref().map_or(&[][..], view));
    let c = gain.len();
    let mut y = vec![0.0; x.len()];
    for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
        norm_row(x, gain, bias, y, &norm.form);
    }
    y
}

fn linear(linear: &Linear<Cpu>, short: Option<&Vec<Short>>, x: &[f32]) -> Vec<f32> {
    let (outputs, inputs) = *linear.matrix.shape();
    let mut y = project(x, shorter(short, view(&linear.matrix)), inputs);
    if let Some(bias) = &linear.bias {
        y.chunks_exact_mut(outputs).for_each(|y| add_to(y, view(bias)));
    }
    y
}

/// The feed-forward of a block, or its experts with what every token uses besides.
fn behind(ffn: &Ffn<Cpu>, short: Option<&Shorts>, x: &[f32]) -> Vec<f32> {
    let moe = match ffn {
        Ffn::Dense(dense) => return feed_forward(dense, short, x),
        Ffn::Experts(moe) => moe,
    };
    let c = moe.router.shape().1;
    let mut y = experts::routed(moe, x, c);
    if let Some(shared) = &moe.shared {
        let gates = moe.shared_gate.as_ref().map(|gate| project(x, view(gate), c));
        for (at, (y, s)) in
            y.chunks_exact_mut(c).zip(feed_forward(shared, None, x).chunks_exact(c)).enumerate()
        {
            add_scaled(y, s, gates.as_ref().map_or(1.0, |g| 1.0 / (1.0 + (-g[at]).exp())));
        }
    }
    y
}

fn feed_forward(ffn: &FeedForward<Cpu>, short: Option<&Shorts>, x: &[f32]) -> Vec<f32> {
    let up = linear(&ffn.up, short.and_then(|s| s.up.as_ref()), x);
    let (f, rows) = (ffn.form.hidden, ffn.up.matrix.shape().0);
    let mut y = vec![0.0; up.len() / rows * f];
    for (y, up) in y.chunks_exact_mut(f).zip(up.chunks_exact(rows)) {
        activate_row(ffn.form.activation, &up[..f], &up[f..], y);
    }
    linear(&ffn.down, short.and_then(|s| s.down.as_ref()), &y)
}
