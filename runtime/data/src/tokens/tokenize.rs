//! Documents to token shards: one pass, all cores, the order of the documents kept.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ShardWriter, Tokenizer};
use crate::{
    context::{Context, Progress},
    document::Document,
    engine,
    error::Result,
};

/// Bytes of text that are encoded at a time.
const BATCH_BYTES: usize = 8 << 20;

/// What [`tokenize`] wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokenized {
    /// Identity of the shard: BLAKE3 over its tokens, offsets and ids.
    pub hash: String,
    /// Documents.
    pub documents: u64,
    /// Tokens, ends of text included.
    pub tokens: u64,
    /// UTF-8 bytes of the texts: what bits per byte are counted over.
    pub bytes: u64,
    /// Largest token id plus one.
    pub vocab: usize,
}

/// Encodes the documents of `folders` into the token shard `out`; each document ends with the end-of-text token.
///
/// Errors: a folder or tokenizer that cannot be read, the stop flag.
pub fn tokenize(folders: &[PathBuf], tokenizer: &Path, out: &Path, ctx: &Context<'_>) -> Result<Tokenized> {
    let tokenizer = Tokenizer::open(tokenizer)?;
    let mut writer = ShardWriter::create(out, tokenizer.vocab())?;
    let mut done = Tokenized { vocab: tokenizer.vocab(), ..Tokenized::default() };
    let mut batch: Vec<Document> = Vec::new();
    let mut size = 0;
    let mut flush = |batch: &mut Vec<Document>| -> Result<()> {
        let encode = |doc: &Document| {
            ctx.check()?;
            let mut ids = tokenizer.encode(&doc.text)?;
            ids.push(tokenizer.end());
            Ok(ids)
        };
        let encoded: Vec<Vec<u32>> = batch.par_iter().map(encode).collect::<Result<_>>()?;
        for (doc, ids) in batch.iter().zip(&encoded) {
            writer.push(&doc.id, ids)?;
            done.documents += 1;
            done.tokens += ids.len() as u64;
            done.bytes += doc.text.len() as u64;
        }
        batch.clear();
        ctx.report(Progress { records: done.documents, kept: done.documents, ..Progress::default() });
        Ok(())
    };
    for folder in folders {
        for doc in engine::documents(folder)? {
            let doc = doc?;
            size += doc.text.len();
            batch.push(doc);
            if size >= BATCH_BYTES {
                flush(&mut batch)?;
                size = 0;
            }
        }
    }
    flush(&mut batch)?;
    done.hash = writer.finish(ctx)?;
    Ok(done)
}
