//! Tokenizers, token shards and mixtures on real text.

use std::{collections::BTreeMap, path::Path};

use crate::common::{bytes, documents, examples, run_on, source};
use llmp_data::{
    Context,
    engine::Segment,
    mix::TokenStream,
    tokens::{Bpe, ShardWriter, TokenShard, Tokenizer, tokenize, train_bpe},
};
use llmp_stdlib::{Value, arg::DocsRef};

fn bpe(vocab: u64) -> Bpe {
    Bpe { train_on: DocsRef(Value::None), vocab, template: None }
}

#[test]
fn a_trained_tokenizer_writes_any_text_and_is_the_same_on_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = source("jsonl", &examples(), "data/perl-pod.jsonl.gz", &[]);
    run_on(2, &Segment::new(input, at("docs")));
    let train = |threads: usize, out: &Path| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let ctx = Context::default();
        pool.install(|| {
            let hash = train_bpe(&[at("docs")], &bpe(600), out, &ctx).unwrap();
            let shard =
                tokenize(&[at("docs")], &out.join("tokenizer.json"), &out.join("tokens"), &ctx).unwrap();
            (hash, shard)
        })
    };
    let (one, two) = (train(1, &at("1")), train(2, &at("2")));
    assert_eq!(one, two);
    assert_eq!(bytes(&at("1")), bytes(&at("2")));

    let tokenizer = Tokenizer::open(&at("1").join("tokenizer.json")).unwrap();
    assert_eq!((tokenizer.vocab(), tokenizer.end(), tokenizer.hash()), (600, 0, one.0.as_str()));
    for text in ["", "Perl's 1234 \t\n\n  x", "日本語 \u{0}\u{10ffff}é", "<|endoftext|>"] {
        let ids = tokenizer.encode(text).unwrap();
        assert!(!ids.contains(&0), "{text:?} holds the end of text: {ids:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    let shard = TokenShard::open(&at("1").join("tokens")).unwrap();
    let docs = documents(&at("docs"));
    assert_eq!((shard.documents(), shard.tokens()), (docs.len(), one.1.tokens));
    assert_eq!(one.1.bytes, docs.iter().map(|doc| doc.text.len() as u64).sum::<u64>());
    for (k, doc) in docs.iter().enumerate() {
        let mut ids = tokenizer.encode(&doc.text).unwrap();
        ids.push(tokenizer.end());
        assert_eq!(shard.document(k).unwrap(), ids);
    }
    assert!(Tokenizer::read(b"{}").is_err() && Tokenizer::open(&at("nothing")).is_err());
}

/// A shard whose documents have these lengths; token values name document and place.
fn shard(folder: &Path, lengths: &[u32], mark: u32) -> TokenShard {
    let mut writer = ShardWriter::create(folder, 1 << 20).unwrap();
    for (k, &length) in lengths.iter().enumerate() {
        let tokens: Vec<u32> = (0..length).map(|at| mark + k as u32 * 1000 + at).collect();
        writer.push(&format!("{mark}#{k}"), &tokens).unwrap();
    }
    writer.finish(&Context::default()).unwrap();
    TokenShard::open(folder).unwrap()
}

fn stream(folder: &Path, seed: u64) -> TokenStream {
    let a = shard(&folder.join("a"), &[7, 1, 30, 0, 12, 5], 0);
    let b = shard(&folder.join("b"), &[3, 90, 2], 100_000);
    let c = shard(&folder.join("c"), &[4], 200_000);
    TokenStream::new(vec![(a, 50.0), (b, 30.0), (c, 20.0)], seed, 8).unwrap()
}

#[test]
fn shares_are_exact_at_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = stream(folder.path(), 7);
    for rows in 1..500u64 {
        stream.next_row().unwrap().unwrap();
        for (drawn, share) in stream.drawn().into_iter().zip([0.5, 0.3, 0.2]) {
            assert!((drawn as f64 - share * (rows * 8) as f64).abs() <= 8.0, "{rows}: {:?}", stream.drawn());
        }
    }
    assert_eq!(stream.epochs()[1], stream.drawn()[1] as f64 / 95.0);
}

