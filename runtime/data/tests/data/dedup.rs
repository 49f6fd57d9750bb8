//! Duplicates of every kind, against what a plain search over all documents finds.

use std::{collections::BTreeMap, fs, path::Path};

use crate::common::{barrier, documents, run_on};
use llmp_data::{
    Cell, Document,
    engine::{BarrierStage, Input, Segment},
};
use llmp_stdlib::{Quantity, Value, unit::Dim};

/// Stores documents as one part.
pub(crate) fn store(folder: &Path, docs: &[Document]) {
    fs::create_dir_all(folder).unwrap();
    let mut lines = Vec::new();
    for doc in docs {
        lines.extend(doc.to_line());
        lines.push(b'\n');
    }
    fs::write(folder.join("part-00000.jsonl.zst"), zstd::encode_all(&lines[..], 1).unwrap()).unwrap();
}

/// What a step leaves of the documents, spilling early; and the folder with its reports.
pub(crate) fn through(
    name: &str,
    given: &[(&str, Value)],
    docs: &[Document],
) -> (Vec<Document>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("in"), docs);
    let segment = |out: &str, memory: u64| {
        let input = Input::Stored(vec![folder.path().join("in")]);
        let mut segment = Segment::new(input, folder.path().join(out));
        segment.barrier = Some(BarrierStage { barrier: barrier(name, given), rejects: None });
        segment.chunk_bytes = 50_000;
        segment.memory = memory;
        segment
    };
    let spilled = run_on(2, &segment("out", 10_000));
    let whole = run_on(1, &segment("whole", 1 << 26));
    assert_eq!(spilled, whole);
    (documents(&folder.path().join("out")), folder)
}

