//! A token shard: `tokens.npy`, `offsets.npy` and `ids.npy` in one folder.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::npy::{Npy, NpyWriter, Width};
use crate::{
    context::Context,
    error::{DataError, Result},
};

const TOKENS: &str = "tokens.npy";
const OFFSETS: &str = "offsets.npy";
const IDS: &str = "ids.npy";

/// The 64-bit hash under which a document's id is stored and by which documents are ordered.
pub fn id_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// The tokens of a set of documents, each ended by its end-of-text token.
///
/// `tokens.npy` is u16 for vocabularies up to 65,536, else u32; `offsets.npy` (u64) holds one more number than there
/// are documents, document `i` being `offsets[i]..offsets[i + 1]`; `ids.npy` (u64) holds [`id_hash`] of each id.
#[derive(Debug)]
pub struct TokenShard {
    tokens: Npy,
    offsets: Vec<u64>,
    ids: Vec<u64>,
}

impl TokenShard {
    /// Opens the shard in `folder`.
    pub fn open(folder: &Path) -> Result<TokenShard> {
        let tokens = Npy::open(&folder.join(TOKENS))?;
        let all = |name: &str| Npy::open(&folder.join(name)).and_then(|npy| npy.read(0, npy.len()));
        let shard = TokenShard { tokens, offsets: all(OFFSETS)?, ids: all(IDS)? };
        let ordered = shard.offsets.is_sorted() && shard.offsets.first() == Some(&0);
        let ends = shard.offsets.last() == Some(&shard.tokens.len());
        if !ordered || !ends || shard.offsets.len() != shard.ids.len() + 1 {
            return Err(DataError::artifact(folder, "offsets do not fit the tokens and ids"));
        }
        Ok(shard)
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.ids.len()
    }

    /// Number of tokens, end-of-text tokens included.
    pub fn tokens(&self) -> u64 {
        self.tokens.len()
    }

    /// Hashes of the document ids, in document order.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Where document `index` lies among the tokens: start and end.
    pub fn range(&self, index: usize) -> (u64, u64) {
        match self.offsets.get(index..=index + 1) {
            Some(pair) => (pair[0], pair[1]),
            None => (0, 0),
        }
    }

    /// The tokens `from..to` of the shard.
    pub fn read(&self, from: u64, to: u64) -> Result<Vec<u32>> {
        // The file holds u16 or u32, checked when it was opened: every number fits.
        Ok(self.tokens.read(from, to)?.into_iter().map(|token| token as u32).collect())
    }

    /// The tokens of document `index`.
    pub fn document(&self, index: usize) -> Result<Vec<u32>> {
        let (from, to) = self.range(index);
        self.read(from, to)
    }
}

/// Writes a [`TokenShard`] document by document.
pub struct ShardWriter {
    tokens: NpyWriter,
    offsets: NpyWriter,
    ids: NpyWriter,
    at: u64,
}

impl ShardWriter {
    /// Starts a shard in `folder` for a vocabulary of `vocab` tokens.
    pub fn create(folder: &Path, vocab: usize) -> Result<ShardWriter> {
        std::fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
        let width = if vocab <= 1 << 16 { Width::U16 } else { Width::U32 };
        let mut offsets = NpyWriter::create(&folder.join(OFFSETS), Width::U64)?;
        offsets.extend([0])?;
        let ids = NpyWriter::create(&folder.join(IDS), Width::U64)?;
        Ok(ShardWriter { tokens: NpyWriter::create(&folder.join(TOKENS), width)?, offsets, ids, at: 0 })
    }

    /// Appends a document with its end-of-text token.
    pub fn push(&mut self, id: &str, tokens: &[u32]) -> Result<()> {
        self.tokens.extend(tokens.iter().map(|&token| u64::from(token)))?;
        self.at += tokens.len() as u64;
        self.offsets.extend([self.at])?;
        self.ids.extend([id_hash(id)])
    }

    /// Makes the shard durable; gives its identity: BLAKE3 over the hashes of tokens, offsets and ids.
    pub fn finish(self, ctx: &Context<'_>) -> Result<String> {
        let ids = self.ids.finish(ctx)?;
        let offsets = self.offsets.finish(ctx)?;
        let tokens = self.tokens.finish(ctx)?;
        let all = [tokens, offsets, ids].map(|hash| *hash.as_bytes()).concat();
        Ok(blake3::hash(&all).to_hex().to_string())
    }
}
