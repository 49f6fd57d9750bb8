//! The run of a segment: chunks in, every document through the maps on all cores, one part and one journal line out.

use std::{fs, path::Path, sync::mpsc};

use rayon::prelude::*;
use serde_json::{Map as JsonMap, Value};

use super::{
    BAD_RECORDS_KEPT, Input, Part, Segment, Stored, Summary, barrier,
    chunks::{Chunk, Chunks, Item},
    journal::{Entry, Journal},
};
use crate::{
    context::{Context, Progress},
    document::Document,
    error::{At, BadRecord, DataError, Result},
    ledger::{self, Note, Trail},
    readers::{Body, OnError},
    steps::{Count, Outcome, Reason},
};

/// Uncompressed bytes per Zstandard frame of a part; frames are compressed in parallel.
const FRAME_BYTES: usize = 1 << 20;
const LEVEL: i32 = 3;

/// Runs a segment to its end, or goes on with one that was interrupted; a finished one only gives its summary.
///
/// Errors: what the operating system refuses, a bad record of a source with `on_error = stop`, a damaged store, the
/// stop flag. What was finished before an error is kept.
pub fn run(segment: &Segment, ctx: &Context<'_>) -> Result<Summary> {
    fs::create_dir_all(&segment.out).map_err(|e| DataError::io("create", &segment.out, e))?;
    let split = segment.split.iter().map(|(_, folder)| folder.as_path());
    for folder in reject_folders(segment).into_iter().flatten().chain(split) {
        fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
    }
    let mut journal = Journal::open(&segment.out, counts(segment))?;
    if !journal.done {
        let chunks = match &segment.barrier {
            Some(stage) => barrier::second_pass(stage, segment, journal.next, journal.records, ctx)?,
            None => Chunks::new(segment, journal.next)?,
        };
        each_chunk(chunks, |chunk| finish(segment, &mut journal, chunk, ctx))?;
    }
    if segment.barrier.is_some() {
        barrier::remove(&segment.out)?;
    }
    keep_bad(segment, &journal.summary, ctx)?;
    ledger::finish(&segment.out, ctx)?;
    Ok(journal.summary)
}

/// Bad records with their places, one a line of `bad.jsonl` beside the parts.
fn keep_bad(segment: &Segment, summary: &Summary, ctx: &Context<'_>) -> Result<()> {
    let path = segment.out.join("bad.jsonl");
    if summary.bad.is_empty() || path.exists() {
        return Ok(());
    }
    let line = |bad: &BadRecord| serde_json::to_string(bad).map(|line| line + "\n");
    let lines: Result<String, _> = summary.bad.iter().map(line).collect();
    ctx.write_whole(&path, lines.map_err(|e| DataError::artifact(&path, e))?.as_bytes())
}

/// All results, or the error of the first item that has one: a parallel collection would give any error, not always
/// the same.
pub(super) fn all_or_first<T: Send>(
    results: impl IndexedParallelIterator<Item = Result<T>>,
) -> Result<Vec<T>> {
    let all: Vec<Result<T>> = results.collect();
    all.into_iter().collect()
}

/// Calls `work` with every chunk, while a second thread reads the next one.
pub(super) fn each_chunk(chunks: Chunks, mut work: impl FnMut(Chunk) -> Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(1);
        scope.spawn(move || {
            for chunk in chunks {
                // A send fails when the other side has stopped.
                if send.send(chunk).is_err() {
                    break;
                }
            }
        });
        receive.into_iter().try_for_each(|chunk| work(chunk?))
    })
}

/// The counts of a segment at its beginning: one per reader (or one for the store), the barrier, the maps.
fn counts(segment: &Segment) -> Vec<Count> {
    let mut counts = match &segment.input {
        Input::Source(sources) => sources.iter().map(|(reader, _)| Count::new(reader.name())).collect(),
        Input::Stored(_) => vec![Count::new("stored")],
    };
    counts.extend(segment.barrier.iter().map(|stage| Count::new(stage.barrier.name())));
    counts.extend(segment.maps.iter().map(|stage| Count::new(stage.map.name())));
    counts.extend(segment.split.iter().map(|_| Count::new("split")));
    counts
}

