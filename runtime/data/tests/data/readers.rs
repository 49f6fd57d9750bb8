//! Readers on real and built files: every format gives its documents, columns keep their types, limits hold.

use std::{fs, io::Write, path::Path, sync::Arc};

use crate::common::{args, documents, run_on, shared, source};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use llmp_data::{
    Cell, Document,
    engine::{Input, Segment, Summary},
    readers::{self, Roots},
};
use llmp_stdlib::Value;

/// Reads files of a temporary folder.
fn read(reader: &str, given: &[(&str, Value)], files: &[(&str, Vec<u8>)]) -> (Summary, Vec<Document>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join("in").join(name), bytes).unwrap();
    }
    let input = source(reader, &Roots::project(folder.path()), "in/*", given);
    run(folder.path(), input)
}

fn run(folder: &Path, input: Input) -> (Summary, Vec<Document>) {
    let out = folder.join("out");
    let summary = run_on(2, &Segment::new(input, &out));
    (summary, documents(&out))
}

fn of(state: &str) -> (&'static str, Value) {
    ("as", Value::Choice(state.into()))
}

fn columns(declared: &[(&str, &str)]) -> (&'static str, Value) {
    let declared = declared.iter().map(|(name, ty)| ((*name).to_owned(), Value::Choice((*ty).into())));
    ("columns", Value::Record(declared.collect()))
}

#[test]
fn csv_rows_have_typed_columns_and_named_faults() {
    let rows =
        "text,stars,ok\r\n\"one, \"\"two\"\"\nthree\",4.5,true\r\nfive,x,false\n\nsix,,\nseven\n\"eight\n";
    let given = [columns(&[("stars", "Num"), ("ok", "Bool")])];
    let (summary, docs) = read("csv", &given, &[("a", rows.as_bytes().to_vec()), ("b", Vec::new())]);
    let texts: Vec<&str> = docs.iter().map(|doc| doc.text.as_str()).collect();
    assert_eq!(texts, ["one, \"two\"\nthree", "six"]);
    assert_eq!((&docs[0].columns["stars"], &docs[0].columns["ok"]), (&Cell::Num(4.5), &Cell::Bool(true)));
    assert!(docs[1].columns.is_empty() && docs[1].id == "in/a#2", "{:?}", docs[1]);
    let bad: Vec<String> = summary.bad.iter().map(ToString::to_string).collect();
    let wanted = [
        "in/a:4: the column `stars` is \"x\", declared as Num",
        "in/a:7: 1 fields, the header has 3",
        "in/a:8: a quote that does not end",
        "in/b: the file is empty",
    ];
    assert_eq!(bad, wanted);
    let tabs = [("separator", Value::text("\t")), ("text", Value::text("body"))];
    let (_, docs) = read("csv", &tabs, &[("a", b"id\tbody\n7\tso\"me\n".to_vec())]);
    assert_eq!((docs[0].text.as_str(), &docs[0].columns["id"]), ("so\"me", &Cell::from("7")));
    let chats = b"prompt,completion\nWhy?,So.\n".to_vec();
    let (_, docs) = read("csv", &[of("Chat")], &[("a", chats)]);
    assert_eq!(docs[0].text, "Why?\n\nSo.");
}

