//! Tokenizers and token shards.

mod npy;
mod shard;

pub use npy::{Npy, NpyWriter, Width};
pub use shard::{ShardWriter, TokenShard, id_hash};
