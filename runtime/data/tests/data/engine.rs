//! The segment engine on real pages: threads, counts, splits, and kills at every write and rename.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::common::{barrier, bytes, documents, examples, run_on, source, stage};
use llmp_data::{
    Context, DataError, Document,
    engine::{self, BarrierStage, Desk, Input, Packed, Segment, Sorter},
    readers::Roots,
    steps::{Barrier, Built, Mark},
};
use llmp_stdlib::Value;

/// Pages of a manual in eleven languages through extraction and two filters.
fn pages(out: &Path, rejects: &Path) -> Segment {
    let input = source("warc", &examples(), "data/apache-httpd-docs.warc.gz", &[]);
    let mut segment = Segment::new(input, out);
    segment.maps =
        vec![stage("extract_text", &[]), stage("gopher_quality", &[]), stage("gopher_repetition", &[])];
    segment.maps[1].rejects = Some(rejects.to_path_buf());
    segment.chunk_bytes = 1 << 20;
    segment
}

/// Near-duplicates out of stored documents, then a split.
fn unique(input: &Path, out: &Path, heldout: &Path) -> Segment {
    let mut segment = Segment::new(Input::Stored(vec![input.to_path_buf()]), out);
    segment.barrier = Some(BarrierStage { barrier: barrier("dedup_minhash", &[]), rejects: None });
    let args = crate::common::args(
        llmp_data::steps::SIGNATURES.iter().find(|s| s.name == "split").unwrap(),
        &[("heldout", Value::number(llmp_stdlib::Rational::new(1, 5)))],
    );
    let Some(Built::Split(split)) = llmp_data::steps::build("split", &args, &examples()).unwrap() else {
        panic!()
    };
    segment.split = Some((split, heldout.to_path_buf()));
    segment.chunk_bytes = 100_000;
    segment
}

#[test]
fn threads_change_no_byte_and_every_drop_has_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let one = run_on(1, &pages(&at("1/out"), &at("1/rejects")));
    let two = run_on(2, &pages(&at("2/out"), &at("2/rejects")));
    assert_eq!(one, two);
    assert_eq!(bytes(&at("1")), bytes(&at("2")));
    assert!(one.main.parts.len() > 2, "{:?}", one.main.parts);
    assert_eq!((one.bad_records, one.files.len()), (0, 1));
    for (count, next) in one.counts.iter().zip(one.counts.iter().skip(1)) {
        assert_eq!(count.output, next.input);
    }
    for count in &one.counts {
        assert_eq!(count.input, count.output + count.reasons.values().sum::<u64>(), "{count:?}");
    }
    let kept = documents(&at("1/out"));
    assert_eq!(kept.len() as u64, one.main.documents);
    assert_eq!(one.counts[0].reasons.get("warcinfo"), Some(&1), "{:?}", one.counts[0]);
    let rejected: Vec<serde_json::Value> = lines(&at("1/rejects"));
    assert_eq!(rejected.len() as u64, one.counts[2].reasons.values().sum::<u64>());
    assert!(rejected.iter().all(|line| line["step"] == "gopher_quality" && line["reason"].is_string()));

    let (a, b) = (
        run_on(1, &unique(&at("1/out"), &at("3"), &at("3h"))),
        run_on(2, &unique(&at("1/out"), &at("4"), &at("4h"))),
    );
    assert_eq!(a, b);
    assert_eq!((bytes(&at("3")), bytes(&at("3h"))), (bytes(&at("4")), bytes(&at("4h"))));
    assert_eq!(
        a.main.documents + a.heldout.documents + a.counts[1].reasons.values().sum::<u64>(),
        kept.len() as u64
    );
    assert!(a.heldout.documents > 0);
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for content in bytes(folder).values() {
        let text = String::from_utf8(zstd::decode_all(&content[..]).unwrap()).unwrap();
        all.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
    }
    all
}

#[test]
fn the_hash_is_that_of_the_lines_and_not_of_the_parts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let small = run_on(2, &pages(&at("small"), &at("r1")));
    let mut segment = pages(&at("large"), &at("r2"));
    segment.chunk_bytes = engine::CHUNK_BYTES;
    let large = run_on(2, &segment);
    assert_ne!(small.main.parts.len(), large.main.parts.len());
    assert_eq!(small.main.hash, large.main.hash);
    let again = run_on(2, &Segment::new(Input::Stored(vec![at("small")]), at("copy")));
    assert_eq!(again.main.hash, large.main.hash);
}

