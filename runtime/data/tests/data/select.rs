//! Selection, order, scores and classifiers on real pages and books: what stays, in which order, on any number of threads.

use std::path::{Path, PathBuf};

use crate::common::{args, barrier, bytes, documents, examples, map, run_on, source, stage};
use llmp_data::{
    Cell, Document,
    engine::{BarrierStage, Input, Segment, Stage, Summary},
    readers::Roots,
    steps::{self, Built},
};
use llmp_stdlib::{Rational, Value};

/// The chapters of the examples' books, stored.
fn stored(folder: &Path) -> PathBuf {
    let out = folder.join("docs");
    run_on(2, &Segment::new(source("text", &examples(), "books/*.txt", &[]), &out));
    out
}

/// A barrier over stored documents, in small chunks.
fn through(threads: usize, input: &Path, out: &Path, step: &str, given: &[(&str, Value)]) -> Summary {
    let mut segment = Segment::new(Input::Stored(vec![input.to_path_buf()]), out);
    segment.barrier = Some(BarrierStage { barrier: barrier(step, given), rejects: None });
    segment.chunk_bytes = 50_000;
    run_on(threads, &segment)
}

fn ids(folder: &Path) -> Vec<String> {
    documents(folder).into_iter().map(|doc| doc.id).collect()
}

/// The result of a barrier on one thread; two threads must give the same bytes.
fn same(folder: &Path, input: &Path, step: &str, given: &[(&str, Value)]) -> PathBuf {
    // A folder of its own for each list of arguments: a finished one would be taken as it is.
    let arguments = flate2::Crc::new();
    let arguments = given.iter().fold(arguments, |mut crc, argument| {
        crc.update(format!("{argument:?}").as_bytes());
        crc
    });
    let name = |threads: u32| folder.join(format!("{step}-{threads}-{:08x}", arguments.sum()));
    let (one, two) = (name(1), name(2));
    assert_eq!(through(1, input, &one, step, given), through(2, input, &two, step, given));
    assert_eq!(bytes(&one), bytes(&two), "{step}");
    one
}

fn percent(n: i128) -> Value {
    Value::number(Rational::new(n, 100))
}

#[test]
fn the_best_the_first_and_the_sorted_are_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let input = stored(folder.path());
    let mut scored = Segment::new(Input::Stored(vec![input]), folder.path().join("scored"));
    scored.maps = vec![stage("detect_language", &[])];
    run_on(2, &scored);
    let input = scored.out.clone();
    let all = documents(&input);
    let score = |doc: &Document| match doc.columns["lang_score"] {
        Cell::Num(score) => score,
        _ => panic!(),
    };
    assert!(all.len() > 20, "{}", all.len());

    let first = same(folder.path(), &input, "take", &[("count", Value::number(7))]);
    assert_eq!(ids(&first), all[..7].iter().map(|doc| doc.id.clone()).collect::<Vec<_>>());

    let by = [("by", Value::text("lang_score"))];
    let mut expected: Vec<&Document> = all.iter().collect();
    expected.sort_by(|a, b| score(a).total_cmp(&score(b)));
    let names = |docs: &[&Document]| docs.iter().map(|doc| doc.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&same(folder.path(), &input, "sort", &by)), names(&expected));
    // Equal ones stay in document order when the order falls, too.
    expected.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let falling = [by[0].clone(), ("descending", Value::Bool(true))];
    let mut stable: Vec<&Document> = all.iter().collect();
    stable.sort_by(|a, b| score(b).total_cmp(&score(a)));
    assert_eq!(ids(&same(folder.path(), &input, "sort", &falling)), names(&stable));

    let top = same(folder.path(), &input, "keep_top", &[by[0].clone(), ("share", percent(30))]);
    let stay = (all.len() as f64 * 0.3).round() as usize;
    let mut best: Vec<&Document> = stable[..stay].to_vec();
    best.sort_by_key(|doc| all.iter().position(|other| other.id == doc.id));
    assert_eq!(ids(&top), names(&best));
    let text = through(1, &input, &folder.path().join("t"), "sort", &[("by", Value::text("lang"))]);
    assert_eq!(text.main.documents, all.len() as u64);
}

