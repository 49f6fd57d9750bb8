//! Bad data: every fault is reported with its place, every good document is there, nothing panics.

use std::{fs, io::Write, path::Path};

use crate::common::{documents, run_on, source};
use flate2::{Compression, write::GzEncoder};
use llmp_data::{
    At, BadRecord, Context, DataError,
    engine::{self, Segment, Summary},
    readers::Roots,
};
use llmp_stdlib::Value;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads files of a temporary folder; gives what came of it and the texts.
fn read(reader: &str, files: &[(&str, Vec<u8>)]) -> (Summary, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let input = source(reader, &Roots::project(folder.path()), "in/*", &[]);
    let out = folder.path().join("out");
    let summary = run_on(2, &Segment::new(input, &out));
    // What is wrong is kept beside the parts.
    let kept = fs::read_to_string(out.join("bad.jsonl")).unwrap_or_default();
    let kept: Vec<BadRecord> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept, summary.bad);
    let texts = documents(&out).into_iter().map(|doc| match doc.raw {
        Some(raw) => String::from_utf8(raw.bytes).unwrap(),
        None => doc.text,
    });
    (summary, texts.collect())
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    fs::create_dir(folder.join("in")).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join("in").join(name), bytes).unwrap();
    }
}

fn places(summary: &Summary) -> Vec<(&str, At)> {
    assert_eq!(summary.bad_records, summary.bad.len() as u64);
    assert_eq!(summary.counts[0].reasons.get("bad record").copied().unwrap_or(0), summary.bad_records);
    summary.bad.iter().map(|BadRecord { file, at, .. }| (file.as_str(), *at)).collect()
}

#[test]
fn a_cut_gz_gives_the_lines_before_the_cut() {
    let noise = |k: usize| blake3::hash(&k.to_le_bytes()).to_hex().to_string();
    let lines: Vec<String> = (0..4000).map(|k| format!("{{\"text\":\"{} {k}\"}}\n", noise(k))).collect();
    let whole = gz(lines.concat().as_bytes());
    let (summary, texts) =
        read("jsonl", &[("a.gz", whole[..whole.len() / 2].to_vec()), ("b.gz", gz(b"{\"text\":\"b\"}"))]);
    let n = texts.len() - 1;
    assert!(n > 1500 && n < 2500, "{n}");
    assert!(texts[..n].iter().enumerate().all(|(k, text)| *text == format!("{} {k}", noise(k))));
    assert_eq!(texts[n], "b");
    assert_eq!(places(&summary), [("in/a.gz", At::Line(n as u64 + 1))]);
    assert!(summary.bad[0].what.contains("ends in the middle"), "{:?}", summary.bad);
    // Both files were read whole all the same, and their hashes are those of their bytes.
    assert_eq!(summary.files[0].hash, blake3::hash(&whole[..whole.len() / 2]).to_hex().to_string());
}

#[test]
fn lines_that_are_no_documents_are_named() {
    let jsonl = b"\xef\xbb\xbf{\"text\":\"one\",\"n\":1,\"tags\":[\"a\"]}\n\nnot json\n{\"text\":\"\xff\"}\n{\"no\":1}\n{\"text\":2}\n[1]\n{\"text\":\"two\"}";
    let several = [gz(b"{\"text\":\"three\"}\n"), gz(b"{\"text\":\"four\"}\n")].concat();
    let zst = zstd::encode_all(&b"{\"text\":\"five\"}\n"[..], 3).unwrap();
    let (summary, texts) =
        read("jsonl", &[("1", jsonl.to_vec()), ("2", several), ("3", zst), ("4", Vec::new())]);
    assert_eq!(texts, ["one", "two", "three", "four", "five"]);
    let at = |n| ("in/1", At::Line(n));
    assert_eq!(places(&summary), [at(3), at(4), at(5), at(6), at(7), ("in/4", At::File)]);
    assert_eq!(summary.bad[0].to_string(), "in/1:3: not a JSON object: expected ident at line 1 column 2");
}

#[test]
fn texts_that_are_not_utf8_or_empty_are_named() {
    let cut = gz(&b"word ".repeat(5000));
    let files = [
        ("a", b"good".to_vec()),
        ("b", b"line\nb\xe9d".to_vec()),
        ("c", Vec::new()),
        ("d", cut[..cut.len() - 9].to_vec()),
        ("e", b"\xef\xbb\xbfmark".to_vec()),
    ];
    let (summary, texts) = read("text", &files);
    assert_eq!(texts, ["good", "mark"]);
    assert_eq!(places(&summary), [("in/b", At::File), ("in/c", At::File), ("in/d", At::File)]);
    assert_eq!(summary.bad[0].what, "not UTF-8: line 2, byte 6 is 0xe9");
}

