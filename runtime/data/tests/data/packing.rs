//! Packing and curricula: what is seen in a packed row is what is seen alone, and shares change where they should.

use std::{collections::BTreeMap, path::Path};

use crate::common::{examples, run_on, source};
use llmp_data::{
    Context,
    engine::Segment,
    mix::{Packing, Row, TokenStream, tempered},
    tokens::{Bpe, ShardWriter, TokenShard, tokenize, train_bpe},
};
use llmp_stdlib::{Value, arg::DocsRef};

/// The end of a text.
const END: u32 = 0;

/// A shard whose documents have these lengths, the end of text included; token values name document and place.
fn shard(folder: &Path, lengths: &[u32], mark: u32) -> TokenShard {
    let mut writer = ShardWriter::create(folder, 1 << 20).unwrap();
    for (k, &length) in lengths.iter().enumerate() {
        let own = (1..length).map(|at| mark + (k as u32 + 1) * 1000 + at);
        let tokens: Vec<u32> = own.chain((length > 0).then_some(END)).collect();
        writer.push(&format!("{mark}#{k}"), &tokens).unwrap();
    }
    writer.finish(&Context::default()).unwrap();
    TokenShard::open(folder).unwrap()
}

/// Lengths from 1 to 90, the same every time.
fn lengths(count: u32) -> Vec<u32> {
    (0..count).map(|k| 1 + k * k * 7 % 90).collect()
}

fn packed(shard: TokenShard, length: usize, packing: Packing) -> TokenStream {
    TokenStream::new(vec![(shard, 1.0)], 3, length).unwrap().packing(packing)
}

/// Rows of one epoch.
fn epoch(stream: &mut TokenStream) -> Vec<Row> {
    let mut rows = Vec::new();
    while stream.cursor().sources[0].epoch == 0 {
        rows.push(stream.next_row().unwrap().unwrap());
    }
    rows
}

/// What predicts each target of a row: the tokens of its document before it, as a document mask shows them.
fn seen(row: &Row) -> Vec<(Vec<u32>, u32)> {
    let target = |at: usize| {
        let from = (row.doc_start[at] as usize).saturating_sub(1).min(at - 1);
        (row.tokens[from..at].to_vec(), row.tokens[at])
    };
    (1..row.tokens.len()).filter(|at| !row.ignored.contains(&(*at as u32))).map(target).collect()
}

#[test]
fn a_document_that_fits_is_seen_as_it_is_seen_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = lengths(200);
    let rows = epoch(&mut packed(shard(folder.path(), &lengths, 0), 40, Packing::BestFit));
    let mut all: Vec<(Vec<u32>, u32)> = rows.iter().flat_map(seen).collect();
    let mut alone = Vec::new();
    for (k, &length) in lengths.iter().enumerate().filter(|(_, length)| **length <= 40) {
        let own = (1..length).map(|at| (k as u32 + 1) * 1000 + at).chain([END]);
        let tokens: Vec<u32> = [END].into_iter().chain(own).collect();
        alone.extend((1..tokens.len()).map(|at| (tokens[..at].to_vec(), tokens[at])));
    }
    // What is left are documents longer than a row.
    all.retain(|(context, target)| {
        let name =
            context.iter().chain([target]).find(|token| **token >= 1000).map_or(0, |token| token / 1000);
        name == 0 || lengths[name as usize - 1] <= 40
    });
    all.sort_unstable();
    alone.sort_unstable();
    // A document of one token is the end of text after the end of text.
    assert_eq!(all, alone);
}

#[test]
fn every_token_is_a_target_once_and_the_rest_is_padding() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = lengths(300);
    for length in [16, 40, 128] {
        let at = folder.path().join(length.to_string());
        let mut stream = packed(shard(&at, &lengths, 0), length, Packing::BestFit);
        let padding = stream.padding()[0];
        let rows = epoch(&mut stream);
        let mut targets: BTreeMap<u32, u32> = BTreeMap::new();
        for row in &rows {
            assert_eq!((row.tokens.len(), row.doc_start.len()), (length + 1, length + 1));
            assert!(row.doc_start.is_sorted());
            for (context, target) in seen(row) {
                *targets.entry(target).or_default() += 1;
                // Nothing of another document is seen but the end of text that leads in.
                let names: Vec<u32> =
                    context.iter().map(|token| token / 1000).filter(|name| *name > 0).collect();
                assert!(
                    names.iter().all(|name| target == END || *name == target / 1000),
                    "{context:?} {target}"
                );
            }
        }
        let total: u32 = lengths.iter().sum();
        assert_eq!(targets.values().sum::<u32>(), total);
        assert!(targets.iter().all(|(token, n)| *n == 1 || *token == END));
        let places = (rows.len() * length) as f64;
        assert!((padding - (1.0 - f64::from(total) / places)).abs() < 1e-9 && padding < 0.12, "{padding}");
    }
}