#[test]
fn samples_and_shuffles_do_not_depend_on_what_else_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let input = stored(folder.path());
    let all = ids(&input);
    let few = |share: i128| {
        let step = map("sample", &[("share", percent(share))]);
        let keeps = |doc: &mut Document| step.apply(doc) == steps::Outcome::Keep;
        documents(&input)
            .into_iter()
            .filter_map(|mut doc| keeps(&mut doc).then_some(doc.id))
            .collect::<Vec<_>>()
    };
    let (small, large) = (few(20), few(60));
    assert!(small.iter().all(|id| large.contains(id)) && !small.is_empty() && large.len() < all.len());
    let count = same(folder.path(), &input, "sample", &[("count", Value::number(9))]);
    assert_eq!(ids(&count).len(), 9);

    let shuffled = ids(&same(folder.path(), &input, "shuffle", &[("seed", Value::number(3))]));
    assert_ne!(shuffled, all);
    // Half of the documents stand among themselves as they stood among all.
    let mut half = Segment::new(Input::Stored(vec![input]), folder.path().join("half"));
    half.maps = vec![stage("sample", &[("share", percent(50))])];
    run_on(1, &half);
    let own = ids(&same(folder.path(), &half.out, "shuffle", &[("seed", Value::number(3))]));
    let expected: Vec<String> = shuffled.into_iter().filter(|id| own.contains(id)).collect();
    assert_eq!(own, expected);
}

#[test]
fn strange_texts_are_far_from_the_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let input = stored(folder.path());
    let out = same(folder.path(), &input, "score_token_kl", &[]);
    let scored = documents(&out);
    assert_eq!(scored.len(), ids(&input).len());
    // By definition, on one document: the sum of p ln(p / q).
    let count = |texts: &[&str]| {
        let mut counts = std::collections::BTreeMap::<String, f64>::new();
        texts
            .iter()
            .flat_map(|t| t.split_whitespace())
            .for_each(|w| *counts.entry(w.into()).or_default() += 1.0);
        counts
    };
    let texts: Vec<&str> = scored.iter().map(|doc| doc.text.as_str()).collect();
    let corpus = count(&texts);
    let whole: f64 = corpus.values().sum::<f64>() + corpus.len() as f64;
    for doc in scored.iter().take(5) {
        let own = count(&[&doc.text]);
        let n: f64 = own.values().sum();
        let kl: f64 = own.iter().map(|(w, c)| c / n * (c / n * whole / (corpus[w] + 1.0)).ln()).sum();
        let Cell::Num(score) = doc.columns["token_kl"] else { panic!() };
        // Words that share one of four million places are counted together.
        assert!((score - kl).abs() < 2e-2, "{}: {score} {kl}", doc.id);
    }
}

/// A step built with results of the plan among its arguments.
fn built(step: &str, given: &[(&str, Value)], inputs: Vec<PathBuf>) -> Stage {
    let signature = steps::SIGNATURES.iter().find(|s| s.name == step).unwrap();
    let roots = Roots { inputs, ..examples() };
    match steps::build(step, &args(signature, given), &roots).unwrap().unwrap() {
        Built::Map(map) => Stage { map, rejects: None },
        Built::Barrier(_) | Built::Split(_) => panic!(),
    }
}

#[test]
fn text_like_the_models_is_less_perplexing() {
    let folder = tempfile::tempdir().unwrap();
    let input = stored(folder.path());
    let given = [("train_on", Value::Input(1)), ("order", Value::number(3))];
    let step = built("score_perplexity", &given, vec![PathBuf::new(), input.clone()]);
    let perplexity = |text: &str| {
        let mut doc = Document::new("x", text);
        step.map.apply(&mut doc);
        match doc.columns.get("perplexity") {
            Some(Cell::Num(score)) => Some(*score),
            _ => None,
        }
    };
    let like = perplexity("It was a dark night and the ship went down into the sea.").unwrap();
    let unlike = perplexity("sea the into down went ship the and night dark a was It.").unwrap();
    assert!(like < unlike, "{like} {unlike}");
    assert_eq!(perplexity(" \n"), None);
    let run = |threads: usize| {
        let mut segment =
            Segment::new(Input::Stored(vec![input.clone()]), folder.path().join(format!("p{threads}")));
        segment.maps = vec![built("score_perplexity", &given, vec![PathBuf::new(), input.clone()])];
        segment.chunk_bytes = 50_000;
        run_on(threads, &segment);
        bytes(&segment.out)
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn quality_is_what_the_model_says_of_what_passes_the_heuristics() {
    let folder = tempfile::tempdir().unwrap();
    let input = stored(folder.path());
    std::fs::write(folder.path().join("lid.ftz"), include_bytes!("../../models/lid.176.ftz")).unwrap();
    let model = folder.path().join("lid.ftz").to_string_lossy().into_owned();
    let given = [("keep", percent(25)), ("model", Value::text(model)), ("positive", Value::text("en"))];
    let out = same(folder.path(), &input, "quality_filter", &given);
    let summary = through(1, &input, &folder.path().join("again"), "quality_filter", &given);
    let count = &summary.counts[1];
    let passed = count.input - count.reasons.get("heuristics").copied().unwrap_or(0);
    assert_eq!(count.output, (passed as f64 * 0.25).round() as u64, "{count:?}");
    let kept = documents(&out);
    assert!(
        !kept.is_empty() && kept.iter().all(|doc| matches!(doc.columns["quality"], Cell::Num(q) if q > 0.5))
    );
}