/// Two rows: a text, a number, a conversation.
fn batch() -> RecordBatch {
    let role: ArrayRef = Arc::new(StringArray::from(vec!["user", "assistant", "user"]));
    let content: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
    let weight: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1), None]));
    let fields = [("role", &role), ("content", &content), ("weight", &weight)]
        .map(|(name, array)| arrow::datatypes::Field::new(name, array.data_type().clone(), true));
    let turns = StructArray::new(fields.to_vec().into(), vec![role, content, weight], None);
    let item = Arc::new(arrow::datatypes::Field::new("item", turns.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 1]);
    let messages = ListArray::new(item, offsets, Arc::new(turns), None);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec!["x", "y"]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("messages", Arc::new(messages)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn arrow_and_parquet_rows_are_the_same() {
    let batch = batch();
    let (mut file, mut stream, mut packed, mut parquet) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let lz4 = arrow::ipc::writer::IpcWriteOptions::default()
        .try_with_compression(Some(arrow::ipc::CompressionType::LZ4_FRAME))
        .unwrap();
    let mut writer =
        arrow::ipc::writer::FileWriter::try_new_with_options(&mut packed, &batch.schema(), lz4).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let half = file[..file.len() / 2].to_vec();
    for given in [of("Docs"), of("Chat")] {
        let (_, wanted) = read("parquet", std::slice::from_ref(&given), &[("a", parquet.clone())]);
        assert_eq!(wanted.len(), 2);
        for bytes in [&file, &stream, &packed] {
            let (summary, docs) = read("arrow", std::slice::from_ref(&given), &[("a", bytes.clone())]);
            assert_eq!((summary.bad_records, &docs), (0, &wanted));
        }
        let (summary, _) =
            read("arrow", std::slice::from_ref(&given), &[("a", half.clone()), ("b", Vec::new())]);
        assert_eq!(summary.bad_records, 2, "{:?}", summary.bad);
        if given.1 == Value::Choice("Docs".into()) {
            assert_eq!((wanted[0].text.as_str(), &wanted[1].columns["n"]), ("x", &Cell::Num(2.0)));
            let json = r#"[{"role":"user","content":"a"},{"role":"assistant","weight":1}]"#;
            assert_eq!(wanted[0].columns["messages"], Cell::from(json));
        } else {
            let turns = wanted[0].row.as_ref().unwrap().part("messages").unwrap();
            assert_eq!((turns[1].content.as_deref(), &turns[1].more["weight"]), (None, &1.into()));
            assert_eq!((wanted[0].text.as_str(), &wanted[0].columns["text"]), ("a", &Cell::from("x")));
        }
    }
}

#[test]
fn a_folder_of_code_is_read_as_git_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("src/a.rs", "fn a() {}\n"),
        ("src/b.py", "# SPDX-License-Identifier: 0BSD\nprint()\n"),
        ("src/.hidden.rs", "no"),
        ("src/out/c.rs", "no"),
        ("src/inner/d.c", "int d;\n"),
        ("src/inner/LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy"),
        ("src/notes.txt", "no"),
        ("src/.gitignore", "out/\n"),
        ("src/.git/e.rs", "no"),
        ("src/long.rs", "//////////////////////////////\n"),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let code = readers::SIGNATURES.iter().find(|s| s.name == "code").unwrap();
    let given =
        [("folder", Value::text("src")), ("max_bytes", Value::number(llmp_stdlib::Rational::from(30)))];
    let reader = readers::reader("code", &args(code, &given)).unwrap().unwrap();
    let files = reader.files(&Roots::project(folder.path())).unwrap();
    let (summary, docs) = run(folder.path(), Input::Source(vec![(reader, files)]));
    let shown: Vec<String> = docs
        .iter()
        .map(|doc| {
            let text = |name: &str| match doc.columns.get(name) {
                Some(Cell::Text(text)) => text.clone(),
                _ => "none".into(),
            };
            format!("{} {} {}", text("path"), text("lang"), text("license"))
        })
        .collect();
    assert_eq!(shown, ["a.rs rust none", "inner/d.c c MIT"]);
    assert_eq!(summary.counts[0].reasons["longer than max_bytes"], 2);
}

#[test]
fn conversations_and_preferences_of_real_data_keep_every_message() {
    let Some(shared) = shared() else { return };
    let roots = Roots::project(&shared);
    for (state, glob, rows) in [
        ("Chat", "sft/oasst1-val.jsonl.gz", 651),
        ("Chat", "sft/glaive-toolcall-100.jsonl.gz", 100),
        ("Preference", "preference/hh-harmless-test.a.jsonl.gz", 1149),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (summary, docs) = run(folder.path(), source("jsonl", &roots, glob, &[of(state)]));
        // Some pairs of HH differ in their prompts, or answer nothing.
        assert!(summary.bad_records <= rows / 100, "{glob}: {:?}", &summary.bad[..summary.bad.len().min(3)]);
        assert_eq!(docs.len() as u64 + summary.bad_records, rows);
        assert!(docs.iter().all(|doc| !doc.text.is_empty() && doc.row.is_some()));
        let mut raw = String::new();
        let bytes = fs::read(shared.join(glob)).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut raw).unwrap();
        if glob.contains("oasst1") {
            for (doc, line) in docs.iter().zip(raw.lines()) {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let own: serde_json::Value = serde_json::from_slice(&doc.to_line()).unwrap();
                assert_eq!(own["messages"], line["messages"]);
            }
        }
    }
}