/// What became of one record.
struct Fate {
    /// Which reader's count it belongs to.
    reader: usize,
    /// Bytes before the reader, after it, and after each step that kept the document.
    bytes: Vec<u64>,
    /// Bit k: step k changed the text.
    edited: u64,
    /// What the ledger notes of it.
    note: Note,
    /// Why it did not come through.
    lost: Option<Reason>,
    end: End,
}

enum End {
    Kept { line: Vec<u8>, hash: blake3::Hash, heldout: bool },
    Dropped { rejected: Option<Vec<u8>> },
    Skipped,
    Bad(BadRecord),
}

impl Fate {
    /// The document passed a step; `text` is the mark of its text before, and then after it.
    fn went_on(&mut self, doc: &Document, text: &mut Option<u64>) {
        let now = Note::mark(doc);
        let edited = text.is_some() && now.is_some() && now != *text;
        self.edited |= u64::from(edited) << (self.bytes.len() - 1).min(63);
        *text = now;
        self.bytes.push(doc.bytes());
    }
}

/// Takes a chunk through all steps, writes its part and its rejects, adds its journal line.
fn finish(segment: &Segment, journal: &mut Journal, chunk: Chunk, ctx: &Context<'_>) -> Result<()> {
    let taken = chunk.items.len() as u64;
    let fates = chunk.items.into_par_iter().map(|item| {
        ctx.check()?;
        follow(segment, item)
    });
    let fates = all_or_first(fates)?;
    // A program that was stopped together with this one did not fail.
    ctx.check()?;
    segment.maps.iter().try_for_each(|stage| stage.map.settle(chunk.done))?;
    let summary = &journal.summary;
    let mut entry = Entry {
        after: chunk.after,
        records: journal.records + taken,
        hashes: [summary.main.hash.clone(), summary.heldout.hash.clone()],
        parts: [None, None],
        counts: summary.counts.clone(),
        bad_records: summary.bad_records,
        bad: Vec::new(),
        files: chunk.finished,
        done: chunk.done,
    };
    let noted = ledger::collect(&trails(&fates), entry.counts.len() - readers(segment) + 1, &segment.origins);
    ledger::write(&segment.out, journal.chunks, &noted, ctx)?;
    let tallied = tally(segment, fates, &mut entry, summary)?;
    for (stage, folder) in reject_folders(segment).into_iter().enumerate() {
        let lines: Vec<&[u8]> =
            tallied.rejected.iter().filter(|(k, _)| *k == stage).map(|(_, line)| &line[..]).collect();
        if let Some(folder) = folder.filter(|_| !lines.is_empty()) {
            ctx.write_whole(&folder.join(part_name(journal.chunks)), &compress(&lines)?)?;
        }
    }
    let folders = [Some(&segment.out), segment.split.as_ref().map(|(_, folder)| folder)];
    for (k, stored) in [&summary.main, &summary.heldout].into_iter().enumerate() {
        let lines: Vec<&[u8]> = tallied.kept[k].iter().map(|line| &line[..]).collect();
        if let Some(folder) = folders[k].filter(|_| !lines.is_empty()) {
            let name = part_name(stored.parts.len() as u64);
            ctx.write_whole(&folder.join(&name), &compress(&lines)?)?;
            let bytes = lines.iter().map(|line| line.len() as u64).sum();
            entry.parts[k] = Some(Part { name, documents: lines.len() as u64, bytes });
        }
    }
    journal.add(ctx, entry)?;
    let bytes_total = match &segment.input {
        Input::Source(sources) => sources.iter().flat_map(|(_, files)| files).map(|file| file.bytes).sum(),
        Input::Stored(_) => 0,
    };
    let kept = journal.summary.main.documents;
    ctx.report(Progress { records: journal.records, bytes: chunk.bytes, bytes_total, kept });
    Ok(())
}