#[test]
fn a_source_that_stops_names_the_first_fault() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a", [b"{\"text\":\"a\"}\n".as_slice(), &b"x\n".repeat(5000)].concat())]);
    let stop = [("on_error", Value::Choice("stop".into()))];
    let input = source("jsonl", &Roots::project(folder.path()), "in/a", &stop);
    let ended = engine::run(&Segment::new(input, folder.path().join("out")), &Context::default());
    let Err(DataError::Bad(bad)) = ended else { panic!("{ended:?}") };
    // Many more follow, so that threads meet several at once.
    assert_eq!((bad.file.as_str(), bad.at), ("in/a", At::Line(2)));
}

fn response(uri: &str, http: &[u8]) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nContent-Type: application/http\r\nContent-Length: {}\r\n\r\n",
        http.len()
    );
    [head.as_bytes(), http, b"\r\n\r\n"].concat()
}

#[test]
fn a_warc_in_pieces_gives_its_whole_records() {
    let ok = |body: &[u8], extra: &str| {
        [format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{extra}\r\n").as_bytes(), body].concat()
    };
    let request = b"WARC/1.0\r\nWARC-Type: request\r\nContent-Length: 3\r\n\r\nGET\r\n\r\n".to_vec();
    let revisit = b"WARC/1.0\r\nWARC-Type: revisit\r\nContent-Length: 0\r\n\r\n\r\n\r\n".to_vec();
    let chunked = ok(b"4\r\nchun\r\n3;x=y\r\nked\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n");
    let zipped = ok(&gz(b"zipped"), "Content-Encoding: gzip\r\n");
    let torn = ok(&gz(b"zipped")[..12], "Content-Encoding: gzip\r\n");
    let records = [
        request,
        response("http://a/", &ok(b"plain", "")),
        response("http://a/", &chunked),
        revisit,
        response("http://a/", &zipped),
        response("http://a/", b"HTTP/1.1 404 Not Found\r\n\r\nno"),
        b"junk that is no record\r\nmore junk\r\n".to_vec(),
        response("http://a/", &torn),
        b"WARC/1.0\r\nWARC-Type: response\r\n\r\n".to_vec(),
        response("http://a/", &ok(b"last", "")),
    ];
    let whole = records.concat();
    let by_record = records.iter().flat_map(|record| gz(record)).collect::<Vec<u8>>();
    for bytes in [whole.clone(), by_record] {
        let (summary, texts) = read(
            "warc",
            &[("a.warc", bytes), ("b.warc", whole[..whole.len() - 8].to_vec()), ("c", Vec::new())],
        );
        assert_eq!(texts, ["plain", "chunked", "zipped", "last", "plain", "chunked", "zipped"]);
        let bad: Vec<(&str, At)> = places(&summary);
        let expected = [7, 8, 9].map(|n| ("in/a.warc", At::Record(n)));
        assert_eq!(bad[..3], expected);
        assert_eq!(
            bad[3..],
            [[7, 8, 9, 10].map(|n| ("in/b.warc", At::Record(n))).to_vec(), vec![("in/c", At::File)]].concat()
        );
        let reasons = &summary.counts[0].reasons;
        assert_eq!((reasons["request"], reasons["revisit"], reasons["http status"]), (2, 2, 2));
    }
}

#[test]
fn real_warcs_cut_anywhere_never_panic() {
    let Some(shared) = crate::common::shared() else { return };
    let whole = fs::read(shared.join("web/commoncrawl/whirlwind.warc.gz")).unwrap();
    let (all, texts) = read("warc", &[("w", whole.clone())]);
    assert_eq!((all.bad_records, texts.len()), (0, 1));
    for cut in (0..whole.len()).step_by(whole.len() / 23) {
        let (summary, _) = read("warc", &[("w", whole[..cut].to_vec())]);
        assert!(summary.bad_records <= 1 && summary.main.documents <= 1);
        assert!(summary.main.documents == 1 || summary.bad_records == 1 || summary.counts[0].input < 3);
    }
}

#[test]
fn a_damaged_parquet_file_is_named() {
    let good = parquet_file();
    let files = [
        ("a", good.clone()),
        ("b", good[..good.len() - 20].to_vec()),
        ("c", b"PAR1 nothing PAR1".to_vec()),
        ("d", Vec::new()),
    ];
    let (summary, texts) = read("parquet", &files);
    assert_eq!(texts, ["x", "z"]);
    assert_eq!(
        places(&summary),
        [("in/a", At::Record(2)), ("in/b", At::File), ("in/c", At::File), ("in/d", At::File)]
    );
}

fn parquet_file() -> Vec<u8> {
    use arrow::array::{ArrayRef, BooleanArray, Float32Array, Int64Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec![Some("x"), None, Some("z")]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
        ("f", Arc::new(Float32Array::from(vec![0.5, 1.5, 2.5]))),
        ("ok", Arc::new(BooleanArray::from(vec![true, false, true]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}