fn warc(kind: &str, content: &str, block: &[u8]) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a/\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\r\n",
        block.len()
    );
    [head.as_bytes(), block, b"\r\n\r\n"].concat()
}

#[test]
fn wet_resources_arc_and_dictionaries_give_pages() {
    let records = [
        warc("conversion", "text/plain", "é".as_bytes()),
        warc("resource", "text/html", b"<p>r"),
        warc("resource", "image/png", b"no"),
        warc("response", "text/dns", b"dns"),
        warc("revisit", "application/http", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        warc("continuation", "x", b"x"),
    ]
    .concat();
    let html = b"HTTP/1.0 200 OK\nContent-Type: text/html\n\n<p>old";
    let head = b"filedesc://a.arc 0.0.0.0 19960923142103 text/plain 76\n";
    let version = [b"1 0 Alexa\n".to_vec(), vec![b'x'; 66]].concat();
    let line = format!("http://a/b 1.2.3.4 19960923142103 text/html {}\n", html.len());
    let arc = [&head[..], &version, b"\n", line.as_bytes(), html, b"\njunk\n", line.as_bytes(), html, b"\n"];
    let dictionary = zstd::dict::from_samples(&vec![records.clone(); 64], 4096).unwrap();
    let mut with = vec![0x5d, 0x2a, 0x4d, 0x18];
    with.extend((dictionary.len() as u32).to_le_bytes());
    with.extend(&dictionary);
    for _ in 0..2 {
        let mut encoder = zstd::Encoder::with_dictionary(Vec::new(), 3, &dictionary).unwrap();
        encoder.write_all(&records).unwrap();
        with.extend(encoder.finish().unwrap());
    }
    let files = [("a.wet", records), ("b.arc", arc.concat()), ("c.warc.zst", with)];
    let (summary, docs) = read("warc", &[], &files);
    let pages: Vec<String> =
        docs.iter().map(|doc| String::from_utf8(doc.raw.clone().unwrap().bytes).unwrap()).collect();
    assert_eq!(pages, ["é", "<p>r", "<p>old", "<p>old", "é", "<p>r", "é", "<p>r"]);
    assert_eq!((summary.bad_records, summary.bad[0].file.as_str()), (1, "in/b.arc"), "{:?}", summary.bad);
    assert_eq!(docs[2].columns["date"], Cell::from("1996-09-23T14:21:03Z"));
    let reasons = &summary.counts[0].reasons;
    assert_eq!(
        (reasons["resource"], reasons["not http"], reasons["revisit"], reasons["warcinfo"]),
        (3, 3, 3, 1)
    );
}

/// A gzip file that is small and whose content is not.
fn bomb(unit: &[u8], mebibytes: usize) -> Vec<u8> {
    let block = unit.repeat((1 << 20) / unit.len());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..mebibytes {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn what_expands_without_end_is_a_bad_record() {
    let long = bomb(b"aaaaaaaa", 70);
    let good = [bomb(b"\"", 70), bomb(b"\n{\"text\":\"b\"}\n", 1)].concat();
    let (summary, docs) = read("jsonl", &[], &[("a", long.clone()), ("b", good)]);
    assert_eq!(summary.bad_records, 2, "{:?}", &summary.bad[..2]);
    assert!(summary.bad[0].what.contains("longer than 67108864 bytes") && docs.len() > 1000);
    let (summary, _) = read("text", &[], &[("a", long.clone())]);
    assert!(summary.bad[0].what.contains("longer than"), "{:?}", summary.bad);
    let quoted = [bomb(b"text\n\"", 1)[..].to_vec(), long.clone()].concat();
    let (summary, _) = read("csv", &[], &[("a", quoted)]);
    assert!(summary.bad_records > 0);
    let record = warc("response", "application/http", b"HTTP/1.1 200 OK\r\n\r\nb");
    let cut = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 73400320\r\n\r\n";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(cut).unwrap();
    let head = [encoder.finish().unwrap(), long.clone(), bomb(b"\r\n", 1)].concat();
    let mut last = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    last.write_all(&record).unwrap();
    let (summary, docs) = read("warc", &[], &[("a", [head, last.finish().unwrap()].concat()), ("b", long)]);
    let bad: Vec<String> = summary.bad.iter().map(ToString::to_string).collect();
    assert_eq!((bad.len(), docs.len()), (2, 1), "{bad:?}");
    assert!(bad[0].contains("longer than 67108864") && bad[1].contains("not a WARC record"), "{bad:?}");
}
