//! Tokenizers and token shards.

mod npy;
mod shard;
mod tokenize;
mod tokenizer;

pub use npy::{Npy, NpyWriter, Width};
pub use shard::{ShardWriter, TokenShard, id_hash};
pub use tokenize::{Tokenized, tokenize};
pub use tokenizer::{Bpe, END_OF_TEXT, HfTokenizer, Tokenizer, TokenizerFile, train_bpe};
