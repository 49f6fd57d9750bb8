//! Throughput of steps on one core: `cargo bench --workspace --bench filters`, on the pages of examples/ or on the documents of
//! a JSON Lines file: `-- FILE`. Times are processor time of the thread, so that other work on the machine counts little.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads the clock and prints")]

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use llmp_data::{
    Document,
    readers::{self, Body, Roots, SourceFile, Tap},
    steps::{self, Built, Outcome},
};
use llmp_stdlib::{Record, Signature, Value, literal};

type Error = Box<dyn std::error::Error>;

/// What FineWeb does to English pages, in datatrove's terms: Gopher repetition, Gopher quality, C4, FineWeb.
const CHAIN: [&str; 5] = [
    "gopher_repetition",
    "gopher_quality",
    "c4_lines(terminal = false)",
    "c4_quality(bad_words = false)",
    "fineweb_quality",
];
/// Other steps on text.
const OTHERS: [&str; 10] = [
    "detect_language",
    "dedup_exact",
    "dedup_minhash",
    "redact_pii",
    "code_quality",
    "bad_words",
    "drop_profanity",
    "refinedweb_lines",
    "score_math",
    "strip_markdown",
];

fn main() -> Result<(), Error> {
    let roots = Roots::project(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"));
    let texts = match std::env::args().skip(1).find(|arg| !arg.starts_with('-')) {
        Some(file) => lines(&file)?,
        None => pages(&roots)?,
    };
    for name in OTHERS.iter().chain(&CHAIN) {
        measure(name, &[step(name, &roots)?], &texts);
    }
    let chain = |names: &[&str]| names.iter().map(|name| step(name, &roots)).collect::<Result<Vec<_>, _>>();
    measure("chain", &chain(&CHAIN)?, &texts);
    let mut tokens = CHAIN;
    tokens[0] = "gopher_repetition(words = tokens)";
    tokens[1] = "gopher_quality(words = tokens)";
    measure("chain, words = tokens", &chain(&tokens)?, &texts);
    Ok(())
}

/// The documents of a file.
fn lines(file: &str) -> Result<Vec<Document>, Error> {
    let texts = std::fs::read_to_string(file)?;
    texts
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let row: serde_json::Value = serde_json::from_str(line)?;
            Ok(Document::new(format!("{at}"), row["text"].as_str().ok_or("a line without text")?))
        })
        .collect()
}

/// The text of the example pages.
fn pages(roots: &Roots) -> Result<Vec<Document>, Error> {
    let mut pages = Vec::new();
    for file in roots.files("data/*.warc.gz")? {
        read(&file, &mut pages)?;
    }
    let extract = step("extract_text", roots)?;
    measure("extract_text", std::slice::from_ref(&extract), &pages);
    if let Built::Map(map) = extract {
        pages.iter_mut().for_each(|page| drop(map.apply(page)));
    }
    pages.retain(|doc| !doc.text.is_empty());
    Ok(pages)
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

/// A step as it is written: `name` or `name(parameter = value)`.
fn step(written: &str, roots: &Roots) -> Result<Built, Error> {
    let (name, given) = written.trim_end_matches(')').split_once('(').unwrap_or((written, ""));
    let signature = steps::SIGNATURES.iter().find(|s| s.name == name).ok_or("no step")?;
    let mut args = args(signature, "")?;
    if let Some((parameter, value)) = given.split_once(" = ") {
        args.insert(parameter.to_string(), literal::parse(value)?);
    }
    Ok(steps::build(name, &args, roots)?.ok_or("no step")?)
}

/// Prints megabytes of input and documents for each second: rounds until 0.3 seconds were spent.
fn measure(name: &str, steps: &[Built], docs: &[Document]) {
    let bytes: u64 = docs.iter().map(Document::bytes).sum();
    let (mut spent, mut rounds, mut kept) = (Duration::ZERO, 0u32, 0);
    while spent < Duration::from_millis(300) && rounds < 200 {
        let mut docs = docs.to_vec();
        let start = processor_time();
        kept = docs.iter_mut().map(|doc| usize::from(steps.iter().all(|step| apply(step, doc)))).sum();
        spent += processor_time().saturating_sub(start);
        rounds += 1;
    }
    let seconds = spent.as_secs_f64() / f64::from(rounds);
    println!(
        "{name:34} {:8.1} MB/s {:10.0} documents/s  ({} documents, {kept} kept, {:.1} MB)",
        bytes as f64 / 1e6 / seconds,
        docs.len() as f64 / seconds,
        docs.len(),
        bytes as f64 / 1e6
    );
}

fn apply(step: &Built, doc: &mut Document) -> bool {
    match step {
        Built::Map(map) => black_box(map.apply(doc)) == Outcome::Keep,
        Built::Barrier(barrier) => {
            let mut sketch = Vec::new();
            barrier.sketch(doc, &mut sketch);
            !black_box(sketch).is_empty()
        }
        Built::Split(split) => !black_box(split.holds_out(doc)),
    }
}

/// Time that this thread ran on a processor; where the system does not tell, time on the wall.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()) {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => {
            static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            START.get_or_init(Instant::now).elapsed()
        }
    }
}