#[test]
fn editions_of_one_book_are_near_duplicates_and_the_first_stays() {
    let Some(shared) = crate::common::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let input = source("text", &Roots::project(shared), "prose/books/*.txt", &[]);
    let files = run_on(2, &Segment::new(input, folder.path().join("books"))).files.len();
    let mut segment =
        Segment::new(Input::Stored(vec![folder.path().join("books")]), folder.path().join("out"));
    segment.barrier = Some(BarrierStage { barrier: barrier("dedup_minhash", &[]), rejects: None });
    let summary = run_on(2, &segment);
    let kept: Vec<String> = documents(&segment.out).into_iter().map(|doc| doc.id).collect();
    let frankenstein: Vec<&String> = kept.iter().filter(|id| id.contains("frankenstein")).collect();
    assert_eq!(frankenstein, ["prose/books/frankenstein.pg-84-0.txt#0"]);
    assert_eq!(summary.counts[1].reasons["near duplicate"], 3);
    assert_eq!(kept.len(), files - 3);
}

/// A barrier that uses all it may: an order, a dropped document, edits of two kinds, a side report.
#[derive(Debug)]
struct Backwards;

impl Barrier for Backwards {
    fn name(&self) -> &'static str {
        "backwards"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        (doc.id.clone(), doc.text.len() as u64).pack(out);
    }

    fn orders(&self) -> bool {
        true
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<(), DataError> {
        let mut lengths: Sorter<'_, (u64, String, u64)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let (id, length) = desk.unpack(&mut sketch)?;
            lengths.push((length, id, number))
        })?;
        for row in lengths.sorted()? {
            let (length, id, number) = row?;
            desk.place(number, u64::MAX - length)?;
            desk.report("lengths", &(&id, length))?;
            desk.mark(number, &Mark::cut(0..1))?;
            if length % 3 != 0 {
                desk.mark(number, &Mark::cell("length", length as f64))?;
            } else {
                desk.mark(number, &Mark::drop("a third"))?;
            }
        }
        Ok(())
    }
}

/// The longest first.
fn backwards(input: &Path, out: &Path, memory: u64) -> Segment {
    let mut segment = Segment::new(Input::Stored(vec![input.to_path_buf()]), out);
    segment.barrier = Some(BarrierStage { barrier: Arc::new(Backwards), rejects: None });
    segment.chunk_bytes = 30_000;
    segment.memory = memory;
    segment
}

#[test]
fn a_barrier_can_order_edit_drop_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = source("jsonl", &examples(), "data/perl-pod.jsonl.gz", &[]);
    run_on(2, &Segment::new(input, at("in")));
    let mut expected = documents(&at("in"));
    expected.sort_by_key(|doc| u64::MAX - doc.text.len() as u64);
    let all = expected.len();
    expected.retain(|doc| doc.text.len() % 3 != 0);
    for doc in &mut expected {
        doc.columns.insert("length".into(), (doc.text.len() as f64).into());
        doc.text.remove(0);
    }
    let one = run_on(1, &backwards(&at("in"), &at("one"), 1 << 30));
    // Rows of ten documents are already more than this.
    let two = run_on(2, &backwards(&at("in"), &at("two"), 1000));
    assert_eq!(documents(&at("one")), expected);
    assert!(expected.len() > 5 && expected.len() < all);
    assert_eq!(one, two);
    assert_eq!(bytes(&at("one")), bytes(&at("two")));
    let report = fs::read_to_string(at("one").join("lengths.jsonl")).unwrap();
    assert_eq!(report.lines().count(), all);
}

#[test]
fn one_by_one_gives_what_the_engine_gives() {
    let folder = tempfile::tempdir().unwrap();
    let segment = pages(&folder.path().join("out"), &folder.path().join("r"));
    run_on(2, &segment);
    let plain = Segment { maps: Vec::new(), out: folder.path().join("raw"), ..segment.clone() };
    run_on(1, &plain);
    let mut kept = Vec::new();
    for mut doc in documents(&plain.out) {
        if segment.maps.iter().all(|stage| stage.map.apply(&mut doc) == llmp_data::steps::Outcome::Keep) {
            kept.push(doc);
        }
    }
    assert_eq!(kept, documents(&segment.out));
}

#[test]
fn a_raised_flag_stops_and_the_next_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let segment = pages(&folder.path().join("out"), &folder.path().join("r"));
    let stop = AtomicBool::new(false);
    let chunks = AtomicUsize::new(0);
    let progress = |_| {
        chunks.fetch_add(1, Ordering::Relaxed);
        stop.store(true, Ordering::Relaxed);
    };
    let ctx = Context { stop: Some(&stop), progress: Some(&progress), failpoint: None };
    assert!(matches!(engine::run(&segment, &ctx), Err(DataError::Stopped)));
    assert_eq!(chunks.load(Ordering::Relaxed), 1);
    let resumed = run_on(2, &segment);
    let fresh = run_on(2, &pages(&folder.path().join("out2"), &folder.path().join("r2")));
    assert_eq!(resumed, fresh);
}

