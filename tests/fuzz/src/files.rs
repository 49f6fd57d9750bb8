//! What must hold for every file, however spoiled: readers of data and of models. A target panics where it does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use llmp_data::fasttext::Model;
use llmp_data::readers::{self, Body, Reader, Roots, SourceFile, Tap};
use llmp_data::steps::robots_txt::Rules;
use llmp_data::steps::{self, Map, Outcome};
use llmp_data::{Document, RawPage};
use llmp_stdlib::{Record, Signature, Value, literal};

use crate::blind::gz;
use crate::session;
use crate::{columnar, corpus};

/// One entry of the runtime that takes files of unknown origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTarget {
    /// Web archives.
    Warc,
    /// Extraction of text from a page, with its charset.
    Html,
    /// JSON Lines, as documents, conversations and preferences.
    Jsonl,
    /// CSV.
    Csv,
    /// Parquet.
    Parquet,
    /// Arrow IPC.
    Arrow,
    /// Robots rules.
    Robots,
    /// Models of fastText.
    Fasttext,
    /// Models in one file, with their tokenizers.
    Gguf,
}

impl FileTarget {
    /// All of them.
    pub const ALL: [FileTarget; 9] = [
        FileTarget::Warc,
        FileTarget::Html,
        FileTarget::Jsonl,
        FileTarget::Csv,
        FileTarget::Parquet,
        FileTarget::Arrow,
        FileTarget::Robots,
        FileTarget::Fasttext,
        FileTarget::Gguf,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            FileTarget::Warc => "warc",
            FileTarget::Html => "html",
            FileTarget::Jsonl => "jsonl",
            FileTarget::Csv => "csv",
            FileTarget::Parquet => "parquet",
            FileTarget::Arrow => "arrow",
            FileTarget::Robots => "robots",
            FileTarget::Fasttext => "fasttext",
            FileTarget::Gguf => "gguf",
        }
    }

    /// The target of a name.
    pub fn named(name: &str) -> Option<FileTarget> {
        FileTarget::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Files that fuzzing starts from: those of the corpus (former findings among them), and built ones.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name());
        let mut all = session::files(&folder);
        let examples = corpus::root().join("examples/data");
        match self {
            FileTarget::Warc => {
                let plain: Vec<Vec<u8>> = all.iter().filter(|f| f.starts_with(b"WARC")).cloned().collect();
                all.extend(plain.iter().map(|file| gz(file)));
                all.extend(plain.iter().map(|file| zstd::encode_all(&file[..], 1).unwrap()));
            }
            FileTarget::Html => all.extend(pages(&examples.join("apache-httpd-docs.warc.gz"))),
            FileTarget::Fasttext => {
                let model = corpus::root().join("runtime/data/models/lid.176.ftz");
                // The whole model is a megabyte: its beginning is where the structure is.
                all.extend(std::fs::read(model).map(|bytes| bytes[..bytes.len().min(40_000)].to_vec()));
            }
            FileTarget::Parquet => all.extend(columnar::parquet()),
            FileTarget::Arrow => all.extend(columnar::arrow()),
            FileTarget::Gguf => all.push(gguf()),
            FileTarget::Robots | FileTarget::Jsonl | FileTarget::Csv => {}
        }
        all
    }

    /// Words that mean something to the target.
    pub fn words(self) -> &'static [&'static [u8]] {
        match self {
            FileTarget::Warc => &[
                b"WARC/1.0\r\n",
                b"\r\n\r\n",
                b"WARC-Type: response\r\n",
                b"Content-Length: 99999999999\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Content-Encoding: deflate\r\n",
                b"Content-Encoding: zstd\r\n",
                b"HTTP/1.1 200 OK\r\n",
                b"filedesc://a 0 0 text/plain 3\n",
                b"ffffffffffffffff\r\n",
                b"\x1f\x8b\x08",
                b"\x28\xb5\x2f\xfd",
                b"\x5d\x2a\x4d\x18",
            ],
            FileTarget::Html => HTML,
            FileTarget::Jsonl => &[
                b"\"text\":",
                b"\"messages\":",
                b"\"prompt\":",
                b"\"chosen\":",
                b"\"rejected\":",
                b"\"metadata\":{",
                b"{\"role\":\"user\",\"content\":\"a\"}",
                b"null",
                b"1e999",
                b"\\ud800",
                b"\\u0000",
                b"[[[[[[[[[[[[",
                b"\"\\n\\nHuman: a\\n\\nAssistant: b\"",
                b"\xef\xbb\xbf",
                b"-0",
                b"\"conversations\":",
            ],
            FileTarget::Csv => &[b"\"\"", b"\",\"", b"\r\n", b"\"\n", b"text", b"1e999", b"\xef\xbb\xbf"],
            FileTarget::Parquet => &[b"PAR1", b"\x15\x00", b"\x15\xfe\xff\xff\xff\x0f", b"\x19\xfc"],
            FileTarget::Arrow => &[b"ARROW1\0\0", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"],
            FileTarget::Robots => &[
                b"User-agent: *\n",
                b"Disallow: /",
                b"Allow: ",
                b"%",
                b"%2F",
                b"*",
                b"$",
                b"\r",
                b"#",
                b"\xef\xbb\xbf",
                b"\xc3\xa9",
                b"llmp",
                b"Sitemap: x\n",
            ],
            FileTarget::Gguf => GGUF,
            FileTarget::Fasttext => &[b"__label__", b"</s>", b"\0\0\0\0\0\0\0\x80", b"\xff\xff\xff\x7f"],
        }
    }

    /// Runs it on a file; what it noticed in words, the same for files that take the same ways.
    pub fn run(self, file: &[u8]) -> String {
        match self {
            FileTarget::Warc | FileTarget::Csv | FileTarget::Parquet | FileTarget::Arrow => {
                read(self.name(), "Docs", file)
            }
            FileTarget::Jsonl => {
                let states = ["Docs", "Chat", "Prompt", "Preference", "Labelled"];
                states.map(|state| read("jsonl", state, file)).join(";")
            }
            FileTarget::Html => extracted(file),
            FileTarget::Robots => ruled(file),
            FileTarget::Fasttext => predicted(file),
            FileTarget::Gguf => opened(file),
        }
    }
}