/// Reads one record and takes it through the barrier's decision and the maps.
fn follow(segment: &Segment, mut item: Item) -> Result<Fate> {
    let mut fate = Fate {
        reader: 0,
        bytes: vec![item.bytes()],
        edited: 0,
        note: Note::record(item.id()),
        lost: None,
        end: End::Skipped,
    };
    let mark = item.take_mark();
    let mut doc = match read(segment, item, &mut fate.reader)? {
        Ok(doc) => doc,
        Err((end, reason)) => return Ok(Fate { end, lost: Some(reason), ..fate }),
    };
    fate.bytes.push(doc.bytes());
    let mut text = Note::mark(&doc);
    let barrier = segment.barrier.as_ref();
    let first = barrier.map(|stage| {
        let outcome = stage.barrier.apply(&mut doc, mark.as_ref());
        (outcome, stage.barrier.name(), stage.rejects.is_some())
    });
    if let Some((Outcome::Drop(reason), step, keep)) = first {
        return Ok(dropped(fate, &doc, step, reason, keep));
    }
    if barrier.is_some() {
        fate.went_on(&doc, &mut text);
    }
    for stage in &segment.maps {
        if let Outcome::Drop(reason) = stage.map.apply(&mut doc) {
            return Ok(dropped(fate, &doc, stage.map.name(), reason, stage.rejects.is_some()));
        }
        fate.went_on(&doc, &mut text);
    }
    let heldout = segment.split.as_ref().is_some_and(|(split, _)| split.holds_out(&doc));
    fate.bytes.extend(segment.split.iter().filter(|_| !heldout).map(|_| doc.bytes()));
    let mut line = doc.to_line();
    let hash = blake3::hash(&line);
    line.push(b'\n');
    fate.note = Note::of(&doc);
    fate.end = End::Kept { line, hash, heldout };
    Ok(fate)
}

/// The document of a record, or the end of a record that holds none and the reason.
fn read(segment: &Segment, item: Item, number: &mut usize) -> Result<Result<Document, (End, Reason)>> {
    let (reader, file, record) = match item {
        Item::Stored { path, line, .. } => {
            return serde_json::from_slice(&line).map(Ok).map_err(|e| DataError::artifact(&path, e));
        }
        Item::Source { reader, file, record } => (reader, file, record),
    };
    *number = reader;
    let Input::Source(sources) = &segment.input else { return Ok(Err((End::Skipped, "no source".into()))) };
    let reader = &sources[reader].0;
    let body = match record.body {
        Body::Bytes(bytes) => reader.parse(&file, record.index, bytes),
        other => other,
    };
    let bad = |at: At, what: String| {
        let reason = Reason::words("bad record", what.as_str());
        let bad = BadRecord { file: file.label.clone(), at, what };
        match reader.on_error() {
            OnError::Stop => Err(DataError::Bad(bad)),
            OnError::Count => Ok(Err((End::Bad(bad), reason))),
        }
    };
    match body {
        Body::Document(doc) => Ok(Ok(doc)),
        Body::Skipped(why) => Ok(Err((End::Skipped, why.into()))),
        Body::Bad(what) => bad(record.at, what),
        Body::Bytes(_) => bad(record.at, format!("{} gave no document", reader.name())),
    }
}

fn dropped(fate: Fate, doc: &Document, step: &str, reason: Reason, keep: bool) -> Fate {
    let rejected = keep.then(|| {
        let mut line = match serde_json::to_value(doc) {
            Ok(Value::Object(line)) => line,
            _ => JsonMap::new(),
        };
        line.insert("step".into(), step.into());
        line.insert("reason".into(), (&*reason).into());
        if let Some(by) = &reason.by {
            line.insert("by".into(), by.to_string().into());
        }
        let mut line = Value::Object(line).to_string().into_bytes();
        line.push(b'\n');
        line
    });
    Fate { note: Note::of(doc), lost: Some(reason), end: End::Dropped { rejected }, ..fate }
}

/// How many counts belong to readers: one for the store.
fn readers(segment: &Segment) -> usize {
    match &segment.input {
        Input::Source(sources) => sources.len(),
        Input::Stored(_) => 1,
    }
}

/// What the ledger needs of fates.
fn trails(fates: &[Fate]) -> Vec<Trail<'_>> {
    let all = fates.iter().map(|fate| Trail {
        note: &fate.note,
        bytes: &fate.bytes,
        edited: fate.edited,
        lost: fate.lost.as_ref(),
        heldout: matches!(fate.end, End::Kept { heldout: true, .. }),
    });
    all.collect()
}

