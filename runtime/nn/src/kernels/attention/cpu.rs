//! Attention on the CPU: tiles of queries against the keys of their documents, never a whole score matrix.
//!
//! Legend: b rows, t positions, h query heads, k key heads, d head width, w width of merged q k v. A task of the
//! forward pass is one tile of one row, all heads; a task of the backward pass is one key head of one row with
//! the query heads that share it. Scratch is linear in the context, and only a logsumexp per head is saved.

use dfdx::prelude::*;
use rayon::prelude::*;
use std::sync::Arc;

use super::{Geometry, Positions};
use crate::kernels::cpu::{take, view};
use crate::kernels::mm::{Store, View, Workers, mm};
use crate::kernels::rows::{
    ROWS, add_to, cap_row, capped_grad_row, dot, score_grad_row, softmax_again_row, softmax_row,
};
use crate::kernels::{Res, T2};

/// Query positions of a tile.
const TILE: usize = 64;

/// The fused version of [`super::composed`].
pub(crate) fn attention<T: Tape<f32, Cpu>>(
    qkv: T2<Cpu, T>,
    positions: &Positions<Cpu>,
) -> Res<T2<Cpu, T>, Cpu> {
    let (qkv, mut tape) = qkv.split_tape();
    let device = qkv.device().clone();
    let job = Job { geometry: positions.geometry, from: Arc::clone(&positions.from) };
    let Geometry { rows, length, heads, head_dim, .. } = job.geometry;
    let (out, logsumexp) = job.forward(view(&qkv));
    let y = device.try_tensor_from_vec(out, (rows * length, heads * head_dim))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, saved) = (y.ghost(), qkv.ghost(), y.clone());
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let parts = job.backward(view(&qkv), view(&saved), &logsumexp, &go);
            drop(go);
            job.scatter(&parts, g.get_or_alloc_mut(&x_ghost)?);
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

struct Job {
    geometry: Geometry,
    from: Arc<[u32]>,
}

/// A tile of queries and the keys that any of them attends to, as positions in its row.
struct Tile {
    first: usize,
    queries: usize,
    keys_from: usize,
    keys: usize,
}

impl Job {
    fn starts(&self, row: usize) -> &[u32] {
        &self.from[row * self.geometry.length..][..self.geometry.length]
    }

    fn tile(&self, row: usize, first: usize) -> Tile {
        let queries = TILE.min(self.geometry.length - first);
        let keys_from = self.starts(row)[first] as usize;
        Tile { first, queries, keys_from, keys: first + queries - keys_from }
    }

    /// The part of a tile's keys that query `i` of it attends to.
    fn span(&self, row: usize, tile: &Tile, i: usize) -> (usize, usize) {
        let position = tile.first + i;
        (self.starts(row)[position] as usize - tile.keys_from, position + 1 - tile.keys_from)
    }

    /// Outputs (n, h d) and logsumexps (n, h).
    fn forward(&self, qkv: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let Geometry { rows, length, heads, kv_heads, head_dim: d, scale, cap } = self.geometry;
        let (w, hd) = (self.geometry.qkv_width(), heads * d);
        let mut out = vec![0.0; rows * length * hd];
        let mut logsumexp = vec![0.0; rows * length * heads];
        let row_chunks =
            out.par_chunks_mut((length * hd).max(1)).zip(logsumexp.par_chunks_mut((length * heads).max(1)));
        row_chunks.enumerate().for_each(|(row, (out, logsumexp))| {
            let x = &qkv[row * length * w..][..length * w];
            let tiles = out.par_chunks_mut(TILE * hd).zip(logsumexp.par_chunks_mut(TILE * heads));
            tiles.enumerate().for_each(|(at, (out, logsumexp))| {
                let tile = self.tile(row, at * TILE);
                let mut scores = vec![0.0; tile.queries * tile.keys];
                for head in 0..heads {
                    let kv = head / self.geometry.group();
                    let q = View::rows(&x[tile.first * w + head * d..], w);
                    let k = View::rows(&x[tile.keys_from * w + (heads + kv) * d..], w);
                    let v = View::rows(&x[tile.keys_from * w + (heads + kv_heads + kv) * d..], w);
                    let shape = (tile.queries, tile.keys, d);
                    mm(shape, &mut scores, tile.keys, Store::Set, q, k.t(), Workers::One);
                    for (i, s) in scores.chunks_exact_mut(tile.keys).enumerate() {
                        let (from, to) = self.span(row, &tile, i);
                        let scale = match cap {
                            Some(cap) => {
                                cap_row(&mut s[from..to], scale, cap);
                                1.0
                            }
                            None => scale,
                        };
                        logsumexp[i * heads + head] = softmax_row(s, from, to, scale);
                    }
                    let p = View::rows(&scores, tile.keys);
                    let shape = (tile.queries, d, tile.keys);
                    mm(shape, &mut out[head * d..], hd, Store::Set, p, v, Workers::One);
                }
            });
        });
        (out, logsumexp)
    }