/// Pieces of a GGUF file.
const GGUF: &[&[u8]] = &[
    b"GGUF\x03\0\0\0",
    b"\x08\0\0\0",
    b"\x09\0\0\0",
    b"\x0e\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"general.alignment",
    b"tokenizer.ggml.model",
    b"tokenizer.ggml.merges",
    b"tokenizer.ggml.scores",
];

/// A small file with a tokenizer and two tensors.
fn gguf() -> Vec<u8> {
    use llmp_nn::gguf::{Metadata, Pending, Storage, Value, write};
    let texts = |all: &[&str]| Value::List(all.iter().map(|t| Value::from(*t)).collect());
    let metadata: Metadata = [
        ("general.architecture", Value::from("llama")),
        ("general.alignment", Value::U32(32)),
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", texts(&["<unk>", "<s>", "a", "b", "ab", "<0x0A>"])),
        ("tokenizer.ggml.scores", Value::List((0..6).map(|i| Value::F32(-(i as f32))).collect())),
        ("tokenizer.ggml.token_type", Value::List([2, 3, 1, 1, 1, 6].map(Value::I32).into())),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let tensor = |name: &str, storage| Pending {
        name: name.to_owned(),
        shape: vec![2, 32],
        storage,
        values: Box::new(|| (0..64).map(|i| i as f32).collect()),
    };
    let mut bytes = Vec::new();
    let tensors = [tensor("token_embd.weight", Storage::Q8), tensor("output.weight", Storage::F16)];
    write(&mut bytes, &metadata, &tensors).unwrap();
    bytes
}

/// Metadata, tokenizer and every tensor of a GGUF file.
fn opened(file: &[u8]) -> String {
    let mut reader = match llmp_nn::gguf::Reader::open(std::io::Cursor::new(file)) {
        Ok(reader) => reader,
        Err(words) => {
            return words.split('`').next().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
        }
    };
    let tokenizer = match llmp_train::gguf::tokenizer(reader.metadata()) {
        Ok(json) => json["model"]["merges"].as_array().map_or(0, Vec::len).to_string(),
        Err(words) => words,
    };
    let names: Vec<String> = reader.names().map(str::to_owned).collect();
    for name in &names {
        let numbers = reader.read(name).map_or(0, |values| values.len());
        let shape = reader.shape(name).map_or(0, |shape| shape.iter().product());
        assert_eq!(numbers, shape, "{name}");
    }
    format!("{} tensors; {tokenizer}", names.len())
}

/// Pieces of pages.
const HTML: &[&[u8]] = &[
    b"<p>",
    b"</p>",
    b"<div>",
    b"</div>",
    b"<pre>",
    b"<table>",
    b"<tr><td>",
    b"<script>",
    b"</script>",
    b"<!--",
    b"-->",
    b"<svg>",
    b"<math>",
    b"<mfrac>",
    b"<annotation encoding=\"application/x-tex\">",
    b"<meta charset=utf-16>",
    b"<meta charset=euc-kr>",
    b"&#x110000;",
    b"&amp",
    b"<![CDATA[",
    b"<title>",
    b"<article>",
    b"<li>",
    b"<code>",
    b"<img alt=\"x\">",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"<template>",
    b"<noscript>",
    b"<br>",
    b"<base href=\"http://[\">",
    b"<a href=\"x\">",
    b" class=\"article comment\"",
];

fn args(signature: &Signature, given: &[(&str, Value)]) -> Record {
    let value = |name: &str, default: Option<&str>| match given.iter().find(|(own, _)| *own == name) {
        Some((_, value)) => value.clone(),
        None => literal::parse(default.unwrap()).unwrap(),
    };
    signature.params.iter().map(|p| (p.name.to_owned(), value(p.name, p.default))).collect()
}

fn reader(name: &str, state: &str) -> Arc<dyn Reader> {
    let signature = readers::SIGNATURES.iter().find(|s| s.name == name).unwrap();
    let given = [("glob", Value::text("in")), ("as", Value::Choice(state.into()))];
    readers::reader(name, &args(signature, &given)).unwrap().unwrap()
}

/// Reads a file to its end: records are numbered in order, and every document can be stored and read back.
fn read(name: &str, state: &str, bytes: &[u8]) -> String {
    let path = temporary(name);
    std::fs::write(&path, bytes).unwrap();
    let file = SourceFile { label: "in".into(), path, bytes: bytes.len() as u64 };
    let reader = reader(name, state);
    let tap = Tap::open(&file).unwrap();
    let mut ways = BTreeSet::new();
    let (mut next, mut number) = (0, 0u64);
    for record in reader.open(&file, tap.clone()).unwrap() {
        let record = record.unwrap();
        assert!(record.index >= next, "records out of order");
        next = record.index + 1;
        number += 1;
        let body = match record.body {
            Body::Bytes(bytes) => reader.parse(&file, record.index, bytes),
            other => other,
        };
        match body {
            Body::Document(doc) => {
                let line = doc.to_line();
                assert!(!line.contains(&b'\n'), "a line in a line");
                let back: Document = serde_json::from_slice(&line).unwrap();
                assert!(back == doc, "a stored document is another");
                let columns: Vec<&str> = doc.columns.keys().map(String::as_str).take(4).collect();
                ways.insert(format!("doc {} {columns:?}", doc.text.len().min(3)));
            }
            Body::Skipped(why) => _ = ways.insert(why.to_owned()),
            Body::Bad(what) => {
                assert!(!what.is_empty(), "a fault without words");
                let plain: String = what.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
                ways.insert(plain);
            }
            Body::Bytes(_) => panic!("bytes after parsing"),
        }
    }
    let facts = tap.finish().unwrap();
    assert_eq!(facts.bytes, bytes.len() as u64, "the whole file is hashed");
    format!("{} {ways:?}", number.min(4))
}

fn temporary(name: &str) -> PathBuf {
    // Memory, where there is a folder of it: every input is written and read.
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { corpus::root().join("target/fuzz") };
    folder.join(format!("llmp-fuzz-{name}-{}.in", std::process::id()))
}

/// Pages of an archive, the short ones.
fn pages(archive: &Path) -> Vec<Vec<u8>> {
    let Ok(facts) = std::fs::metadata(archive) else { return Vec::new() };
    let file = SourceFile { label: "in".into(), path: archive.into(), bytes: facts.len() };
    let reader = reader("warc", "Docs");
    let records = reader.open(&file, Tap::open(&file).unwrap()).unwrap();
    let page = |record: llmp_data::Result<readers::Record>| match record.ok()?.body {
        Body::Bytes(bytes) => match reader.parse(&file, 0, bytes) {
            Body::Document(doc) => doc.raw.map(|raw| raw.bytes),
            _ => None,
        },
        _ => None,
    };
    records.filter_map(page).filter(|page| page.len() < 12_000).take(40).collect()
}

fn extractor(keep: &str) -> Arc<dyn Map> {
    let signature = steps::SIGNATURES.iter().find(|s| s.name == "extract_text").unwrap();
    let given = [("keep", literal::parse(keep).unwrap())];
    steps::map("extract_text", &args(signature, &given), &Roots::default()).unwrap().unwrap()
}

/// Extracts a page: what is kept has text, and twice gives the same.
fn extracted(page: &[u8]) -> String {
    let mut ways = Vec::new();
    for (content_type, keep) in [("text/html", "[]"), ("text/html; charset=gbk", "[math, code, alt_text]")] {
        let step = extractor(keep);
        let raw = RawPage { bytes: page.to_vec(), content_type: Some(content_type.to_owned()) };
        let mut doc = Document { raw: Some(raw), ..Document::new("in#0", "") };
        let mut again = doc.clone();
        let outcome = step.apply(&mut doc);
        assert!(step.apply(&mut again) == outcome && again == doc, "twice gives something else");
        match outcome {
            Outcome::Keep => {
                assert!(!doc.text.trim().is_empty(), "a kept page without text");
                let lines = doc.text.lines().count().min(9);
                ways.push(format!("{} {lines} {}", doc.text.len().ilog2(), doc.columns.len()));
            }
            Outcome::Drop(reason) => ways.push(reason.into_owned()),
        }
    }
    ways.join(";")
}

/// Reads rules and asks them: what they say depends on nothing else.
fn ruled(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let urls = [
        "https://a.example/",
        "https://a.example/private/open",
        "https://a.example/aXbXcXd?e=%2F&f=\u{e9}#g",
        "/a/b.pdf",
        "https://a.example/%7Ea/%2fb%",
        "",
        "not a url\n*",
    ];
    let mut ways = String::new();
    for agent in ["llmp", "*", "GPTBot", "", "ccbot/2.0 (x)"] {
        let rules = Rules::of(&text, agent);
        assert!(rules == Rules::of(&text, agent), "twice gives other rules");
        ways.extend(urls.map(|url| if rules.allow(url) { '+' } else { '-' }));
        // A URL out of the file itself meets its own rules.
        let own = text.lines().find_map(|line| line.split_once(':')).map_or("", |(_, rest)| rest.trim());
        ways.push(if rules.allow(own) { '+' } else { '-' });
    }
    ways
}

/// Reads a model and uses it.
fn predicted(file: &[u8]) -> String {
    match Model::from_bytes(file) {
        Err(what) => what.chars().filter(|c| !c.is_ascii_digit()).take(60).collect(),
        Ok(model) => {
            let mut count = 0;
            for text in ["", "a b c", "Das ist ein Satz mit mehreren Wörtern.", "\0 \u{fffd}"] {
                for prediction in model.predict(text, 3) {
                    let p = prediction.probability;
                    assert!((0.0..=1.0).contains(&p), "a probability of {p}");
                    count += 1;
                }
            }
            format!("a model, {count} predictions")
        }
    }
}