#[test]
fn an_epoch_holds_every_token_and_rows_know_their_documents() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = [7, 1, 30, 0, 12, 5];
    let mut stream = TokenStream::new(vec![(shard(folder.path(), &lengths, 0), 1.0)], 3, 5).unwrap();
    let mut targets: BTreeMap<u32, u32> = BTreeMap::new();
    for _ in 0..11 {
        let row = stream.next_row().unwrap().unwrap();
        assert_eq!((row.tokens.len(), row.doc_start.len()), (6, 6));
        for (at, (&token, &start)) in row.tokens.iter().zip(&row.doc_start).enumerate() {
            let first = row.tokens[start as usize];
            assert_eq!(token / 1000, first / 1000);
            assert_eq!(token - first, at as u32 - start);
            assert!(start == 0 || first.is_multiple_of(1000));
        }
        row.tokens[1..].iter().for_each(|&token| *targets.entry(token).or_default() += 1);
    }
    // 55 tokens in rows of 5: each is a target exactly once.
    let all: Vec<u32> =
        lengths.iter().zip(0..).flat_map(|(&n, k)| (0..n).map(move |at| k * 1000 + at)).collect();
    assert_eq!(targets.keys().copied().collect::<Vec<_>>(), all);
    assert!(targets.values().all(|&n| n == 1));
    assert_eq!(stream.cursor().sources[0].epoch, 1);
}

#[test]
fn a_stream_goes_on_exactly_where_its_cursor_says() {
    let folder = tempfile::tempdir().unwrap();
    let rows =
        |stream: &mut TokenStream, n: usize| (0..n).map(|_| stream.next_row().unwrap()).collect::<Vec<_>>();
    let mut whole = stream(&folder.path().join("1"), 7);
    let expected = rows(&mut whole, 60);
    for cut in [0, 1, 17, 42] {
        let mut first = stream(&folder.path().join("2"), 7);
        rows(&mut first, cut);
        let cursor = serde_json::to_string(&first.cursor()).unwrap();
        let mut second = stream(&folder.path().join("3"), 7);
        second.restore(&serde_json::from_str(&cursor).unwrap()).unwrap();
        assert_eq!(rows(&mut second, 60 - cut), expected[cut..]);
    }
    assert_ne!(rows(&mut stream(&folder.path().join("4"), 8), 60), expected);
}

#[test]
fn another_source_reshuffles_nothing_and_an_exhausted_one_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = [9, 40, 3, 17];
    let alone = TokenStream::new(vec![(shard(&folder.path().join("a"), &lengths, 0), 1.0)], 5, 8).unwrap();
    let other = shard(&folder.path().join("b"), &[50], 100_000);
    let both = vec![(shard(&folder.path().join("a"), &lengths, 0), 1.0), (other, 1.0)];
    let mut both = TokenStream::new(both, 5, 8).unwrap().max_epochs(1, 1);
    let mut alone = alone;
    let mut own = 0;
    for _ in 0..40 {
        let row = both.next_row().unwrap().unwrap();
        if row.tokens[0] < 100_000 {
            assert_eq!(Some(row), alone.next_row().unwrap());
            own += 1;
        }
    }
    // Seven rows of 8 are all that one epoch of 50 tokens has.
    assert_eq!((own, both.drawn()[1]), (33, 56));
    let mut ended = TokenStream::new(vec![(shard(&folder.path().join("c"), &[9], 0), 1.0)], 5, 8)
        .unwrap()
        .max_epochs(0, 2);
    assert_eq!(std::iter::from_fn(|| ended.next_row().unwrap()).count(), 4);
}

#[test]
fn a_shard_that_is_cut_or_foreign_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    shard(folder.path(), &[5, 6], 0);
    for name in ["tokens.npy", "offsets.npy", "ids.npy"] {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for bad in [&whole[..whole.len() - 1], &whole[..60], b"not npy at all", b""] {
            std::fs::write(&path, bad).unwrap();
            assert!(TokenShard::open(folder.path()).is_err(), "{name}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert!(TokenShard::open(folder.path()).is_ok());
    let empty = shard(&folder.path().join("empty"), &[], 0);
    assert!(TokenStream::new(vec![(empty, 1.0)], 1, 8).is_err());
    assert!(TokenStream::new(Vec::new(), 1, 8).is_err());
}
