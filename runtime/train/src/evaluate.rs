//! Held-out perplexity and bits per byte.

use llmp_data::tokens::TokenShard;
use llmp_nn::{IGNORE, MicroBatch, Model};
use llmp_stdlib::Event;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::host::Host;

/// Positions that go through the model at once.
const POSITIONS: usize = 4096;

/// How well a model predicts documents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Bits for each UTF-8 byte of text.
    pub bits_per_byte: f64,
    /// `exp` of the mean negative log-likelihood of a token.
    pub perplexity: f64,
    /// Sum of negative log-likelihoods, in nats.
    pub nll: f64,
    /// Tokens that were predicted, one end-of-text token a document included.
    pub tokens: u64,
    /// UTF-8 bytes of the documents' texts.
    pub bytes: u64,
    /// Documents.
    pub documents: u64,
}

impl Measure {
    /// Metrics by name, as manifests and reports list them.
    pub fn metrics(&self) -> [(&'static str, f64); 2] {
        [("bits_per_byte", self.bits_per_byte), ("perplexity", self.perplexity)]
    }
}

/// A part of a document: positions `start..end` of its inputs, of which `scored..end` count.
#[derive(Debug, Clone, Copy)]
struct Window {
    document: usize,
    start: usize,
    end: usize,
    scored: usize,
}

/// Scores the documents of a token shard; `bytes` is the number of UTF-8 bytes of their texts.
///
/// A document is read as in training: an end-of-text token, its tokens, its own end-of-text token. The latter is
/// predicted and counts, since a reader of the documents one by one must learn where each ends; it adds no byte. A
/// document that is longer than the context is scored in windows of the whole context that advance by half of it, each
/// token once, in the first window that holds it. Bits per byte = sum of nll / ln 2 / bytes.
///
/// Errors: documents without text; the stop flag.
pub fn bits_per_byte(model: &Model, shard: &TokenShard, bytes: u64, host: &Host<'_>) -> Result<Measure> {
    bits_per_byte_within(model, shard, bytes, model.spec().context, host)
}

/// The same in windows of `context` tokens, at most the model's.
pub fn bits_per_byte_within(
    model: &Model,
    shard: &TokenShard,
    bytes: u64,
    context: usize,
    host: &Host<'_>,
) -> Result<Measure> {
    let mut windows = windows(shard, context.clamp(1, model.spec().context));
    if windows.is_empty() || bytes == 0 {
        return Err(TrainError::Settings("the held-out documents hold no text to score".to_owned()));
    }
    // Windows of like length share a batch; the order does not depend on anything but the shard.
    windows.sort_by_key(|w| std::cmp::Reverse(w.end - w.start));
    let (mut nll, mut tokens, mut done) = (0.0, 0, 0);
    let mut rest = windows.as_slice();
    while let Some(longest) = rest.first() {
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        let length = longest.end - longest.start;
        let (group, tail) = rest.split_at((POSITIONS / length).clamp(1, rest.len()));
        let sums = model.loss(&batch(shard, group, length)?)?;
        nll += sums.nll_sum;
        tokens += sums.targets;
        done += group.len() as u64;
        host.tell(Event::Progress { step: host.step.to_owned(), done });
        rest = tail;
    }
    Ok(Measure {
        bits_per_byte: nll / std::f64::consts::LN_2 / bytes as f64,
        perplexity: (nll / tokens as f64).exp(),
        nll,
        tokens,
        bytes,
        documents: shard.documents() as u64,
    })
}

/// Windows over all documents; a document of `n` tokens has `n` inputs, the first being the end-of-text token
/// before it.
fn windows(shard: &TokenShard, context: usize) -> Vec<Window> {
    let stride = (context / 2).max(1);
    let mut windows = Vec::new();
    for document in 0..shard.documents() {
        let (from, to) = shard.range(document);
        let length = (to - from) as usize;
        let (mut start, mut scored) = (0, 0);
        while scored < length {
            let end = length.min(start + context);
            windows.push(Window { document, start, end, scored });
            (start, scored) = (start + stride, end);
        }
    }
    windows
}

fn batch(shard: &TokenShard, group: &[Window], length: usize) -> Result<MicroBatch> {
    let mut batch = MicroBatch { rows: group.len(), length, ..MicroBatch::default() };
    for (row, window) in group.iter().enumerate() {
        let (from, to) = shard.range(window.document);
        let end_of_text = shard.read(to - 1, to)?[0];
        let targets = shard.read(from + window.start as u64, from + window.end as u64)?;
        let before = match window.start {
            0 => end_of_text,
            start => shard.read(from + start as u64 - 1, from + start as u64)?[0],
        };
        batch.inputs.push(before);
        batch.inputs.extend_from_slice(&targets[..targets.len() - 1]);
        let seen = window.scored - window.start;
        batch.targets.resize(batch.targets.len() + seen, IGNORE);
        batch.targets.extend_from_slice(&targets[seen..]);
        // Padding stands after all that counts, so nothing sees it.
        batch.inputs.resize((row + 1) * length, end_of_text);
        batch.targets.resize((row + 1) * length, IGNORE);
    }
    batch.doc_start = vec![0; group.len() * length];
    Ok(batch)
}
