//! Decontamination by the three rules, against sets that are read from files.

use std::fs;

use crate::common::{args, documents, run_on};
use crate::dedup::store;
use llmp_data::{
    Document,
    engine::{BarrierStage, Input, Segment},
    readers::Roots,
    steps::{self, Built},
};
use llmp_stdlib::{Call, Rational, Settings, Value};

const QUESTION: &str = "A train leaves the station at noon and travels sixty miles an hour for three hours before it stops to rest";

/// What stays of the documents, and a side report.
fn through(
    given: &[(&str, Value)],
    docs: &[Document],
    report: &str,
) -> (Vec<String>, Vec<serde_json::Value>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    store(&at("in"), docs);
    fs::create_dir(at("eval")).unwrap();
    let lines = format!(
        "{{\"text\": \"{QUESTION}.\"}}\n{{\"q\": [\"What is the name\", \"of the largest city?\"]}}\n"
    );
    fs::write(at("eval/trains-test.jsonl"), lines).unwrap();
    let names = Value::List(vec![Value::text("trains")]);
    let call =
        Call { name: "benchmarks".into(), args: args(steps::Benchmarks::SIGNATURE, &[("names", names)]) };
    let given = [given, &[("against", Value::Call(call))]].concat();
    let built = steps::build(
        "decontaminate",
        &args(steps::Decontaminate::SIGNATURE, &given),
        &Roots::project(folder.path()),
    );
    let Ok(Some(Built::Barrier(barrier))) = built else { panic!("{built:?}") };
    let mut segment = Segment::new(Input::Stored(vec![at("in")]), at("out"));
    segment.barrier = Some(BarrierStage { barrier, rejects: None });
    run_on(2, &segment);
    let text = fs::read_to_string(at("out").join(report)).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (documents(&at("out")).into_iter().map(|doc| doc.id).collect(), lines)
}

fn docs() -> Vec<Document> {
    let words: Vec<&str> = QUESTION.split(' ').collect();
    let gaps = words.join(" indeed ");
    let mut docs = vec![
        Document::new("whole", format!("He asked: {}! Nobody knew.", QUESTION.to_uppercase())),
        Document::new("part", format!("Once {} they were late.", words[..12].join(" "))),
        Document::new("gaps", gaps),
        Document::new(
            "clean",
            "Nothing of all this is in any set, whatever one may think about it at first.",
        ),
    ];
    docs.extend((0..5).map(|k| Document::new(format!("common{k}"), "what is the name of it")));
    docs
}

fn choice(name: &str) -> Value {
    Value::Choice(name.into())
}

#[test]
fn a_shared_ngram_drops_unless_it_is_common() {
    let (kept, hits) = through(&[], &docs(), "hits.jsonl");
    assert_eq!(kept[..3], ["part", "gaps", "clean"]);
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (&hits[0]["document"], &hits[0]["set"], &hits[0]["size"]),
        (&"whole".into(), &"trains-test".into(), &13.into())
    );
    assert!(hits[0]["overlap"].as_str().unwrap().starts_with("a train leaves"));
    let range = Value::Range(Box::new(Value::number(4)), Box::new(Value::number(13)));
    let (kept, _) = through(&[("ngrams", range.clone())], &docs(), "hits.jsonl");
    assert_eq!(kept, ["gaps", "clean"]);
    // "what is the name" and "is the name of" occur five times, and so does the five-gram of both.
    let (kept, _) = through(&[("ngrams", range), ("common_above", Value::number(5))], &docs(), "hits.jsonl");
    assert_eq!(kept, ["gaps", "clean", "common0", "common1", "common2", "common3", "common4"]);
}

#[test]
fn a_long_common_subsequence_drops() {
    let (kept, hits) = through(&[("method", choice("lcs"))], &docs(), "hits.jsonl");
    assert_eq!(kept[0], "part");
    assert!(!kept.contains(&"gaps".to_string()) && !kept.contains(&"whole".to_string()));
    assert_eq!(hits[1]["size"], 21);
    let given = [
        ("method", choice("lcs")),
        ("lcs_min", Value::number(12)),
        ("lcs_share", Value::number(Rational::new(1, 2))),
    ];
    assert!(!through(&given, &docs(), "hits.jsonl").0.contains(&"part".to_string()));
}

#[test]
fn an_audit_drops_nothing_and_tells_what_the_corpus_holds() {
    let given = [("method", choice("audit")), ("ngrams", Value::number(8))];
    let (kept, lines) = through(&given, &docs()[1..], "audit.jsonl");
    assert_eq!(kept.len(), docs().len() - 1);
    assert_eq!((&lines[0]["words"], &lines[0]["covered"]), (&21.into(), &12.into()));
    assert_eq!(lines[1]["covered"], 0);
}
