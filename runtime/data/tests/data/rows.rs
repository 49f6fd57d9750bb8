//! Rows that are not text: between states, through deduplication and the store, and out into files.

use std::{fs, path::Path};

use crate::common::{barrier, documents, map, run_on, source};
use llmp_data::{
    Cell, Context, Document, Message, Row,
    engine::{BarrierStage, Input, Segment},
    readers::Roots,
    steps::Outcome,
    write::{Format, export},
};
use llmp_stdlib::{State, Value};

fn doc(columns: &[(&str, &str)]) -> Document {
    let mut doc = Document::new("a#0", "the text");
    doc.columns.extend(columns.iter().map(|(k, v)| ((*k).to_owned(), Cell::from(*v))));
    doc
}

fn apply(step: &str, given: &[(&str, &str)], mut doc: Document) -> Result<Document, String> {
    let given: Vec<(&str, Value)> = given.iter().map(|(k, v)| (*k, Value::text(*v))).collect();
    match map(step, &given).apply(&mut doc) {
        Outcome::Keep => Ok(doc),
        Outcome::Drop(reason) => Err(reason.into_owned()),
    }
}

fn said(turns: &[Message]) -> String {
    turns.iter().map(|turn| format!("{}:{}", turn.role, turn.text())).collect::<Vec<_>>().join("|")
}

#[test]
fn columns_become_conversations_and_come_back() {
    let given = [("user", "q"), ("assistant", "a"), ("system", "S")];
    let chat = apply("as_chat", &given, doc(&[("q", "Why?"), ("a", "So."), ("n", "1")])).unwrap();
    let Some(Row::Chat { messages }) = chat.row.as_deref() else { panic!("{chat:?}") };
    assert_eq!(
        (said(messages).as_str(), chat.text.as_str()),
        ("system:S|user:Why?|assistant:So.", "S\n\nWhy?\n\nSo.")
    );
    assert_eq!(chat.columns.keys().collect::<Vec<_>>(), ["n"]);
    let prompt = apply("as_prompt", &[("system", "T")], chat.clone()).unwrap();
    assert_eq!(said(prompt.row.unwrap().part("prompt").unwrap()), "system:T|user:Why?");
    let plain = apply("as_docs", &[], chat.clone()).unwrap();
    assert_eq!((plain.text.as_str(), plain.row), ("S\n\nUser: Why?\n\nAssistant: So.", None));
    assert_eq!(apply("as_chat", &given, doc(&[("q", "Why?")])).unwrap_err(), "no .a");
    let asked = apply("as_prompt", &[("prompt", "q")], doc(&[("q", "Why?")])).unwrap();
    assert_eq!(asked.text, "Why?");
    let with = Document { columns: doc(&[("answer", "So.")]).columns, ..asked };
    assert_eq!(apply("as_chat", &[], with).unwrap().text, "Why?\n\nSo.");
}

#[test]
fn preferences_and_labels_are_made_of_columns() {
    let columns = [("q", "Why?"), ("good", "So."), ("bad", "No."), ("s", "better")];
    let given = [("prompt", "q"), ("chosen", "good"), ("rejected", "bad"), ("strength", "s")];
    let pair = apply("as_preference", &given, doc(&columns)).unwrap();
    assert_eq!(
        (pair.text.as_str(), &pair.columns["strength"]),
        ("Why?\n\nSo.\n\nNo.", &Cell::from("better"))
    );
    assert_eq!(apply("as_prompt", &[], pair).unwrap().text, "Why?");
    let same = doc(&[("q", "Why?"), ("good", "So."), ("bad", "So.")]);
    assert_eq!(apply("as_preference", &given[..3], same).unwrap_err(), "equal answers");
    let mut judged = doc(&[]);
    judged.columns.insert("grade".into(), Cell::Num(3.0));
    let labelled = apply("as_labelled", &[("label", "grade")], judged).unwrap();
    assert_eq!((labelled.text.as_str(), &labelled.columns["label"]), ("the text", &Cell::from("3")));
    assert_eq!(apply("as_docs", &[], labelled).unwrap().text, "User: the text\n\nAssistant: 3");
}

const CHATS: &str = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":1}]}],"n":1}
{"messages":[{"role":"user","content":"b"}],"n":"x"}
{"messages":[{"role":"user","content":"a"}]}
"#;

fn stored(folder: &Path) -> std::path::PathBuf {
    fs::write(folder.join("chats.jsonl"), CHATS).unwrap();
    let given = [("as", Value::Choice(State::Chat.show().into()))];
    let input = source("jsonl", &Roots::project(folder), "chats.jsonl", &given);
    run_on(2, &Segment::new(input, folder.join("read")));
    folder.join("read")
}

#[test]
fn conversations_are_stored_hashed_and_deduplicated_by_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let read = stored(folder.path());
    let mut segment = Segment::new(Input::Stored(vec![read]), folder.path().join("unique"));
    segment.barrier = Some(BarrierStage { barrier: barrier("dedup_exact", &[]), rejects: None });
    let summary = run_on(2, &segment);
    assert_eq!((summary.main.documents, summary.counts[1].reasons["duplicate"]), (2, 1));
    let docs = documents(&folder.path().join("unique"));
    let Some(Row::Chat { messages }) = docs[0].row.as_deref() else { panic!() };
    assert_eq!(messages[1].more["tool_calls"][0]["id"], 1);
}

#[test]
fn what_is_exported_reads_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let read = stored(folder.path());
    let wanted = documents(&read);
    let at = |name: &str| folder.path().join(name);
    for (format, name) in [(Format::Jsonl, "jsonl"), (Format::JsonlZst, "zst"), (Format::Parquet, "parquet")]
    {
        export(&read, format, &at(name), &Context::default()).unwrap();
        let first: Vec<_> =
            fs::read_dir(at(name)).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap()).collect();
        fs::remove_dir_all(at(name)).unwrap();
        export(&read, format, &at(name), &Context::default()).unwrap();
        let again: Vec<_> =
            fs::read_dir(at(name)).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap()).collect();
        assert_eq!(first, again);
        let reader = if format == Format::Parquet { "parquet" } else { "jsonl" };
        let given = [("as", Value::Choice("Chat".into()))];
        let input = source(reader, &Roots::project(folder.path()), &format!("{name}/*"), &given);
        run_on(2, &Segment::new(input, at("back")));
        let back = documents(&at("back"));
        fs::remove_dir_all(at("back")).unwrap();
        assert_eq!(back.len(), 3);
        for (own, wanted) in back.iter().zip(&wanted) {
            assert_eq!(own.text, wanted.text);
            if format == Format::Parquet {
                // A column of two types is text there, further fields of messages are JSON.
                assert!(matches!(own.columns.get("n"), None | Some(Cell::Text(_))), "{own:?}");
            } else {
                assert_eq!(own.row, wanted.row);
            }
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_half_written() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let read = stored(folder.path());
    // The name under which a part is written before it is renamed leads to a disk without room.
    fs::create_dir(folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("out/.part-00000.jsonl.tmp")).unwrap();
    let failed = export(&read, Format::Jsonl, &folder.path().join("out"), &Context::default());
    assert!(failed.unwrap_err().to_string().contains("No space left"));
    assert!(!folder.path().join("out/part-00000.jsonl").exists());
    fs::remove_file(folder.path().join("out/.part-00000.jsonl.tmp")).unwrap();
    export(&read, Format::Jsonl, &folder.path().join("out"), &Context::default()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("out/part-00000.jsonl")).unwrap().lines().count(), 3);
}
