//! Throughput of extraction, Gopher's rules and MinHash on one core: `cargo bench -p llmp-data --bench filters`.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads the clock and prints")]

use std::{hint::black_box, path::Path, time::Instant};

use llmp_data::{
    Document,
    readers::{self, Body, Roots, SourceFile, Tap},
    steps::{self, Built},
};
use llmp_stdlib::{Record, Signature, Value, literal};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let roots = Roots::project(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"));
    let mut pages = Vec::new();
    for file in roots.files("data/*.warc.gz")? {
        read(&file, &mut pages)?;
    }
    let mut texts = pages.clone();
    measure("extract_text", &roots, &mut texts)?;
    texts.retain(|doc| !doc.text.is_empty());
    for step in ["detect_language", "gopher_quality", "gopher_repetition", "dedup_exact", "dedup_minhash"] {
        measure(step, &roots, &mut texts.clone())?;
    }
    Ok(())
}

fn read(file: &SourceFile, pages: &mut Vec<Document>) -> Result<(), Error> {
    let signature = readers::SIGNATURES.iter().find(|s| s.name == "warc").ok_or("no reader")?;
    let reader = readers::reader("warc", &args(signature, &file.label)?)?.ok_or("no reader")?;
    for record in reader.open(file, Tap::open(file)?)? {
        let record = record?;
        if let Body::Bytes(bytes) = record.body
            && let Body::Document(doc) = reader.parse(file, record.index, bytes)
        {
            pages.push(doc);
        }
    }
    Ok(())
}

fn args(signature: &Signature, glob: &str) -> Result<Record, Error> {
    let value = |default: Option<&str>| default.map_or(Ok(Value::text(glob)), literal::parse);
    Ok(signature
        .params
        .iter()
        .map(|p| Ok((p.name.to_string(), value(p.default)?)))
        .collect::<Result<_, String>>()?)
}

/// Prints megabytes of input text per second.
fn measure(name: &str, roots: &Roots, docs: &mut [Document]) -> Result<(), Error> {
    let signature = steps::SIGNATURES.iter().find(|s| s.name == name).ok_or("no step")?;
    let step = steps::build(name, &args(signature, "")?, roots)?.ok_or("no step")?;
    let bytes: u64 = docs.iter().map(Document::bytes).sum();
    let start = Instant::now();
    for doc in docs.iter_mut() {
        match &step {
            Built::Map(map) => drop(black_box(map.apply(doc))),
            Built::Barrier(barrier) => {
                let mut sketch = Vec::new();
                barrier.sketch(doc, &mut sketch);
                drop(black_box(sketch));
            }
            Built::Split(split) => drop(black_box(split.holds_out(doc).to_string())),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name:18} {:8.1} MB/s  ({} documents, {:.1} MB)",
        bytes as f64 / 1e6 / seconds,
        docs.len(),
        bytes as f64 / 1e6
    );
    Ok(())
}