#[test]
fn packed_streams_are_the_same_again_and_go_on_at_their_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let stream = |name: &str| packed(shard(&folder.path().join(name), &lengths(50), 0), 32, Packing::BestFit);
    let rows =
        |stream: &mut TokenStream, n: usize| (0..n).map(|_| stream.next_row().unwrap()).collect::<Vec<_>>();
    let expected = rows(&mut stream("1"), 200);
    for cut in [0, 33, 150] {
        let mut first = stream("2");
        rows(&mut first, cut);
        let mut second = stream("3");
        second.restore(&first.cursor()).unwrap();
        assert_eq!(rows(&mut second, 200 - cut), expected[cut..]);
    }
}

#[test]
fn shares_change_on_the_way_and_a_cursor_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let stream = |name: &str| {
        let at = folder.path().join(name);
        let sources = [("a", 0), ("b", 100_000), ("c", 200_000)]
            .map(|(own, mark)| (shard(&at.join(own), &[90, 33, 40], mark), 1.0))
            .into_iter()
            .zip([80.0, 20.0, 0.0])
            .map(|((shard, _), weight)| (shard, weight));
        let stream = TokenStream::new(sources.collect(), 7, 8).unwrap();
        stream.change(800, &[50.0, 25.0, 25.0]).unwrap().change(2400, &[0.0, 0.0, 1.0]).unwrap()
    };
    let mut whole = stream("1");
    let mut rows = Vec::new();
    let mut at = BTreeMap::new();
    for row in 0..400u64 {
        at.insert(row, whole.drawn().iter().map(|drawn| drawn / 8).collect::<Vec<_>>());
        rows.push(whole.next_row().unwrap().unwrap());
    }
    assert_eq!(
        (&at[&100], &at[&300], &whole.drawn()),
        (&vec![80, 20, 0], &vec![180, 70, 50], &vec![1440, 560, 1200])
    );
    for (row, drawn) in at.range(100..300) {
        let since = (row - 100) as f64;
        let off = |k: usize, share: f64| drawn[k] as f64 - at[&100][k] as f64 - share * since;
        assert!(
            [off(0, 0.5), off(1, 0.25), off(2, 0.25)].iter().all(|off| off.abs() <= 1.0),
            "{row}: {drawn:?}"
        );
    }
    for cut in [99, 100, 101, 299, 300, 350] {
        let mut first = stream("2");
        (0..cut).for_each(|_| drop(first.next_row().unwrap()));
        let cursor: String = serde_json::to_string(&first.cursor()).unwrap();
        let mut second = stream("3");
        second.restore(&serde_json::from_str(&cursor).unwrap()).unwrap();
        let rest: Vec<Row> = (cut..400).map(|_| second.next_row().unwrap().unwrap()).collect();
        assert_eq!(rest, rows[cut..], "cut at {cut}");
    }
    let back = stream("4").change(100, &[1.0, 1.0, 1.0]).unwrap_err();
    assert!(back.to_string().contains("follows a later one"), "{back}");
}

#[test]
fn what_a_mixture_cannot_give_is_said_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str| shard(&folder.path().join(name), &[4000, 800], 0);
    let limited = || {
        TokenStream::new(vec![(own("a"), 0.5), (own("b"), 0.5)], 1, 8)
            .unwrap()
            .named(["web", "math"].map(str::to_owned))
            .max_epochs(0, 1)
    };
    limited().feasible(1_000_000).unwrap();
    let both = limited().max_epochs(1, 4);
    both.feasible(24_000).unwrap();
    let said = both.feasible(30_000).unwrap_err().to_string();
    for part in [
        "30,000 tokens are wanted",
        "give 24,000",
        "web 4,800 (1 × 4,800)",
        "math 19,200",
        "6,000 are missing",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let level = tempered(&[8, 1], 3.0).unwrap();
    assert!((level[0] - 2.0 / 3.0).abs() < 1e-12, "the cube roots of 8 and 1: {level:?}");
}

#[test]
fn real_documents_fill_rows_to_the_last_percent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    run_on(2, &Segment::new(source("jsonl", &examples(), "data/perl-pod.jsonl.gz", &[]), at("docs")));
    let ctx = Context::default();
    let bpe = Bpe { train_on: DocsRef(Value::None), vocab: 600, template: None };
    train_bpe(&[at("docs")], &bpe, &at("tok"), &ctx).unwrap();
    tokenize(&[at("docs")], &at("tok/tokenizer.json"), &at("tokens"), &ctx).unwrap();
    for length in [256, 1024, 4096] {
        let stream = packed(TokenShard::open(&at("tokens")).unwrap(), length, Packing::BestFit);
        println!("{length}: {:.4}% padding", stream.padding()[0] * 100.0);
        assert!(stream.padding()[0] < 0.05, "{length}: {}", stream.padding()[0]);
    }
}