/// What a child process does: the work of `jobs`, aborted at failpoint number `job.txt`.
#[test]
#[ignore = "started by the tests that kill it"]
fn child() {
    let number: usize = fs::read_to_string("job.txt").unwrap().parse().unwrap();
    let seen = AtomicUsize::new(0);
    let failpoint = |_: &str| {
        if seen.fetch_add(1, Ordering::Relaxed) == number {
            std::process::abort();
        }
    };
    let ctx = Context { failpoint: Some(&failpoint), ..Context::default() };
    jobs(Path::new("."), &ctx);
    fs::write("seen.txt", seen.load(Ordering::Relaxed).to_string()).unwrap();
}

/// Filters, then every step over the whole set, with memory so small that all of them spill.
fn jobs(folder: &Path, ctx: &Context<'_>) {
    let at = |name: &str| folder.join(name);
    let input = source("jsonl", &examples(), "data/perl-pod.jsonl.gz", &[]);
    let mut filter = Segment::new(input, at("filtered"));
    filter.maps = vec![stage("gopher_repetition", &[])];
    filter.maps[0].rejects = Some(at("rejects"));
    filter.chunk_bytes = 200_000;
    engine::run(&filter, ctx).unwrap();
    engine::run(&unique(&at("filtered"), &at("unique"), &at("heldout")), ctx).unwrap();
    let mut before = "unique";
    for name in ["dedup_exact", "dedup_lines", "dedup_semantic", "dedup_substring", "dedup_url"] {
        let mut segment = Segment::new(Input::Stored(vec![at(before)]), at(name));
        segment.barrier = Some(BarrierStage { barrier: barrier(name, &[]), rejects: None });
        segment.chunk_bytes = 150_000;
        segment.memory = if name == "dedup_substring" { 1_000_000 } else { 10_000 };
        engine::run(&segment, ctx).unwrap();
        before = name;
    }
    engine::run(&backwards(&at(before), &at("backwards"), 40_000), ctx).unwrap();
}

/// A folder in which a child process can be started again and again.
struct Killed {
    folder: PathBuf,
}

impl Killed {
    fn new(folder: &Path) -> Killed {
        let killed = Killed { folder: folder.join("killed") };
        fs::create_dir_all(&killed.folder).unwrap();
        killed
    }

    /// A child that dies at a failpoint.
    fn start(&self, number: usize) -> std::process::Child {
        fs::create_dir_all(&self.folder).unwrap();
        fs::write(self.folder.join("job.txt"), number.to_string()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "engine::child", "--ignored"]).current_dir(&self.folder);
        child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Lets a child run to the end, and compares every byte.
    fn finish(&self, expected: &BTreeMap<PathBuf, Vec<u8>>, after: &str) {
        assert!(self.start(usize::MAX).wait().unwrap().success(), "the run after {after} fails");
        for name in ["job.txt", "seen.txt"] {
            fs::remove_file(self.folder.join(name)).unwrap();
        }
        let found = bytes(&self.folder);
        assert!(found.keys().eq(expected.keys()), "after {after}: other files");
        assert!(found == *expected, "after {after}: other bytes");
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The bytes of an undisturbed run.
fn expected(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let plain = folder.join("plain");
    fs::create_dir(&plain).unwrap();
    jobs(&plain, &Context::default());
    bytes(&plain)
}

#[test]
fn a_kill_at_any_write_or_rename_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let expected = expected(folder.path());
    let killed = Killed::new(folder.path());
    // Strided so that the suite stays short: LLMP_EVERY_WRITE=1 takes every failpoint.
    let stride = if std::env::var_os("LLMP_EVERY_WRITE").is_some() { 1 } else { 23 };
    let (mut number, mut deaths) = (0, 0);
    while !killed.start(number).wait().unwrap().success() {
        assert!(number < 5000);
        killed.finish(&expected, &format!("a death at failpoint {number}"));
        (number, deaths) = (number + stride, deaths + 1);
    }
    println!("{deaths} deaths at failpoints");
    assert!(deaths > 10, "only {deaths} deaths");
    let seen: usize = fs::read_to_string(killed.folder.join("seen.txt")).unwrap().parse().unwrap();
    assert!(seen <= number && number < seen + stride, "{seen} failpoints, the last death at {number}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "moments of a real run are what is tested")]
fn twenty_kills_at_random_moments_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let expected = expected(folder.path());
    let killed = Killed::new(folder.path());
    let begin = std::time::Instant::now();
    assert!(killed.start(usize::MAX).wait().unwrap().success());
    let whole = begin.elapsed();
    killed.finish(&expected, "no kill");
    let mut seed = 11u64;
    let mut hit = 0;
    for _ in 0..20 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = whole.mul_f64((seed >> 40) as f64 / (1u64 << 24) as f64);
        let mut child = killed.start(usize::MAX);
        std::thread::sleep(wait);
        hit += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        killed.finish(&expected, &format!("a kill after {wait:?}"));
    }
    println!("{hit} of 20 kills hit a running process; a whole run takes {whole:?}");
    assert!(hit >= 10, "only {hit} kills hit");
}