/// The lines of a chunk.
#[derive(Default)]
struct Tallied {
    /// Training, held out.
    kept: [Vec<Vec<u8>>; 2],
    /// Dropped documents that are wanted, with the number of the stage that dropped them.
    rejected: Vec<(usize, Vec<u8>)>,
}

/// Adds up what became of a chunk's records, in their order.
fn tally(segment: &Segment, fates: Vec<Fate>, entry: &mut Entry, before: &Summary) -> Result<Tallied> {
    let readers = readers(segment);
    let hash = |stored: &Stored| {
        let hash = blake3::Hash::from_hex(&stored.hash);
        hash.map_err(|e| DataError::artifact(&segment.out, format!("journal: {e}")))
    };
    let mut hashes = [hash(&before.main)?, hash(&before.heldout)?];
    let mut tallied = Tallied::default();
    for fate in fates {
        // Row of the count that a step's entry in `fate.bytes` belongs to.
        let row = |k: usize| if k == 0 { fate.reader } else { readers + k - 1 };
        for (k, pair) in fate.bytes.windows(2).enumerate() {
            let count = &mut entry.counts[row(k)];
            count.input += 1;
            count.output += 1;
            count.bytes_in += pair[0];
            count.bytes_out += pair[1];
        }
        let last = fate.bytes.len() - 1;
        let mut lost = |reason: &str| {
            let count = &mut entry.counts[row(last)];
            count.input += 1;
            count.bytes_in += fate.bytes[last];
            count.dropped(reason);
        };
        if let Some(reason) = &fate.lost {
            lost(reason);
        }
        match fate.end {
            End::Kept { line, hash, heldout } => {
                if heldout {
                    lost("held out");
                }
                let own = &mut hashes[usize::from(heldout)];
                let mut chain = blake3::Hasher::new();
                chain.update(own.as_bytes()).update(hash.as_bytes());
                *own = chain.finalize();
                tallied.kept[usize::from(heldout)].push(line);
            }
            End::Dropped { rejected } => {
                tallied.rejected.extend(rejected.map(|line| (last - 1, line)));
            }
            End::Skipped => {}
            End::Bad(bad) => {
                entry.bad_records += 1;
                if before.bad.len() + entry.bad.len() < BAD_RECORDS_KEPT {
                    entry.bad.push(bad);
                }
            }
        }
    }
    entry.hashes = hashes.map(|hash| hash.to_hex().to_string());
    Ok(tallied)
}

/// The rejects folders of the barrier and the maps, in order.
fn reject_folders(segment: &Segment) -> Vec<Option<&Path>> {
    let barrier = segment.barrier.iter().map(|stage| stage.rejects.as_deref());
    barrier.chain(segment.maps.iter().map(|stage| stage.rejects.as_deref())).collect()
}

fn part_name(number: u64) -> String {
    format!("part-{number:05}.jsonl.zst")
}

/// Lines as Zstandard frames of a fixed amount of text each: the bytes do not depend on threads.
fn compress(lines: &[&[u8]]) -> Result<Vec<u8>> {
    let mut frames: Vec<&[&[u8]]> = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (n, line) in lines.iter().enumerate() {
        bytes += line.len();
        if bytes >= FRAME_BYTES || n + 1 == lines.len() {
            frames.push(&lines[start..=n]);
            (start, bytes) = (n + 1, 0);
        }
    }
    // In one call, which knows the length, in memory that stays with the thread: a compressor begins every frame anew.
    let workshop = || (Vec::with_capacity(2 * FRAME_BYTES), zstd::bulk::Compressor::new(LEVEL));
    let packed = frames.par_iter().map_init(workshop, |(text, compressor), frame| {
        text.clear();
        frame.iter().for_each(|line| text.extend_from_slice(line));
        match compressor {
            Ok(compressor) => compressor.compress(text),
            Err(_) => zstd::bulk::compress(text, LEVEL),
        }
    });
    let packed: Vec<Vec<u8>> =
        packed.collect::<Result<_, _>>().map_err(|e| DataError::io("compress", Path::new("part"), e))?;
    Ok(packed.concat())
}