fn report(folder: &tempfile::TempDir, name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.path().join("out").join(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn ids(docs: &[Document]) -> Vec<&str> {
    docs.iter().map(|doc| &*doc.id).collect()
}

fn page(id: &str, text: &str, url: &str, date: &str) -> Document {
    let mut doc = Document::new(id, text);
    doc.columns.insert("url".into(), Cell::from(url));
    doc.columns.insert("date".into(), Cell::from(date));
    doc
}

#[test]
fn equal_texts_leave_the_first_and_are_reported() {
    let texts = ["a b", "c", "a  b\n", "d", "e\u{301}", "\u{e9}", "a b"];
    let docs: Vec<Document> =
        texts.iter().enumerate().map(|(k, text)| Document::new(format!("d{k}"), *text)).collect();
    let (kept, folder) = through("dedup_exact", &[], &docs);
    assert_eq!(ids(&kept), ["d0", "d1", "d3", "d4"]);
    let clusters = report(&folder, "clusters.jsonl");
    let expected =
        serde_json::json!({"step": "dedup_exact", "documents": 3, "kept": "d0", "others": ["d2", "d6"]});
    assert_eq!(clusters[0], expected);
    assert_eq!((clusters.len(), &clusters[1]["kept"]), (2, &"d4".into()));
}

#[test]
fn one_page_stays_for_each_address() {
    let docs = [
        page("old", "long text", "http://a.org/x", "2023-01-01T00:00:00Z"),
        page("other", "t", "http://a.org/y", "2023-01-01T00:00:00Z"),
        page("new", "text", "https://www.a.org/x#top", "2024-01-01T00:00:00Z"),
        page("as new", "text", "https://A.org/x?utm_source=b", "2024-01-01T00:00:00Z"),
        page("none", "t", "", ""),
        page("none too", "t", "", ""),
    ];
    let keep = |choice: &str| [("keep", Value::Choice(choice.into()))];
    let (kept, folder) = through("dedup_url", &keep("newest"), &docs);
    assert_eq!(ids(&kept), ["other", "new", "none", "none too"]);
    let clusters = report(&folder, "clusters.jsonl");
    assert_eq!(
        (&clusters[0]["kept"], &clusters[0]["others"]),
        (&"new".into(), &serde_json::json!(["old", "as new"]))
    );
    assert_eq!(ids(&through("dedup_url", &keep("first"), &docs).0), ["old", "other", "none", "none too"]);
    assert_eq!(ids(&through("dedup_url", &keep("longest"), &docs).0), ["old", "other", "none", "none too"]);
}

#[test]
fn lines_that_a_bucket_repeats_go() {
    let mut seed = 1;
    // Letters, not digits: digits are all alike.
    let mut line = |_| format!("Line {}", char::from(b'a' + number(&mut seed, 26) as u8));
    let docs: Vec<Document> = (0..200u64)
        .map(|k| {
            let lines: Vec<String> = (0..k * k % 6).map(&mut line).collect();
            Document::new(format!("d{k}"), lines.join("\n"))
        })
        .collect();
    let bucket = Value::Number(Quantity::new(70.into(), Dim::DOCS));
    let given = [("bucket", bucket), ("more_than", Value::number(6))];
    let (kept, _folder) = through("dedup_lines", &given, &docs);
    let mut expected = Vec::new();
    for bucket in docs.chunks(70) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for line in bucket.iter().flat_map(|doc| doc.text.split_inclusive('\n')) {
            *counts.entry(line.trim()).or_default() += 1;
        }
        for doc in bucket {
            let text: String =
                doc.text.split_inclusive('\n').filter(|line| counts[line.trim()] <= 6).collect();
            // A document that lost nothing stays, even an empty one.
            if text == doc.text || !text.trim().is_empty() {
                expected.push((doc.id.clone(), text));
            }
        }
    }
    let kept: Vec<(String, String)> = kept.into_iter().map(|doc| (doc.id, doc.text)).collect();
    assert_eq!(kept, expected);
    assert!(expected.len() > 20 && expected.len() < docs.len());
}

/// Every token covered by a run of `length` tokens that occurred before, found by comparing all pairs of places.
fn covered(docs: &[Vec<&str>], length: usize) -> Vec<Vec<bool>> {
    let places: Vec<(usize, usize)> = docs
        .iter()
        .enumerate()
        .flat_map(|(d, words)| (0..(words.len() + 1).saturating_sub(length)).map(move |at| (d, at)))
        .collect();
    let run = |&(d, at): &(usize, usize)| &docs[d][at..at + length];
    let mut covered: Vec<Vec<bool>> = docs.iter().map(|words| vec![false; words.len()]).collect();
    for (k, place) in places.iter().enumerate() {
        if places[..k].iter().any(|other| run(other) == run(place)) {
            covered[place.0][place.1..place.1 + length].fill(true);
        }
    }
    covered
}

#[test]
fn exactly_the_text_that_occurred_before_is_cut() {
    let mut seed = 7;
    let vocabulary = ["a", "b", "c", "d", "e"];
    let texts: Vec<String> = (0..40)
        .map(|_| {
            let words = (0..number(&mut seed, 60)).map(|_| vocabulary[number(&mut seed, 5) as usize]);
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let docs: Vec<Document> =
        texts.iter().enumerate().map(|(k, text)| Document::new(format!("d{k}"), &**text)).collect();
    let given = [("min_tokens", Value::number(5)), ("min_left", Value::number(0))];
    let (kept, _folder) = through("dedup_substring", &given, &docs);
    let words: Vec<Vec<&str>> = texts.iter().map(|text| text.split_whitespace().collect()).collect();
    let covered = covered(&words, 5);
    assert_eq!(kept.len(), docs.len());
    let mut cut = 0;
    for ((doc, words), covered) in kept.iter().zip(&words).zip(&covered) {
        let left: Vec<&str> =
            words.iter().zip(covered).filter(|(_, covered)| !**covered).map(|(w, _)| *w).collect();
        assert_eq!(doc.text.split_whitespace().collect::<Vec<_>>(), left, "{}", doc.id);
        cut += words.len() - left.len();
    }
    assert!(cut > 20 && cut < words.iter().map(Vec::len).sum(), "{cut}");
    let given = [("min_tokens", Value::number(5)), ("min_left", Value::number(30))];
    let (kept, _folder) = through("dedup_substring", &given, &docs);
    assert!(kept.len() < docs.len());
}

#[test]
fn of_records_with_one_meaning_the_best_stays() {
    let base =
        "Write a short poem about the sea, with four lines and a rhyme at the end of each of them, please.";
    let mut docs: Vec<Document> = (0..60)
        .map(|k| {
            Document::new(format!("d{k}"), format!("{k} question number {k} of {} about {}", k * k, k * 7919))
        })
        .collect();
    for (k, (text, quality)) in
        [(base.to_string(), 0.2), (base.replace("short", "brief"), 0.9), (base.replace("four", "six"), 0.5)]
            .into_iter()
            .enumerate()
    {
        let mut doc = Document::new(format!("poem{k}"), text);
        doc.columns.insert("quality".into(), quality.into());
        docs.insert(k * 20, doc);
    }
    let given =
        [("by", Value::text("quality")), ("threshold", Value::number(llmp_stdlib::Rational::new(4, 5)))];
    let (kept, folder) = through("dedup_semantic", &given, &docs);
    let poems: Vec<&str> = ids(&kept).into_iter().filter(|id| id.starts_with("poem")).collect();
    assert_eq!(poems, ["poem1"]);
    let clusters = report(&folder, "clusters.jsonl");
    let poem = clusters.iter().find(|line| line["kept"] == "poem1").unwrap();
    assert_eq!(poem["others"], serde_json::json!(["poem0", "poem2"]));
    let (kept, _folder) = through("dedup_semantic", &given[1..], &docs);
    assert!(ids(&kept).contains(&"poem0") && !ids(&kept).contains(&"poem1"));
}