    /// Gradients of q k v, one part per row and key head: (t, group + 2, d) with the group's queries,
    /// the key, the value.
    fn backward(&self, qkv: &[f32], out: &[f32], logsumexp: &[f32], go: &[f32]) -> Vec<Vec<f32>> {
        let Geometry { rows, kv_heads, .. } = self.geometry;
        let tasks = (0..rows * kv_heads).into_par_iter();
        tasks.map(|task| self.backward_part(task, qkv, out, logsumexp, go)).collect()
    }

    fn backward_part(
        &self,
        task: usize,
        qkv: &[f32],
        out: &[f32],
        logsumexp: &[f32],
        go: &[f32],
    ) -> Vec<f32> {
        let Geometry { length, heads, kv_heads, head_dim: d, scale, cap, .. } = self.geometry;
        let (row, kv) = (task / kv_heads, task % kv_heads);
        let (w, hd, group) = (self.geometry.qkv_width(), heads * d, self.geometry.group());
        let part_width = (group + 2) * d;
        let x = &qkv[row * length * w..][..length * w];
        let (out, go) = (&out[row * length * hd..], &go[row * length * hd..]);
        let mut part = vec![0.0; length * part_width];
        let (mut weights, mut grads) = (Vec::new(), Vec::new());
        for first in (0..length).step_by(TILE) {
            let tile = self.tile(row, first);
            let (n, m) = (tile.queries, tile.keys);
            weights.resize(n * m, 0.0);
            grads.resize(n * m, 0.0);
            let k = View::rows(&x[tile.keys_from * w + (heads + kv) * d..], w);
            let v = View::rows(&x[tile.keys_from * w + (heads + kv_heads + kv) * d..], w);
            for member in 0..group {
                let head = kv * group + member;
                let q = View::rows(&x[first * w + head * d..], w);
                let g = View::rows(&go[first * hd + head * d..], hd);
                mm((n, m, d), &mut weights, m, Store::Set, q, k.t(), Workers::One);
                mm((n, m, d), &mut grads, m, Store::Set, g, v.t(), Workers::One);
                for (i, (p, ds)) in weights.chunks_exact_mut(m).zip(grads.chunks_exact_mut(m)).enumerate() {
                    let at = (first + i) * hd + head * d;
                    let delta = dot(&go[at..at + d], &out[at..at + d]);
                    let (from, to) = self.span(row, &tile, i);
                    let lse = logsumexp[(row * length + first + i) * heads + head];
                    if let Some(cap) = cap {
                        capped_grad_row(p, ds, (from, to), (scale, cap), (lse, delta));
                    } else {
                        softmax_again_row(p, from, to, scale, lse);
                        score_grad_row(ds, p, delta, scale);
                    }
                }
                let (p, ds) = (View::rows(&weights, m), View::rows(&grads, m));
                let dq = &mut part[first * part_width + member * d..];
                mm((n, d, m), dq, part_width, Store::Set, ds, k, Workers::One);
                let keys = &mut part[tile.keys_from * part_width..];
                mm((m, d, n), &mut keys[group * d..], part_width, Store::Add, ds.t(), q, Workers::One);
                mm((m, d, n), &mut keys[(group + 1) * d..], part_width, Store::Add, p.t(), g, Workers::One);
            }
        }
        part
    }

    /// Adds all parts to the gradient of the merged q k v.
    fn scatter(&self, parts: &[Vec<f32>], gx: &mut [f32]) {
        let Geometry { length, heads, kv_heads, head_dim: d, .. } = self.geometry;
        let (w, group) = (self.geometry.qkv_width(), self.geometry.group());
        gx.par_chunks_mut(w * ROWS).enumerate().for_each(|(chunk, gx)| {
            for (i, gx) in gx.chunks_exact_mut(w).enumerate() {
                let (row, position) = ((chunk * ROWS + i) / length, (chunk * ROWS + i) % length);
                for (kv, part) in parts[row * kv_heads..][..kv_heads].iter().enumerate() {
                    let part = &part[position * (group + 2) * d..][..(group + 2) * d];
                    let (queries, rest) = part.split_at(group * d);
                    let (key, value) = rest.split_at(d);
                    add_to(&mut gx[kv * group * d..][..group * d], queries);
                    add_to(&mut gx[(heads + kv) * d..][..d], key);
                    add_to(&mut gx[(heads + kv_heads + kv) * d..][..d], value);
                }
            }
        });
    }
}
