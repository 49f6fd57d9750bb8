//! The segment engine on real pages: threads, counts, splits, and kills at every write and rename.

use std::{
    fs,
    path::Path,
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
#[ignore = "started by a_kill_at_any_write_or_rename_changes_no_byte"]
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

fn jobs(folder: &Path, ctx: &Context<'_>) {
    let at = |name: &str| folder.join(name);
    let input = source("jsonl", &examples(), "data/perl-pod.jsonl.gz", &[]);
    let mut filter = Segment::new(input, at("filtered"));
    filter.maps = vec![stage("gopher_repetition", &[])];
    filter.maps[0].rejects = Some(at("rejects"));
    filter.chunk_bytes = 200_000;
    engine::run(&filter, ctx).unwrap();
    engine::run(&unique(&at("filtered"), &at("unique"), &at("heldout")), ctx).unwrap();
    engine::run(&backwards(&at("unique"), &at("backwards"), 40_000), ctx).unwrap();
}

#[test]
fn a_kill_at_any_write_or_rename_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    jobs(&plain, &Context::default());
    let expected = bytes(&plain);
    let killed = folder.path().join("killed");
    let start = |number: usize| {
        fs::create_dir_all(&killed).unwrap();
        fs::write(killed.join("job.txt"), number.to_string()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "engine::child", "--ignored"]).current_dir(&killed);
        child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    // Strided so that the suite stays short: LLMP_EVERY_WRITE=1 takes every failpoint.
    let stride = if std::env::var_os("LLMP_EVERY_WRITE").is_some() { 1 } else { 3 };
    let (mut kills, mut deaths) = (0, 0);
    while !start(kills) {
        assert!(kills < 1000);
        assert!(start(usize::MAX), "the run after kill {kills} fails");
        for name in ["job.txt", "seen.txt"] {
            fs::remove_file(killed.join(name)).unwrap();
        }
        assert_eq!(bytes(&killed), expected, "kill {kills}");
        fs::remove_dir_all(&killed).unwrap();
        (kills, deaths) = (kills + stride, deaths + 1);
    }
    assert!(deaths > 30, "only {deaths} deaths");
    let seen: usize = fs::read_to_string(killed.join("seen.txt")).unwrap().parse().unwrap();
    assert!(seen <= kills && kills < seen + stride, "{seen} failpoints, the last kill at {kills}");
}
