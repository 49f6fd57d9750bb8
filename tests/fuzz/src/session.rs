//! A run of one target: inputs are made, tried under limits of time and memory, and kept where they find something.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::blind;
use crate::corpus;
use crate::edits::Pieces;
use crate::files::FileTarget;
use crate::judge::Judge;
use crate::random::Random;
use crate::targets::Target;

/// Longest time for one input in an optimised build; ten times that in others.
const SLOWEST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10_000 } else { 1_000 });
/// Most resident memory of the whole process, in KiB.
const LARGEST: u64 = 1 << 20;
/// Most inputs that are kept to be edited further.
const KEPT: usize = 2000;

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Inputs that made the target panic, with the first line of the panic.
    pub findings: Vec<(PathBuf, String)>,
    /// Longest time for one input.
    pub slowest: Duration,
    /// Different behaviours that were seen.
    pub ways: usize,
}

/// Where inputs with a finding are put.
fn folder() -> PathBuf {
    corpus::root().join("target/fuzz")
}

/// Inputs of former findings, which stay here for ever.
fn regressions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    files(&folder).iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// The files of a folder, sorted by name.
pub(crate) fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).map(|all| all.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// All texts that fuzzing starts from: programs, the examples in the documentation of every code, former findings.
pub fn seeds() -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for program in corpus::everything() {
        // Suites hold several programs.
        texts.extend(program.text.split("\n--- ").map(|part| match part.split_once(" ---\n") {
            Some((_, source)) => source.to_owned(),
            None => part.to_owned(),
        }));
    }
    texts.extend(llmp_exec::codes().iter().flat_map(|info| info.examples()));
    texts.extend(regressions());
    texts
}

/// Shared with the watchdog.
struct Now {
    text: Mutex<Vec<u8>>,
    /// Number of the input; odd while it is tried.
    turn: AtomicU64,
}

/// Tries all seeds.
pub fn replay(target: Target) -> Report {
    let judge = Judge::new();
    let run = |input: &[u8]| target.run(&judge, &String::from_utf8_lossy(input));
    let mut session = Session::new(target.name(), &run, tokens);
    for text in seeds() {
        session.attempt(text.as_bytes());
    }
    session.done()
}

/// Tries seeds and what random edits make of them, for a time.
pub fn run(target: Target, time: Duration, seed: u64) -> Report {
    let judge = Judge::new();
    let run = |input: &[u8]| target.run(&judge, &String::from_utf8_lossy(input));
    let texts = seeds();
    let pieces = Pieces::of(texts.iter().map(String::as_str));
    let edit =
        |input: &[u8], random: &mut Random| pieces.edit(&String::from_utf8_lossy(input), random).into_bytes();
    let session = Session::new(target.name(), &run, tokens);
    hunt(session, texts.into_iter().map(String::into_bytes).collect(), &edit, time, seed)
}

/// Tries the seeds of a file target.
pub fn replay_files(target: FileTarget) -> Report {
    let run = |input: &[u8]| target.run(input);
    let mut session = Session::new(target.name(), &run, single);
    for input in target.seeds() {
        session.attempt(&input);
    }
    session.done()
}

/// Tries the seeds of a file target and what blind edits make of them, for a time.
pub fn run_files(target: FileTarget, time: Duration, seed: u64) -> Report {
    let run = |input: &[u8]| target.run(input);
    let seeds = target.seeds();
    let others = seeds.clone();
    let edit = |input: &[u8], random: &mut Random| blind::edit(input, &others, target.words(), random);
    hunt(Session::new(target.name(), &run, single), seeds, &edit, time, seed)
}

fn hunt(
    mut session: Session<'_>,
    mut inputs: Vec<Vec<u8>>,
    edit: &dyn Fn(&[u8], &mut Random) -> Vec<u8>,
    time: Duration,
    seed: u64,
) -> Report {
    let mut random = Random::new(seed);
    let end = Instant::now() + time;
    for input in inputs.clone() {
        if Instant::now() >= end {
            break;
        }
        session.attempt(&input);
    }
    let fixed = inputs.len();
    while Instant::now() < end {
        let input = random.pick(&inputs).cloned().map(|seed| edit(&seed, &mut random)).unwrap_or_default();
        if session.attempt(&input) {
            if inputs.len() < fixed + KEPT {
                inputs.push(input);
            } else {
                let at = fixed + random.below(KEPT);
                inputs[at] = input;
            }
        }
    }
    session.done()
}

/// Cuts an input into pieces that can be left out.
type Cut = fn(&[u8]) -> Vec<&[u8]>;

struct Session<'a> {
    name: &'static str,
    run: &'a dyn Fn(&[u8]) -> String,
    cut: Cut,
    now: Arc<Now>,
    /// Hashes of the ways: their words may be as long as the inputs.
    seen: BTreeSet<u64>,
    report: Report,
    said: BTreeSet<String>,
}

impl<'a> Session<'a> {
    fn new(name: &'static str, run: &'a dyn Fn(&[u8]) -> String, cut: Cut) -> Session<'a> {
        std::fs::create_dir_all(folder()).unwrap();
        let now = Arc::new(Now { text: Mutex::new(Vec::new()), turn: AtomicU64::new(0) });
        let watched = Arc::clone(&now);
        std::thread::spawn(move || watch(name, &watched));
        Session {
            name,
            run,
            cut,
            now,
            seen: BTreeSet::new(),
            report: Report::default(),
            said: BTreeSet::new(),
        }
    }

    /// Tries one input; whether it behaves in a way that was not seen before.
    fn attempt(&mut self, input: &[u8]) -> bool {
        // A process that dies leaves its input behind.
        std::fs::write(folder().join(format!("{}.current", self.name)), input).unwrap();
        input.clone_into(&mut self.now.text.lock().unwrap());
        self.now.turn.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        let outcome = tried(self.run, input);
        self.now.turn.fetch_add(1, Ordering::SeqCst);
        self.report.inputs += 1;
        self.report.slowest = self.report.slowest.max(start.elapsed());
        match outcome {
            Ok(way) => self.seen.insert(hash(way.as_bytes())),
            Err(words) => {
                // One finding of each sort is enough.
                if self.said.insert(sort(&words)) {
                    let small = shrunk(self.run, input, &sort(&words), self.cut);
                    self.report.findings.push((keep(self.name, &small), words));
                }
                false
            }
        }
    }

    fn done(mut self) -> Report {
        // The watchdog ends when the number does not come back.
        self.now.turn.store(u64::MAX, Ordering::SeqCst);
        let _ = std::fs::remove_file(folder().join(format!("{}.current", self.name)));
        self.report.ways = self.seen.len();
        self.report
    }
}

/// Runs a target; the first line of its panic.
fn tried(run: &dyn Fn(&[u8]) -> String, input: &[u8]) -> Result<String, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(input))).map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        words.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    })
}

/// The beginning of a panic's words without numbers: the same for findings of one sort.
fn sort(words: &str) -> String {
    words.chars().filter(|c| !c.is_ascii_digit()).take(40).collect()
}

/// A smaller input with a finding of the same sort: lines, then smaller pieces are left out as long as it stays.
fn shrunk(run: &dyn Fn(&[u8]) -> String, input: &[u8], wanted: &str, cut: Cut) -> Vec<u8> {
    let end = Instant::now() + Duration::from_secs(10);
    let same = |input: &[u8]| tried(run, input).is_err_and(|words| sort(&words) == wanted);
    let mut best = input.to_owned();
    for lines in [true, false] {
        let mut width = best.len();
        while width > 0 && Instant::now() < end {
            let pieces: Vec<&[u8]> =
                if lines { best.split_inclusive(|&b| b == b'\n').collect() } else { cut(&best) };
            width = width.min(pieces.len());
            let starts = (0..pieces.len()).step_by(width.max(1));
            let smaller = starts.map(|at| {
                let rest = pieces.iter().enumerate().filter(|(n, _)| *n < at || *n >= at + width);
                rest.flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<u8>>()
            });
            match smaller.take_while(|_| Instant::now() < end).find(|input| same(input)) {
                Some(input) => best = input,
                None => width /= 2,
            }
        }
    }
    best
}

/// The tokens of a program.
fn tokens(input: &[u8]) -> Vec<&[u8]> {
    let text = std::str::from_utf8(input).unwrap_or_default();
    llmp_grammar::scan::scan(text).iter().map(|token| &input[token.start..token.end]).collect()
}

/// Single bytes.
fn single(input: &[u8]) -> Vec<&[u8]> {
    input.chunks(1).collect()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let path = folder().join(format!("{name}-{:016x}.bin", hash(input)));
    std::fs::write(&path, input).unwrap();
    path
}

/// Ends the process when an input takes too long or too much.
#[expect(clippy::print_stderr, reason = "the last words of a process")]
fn watch(name: &str, now: &Now) {
    let mut known = (0, spent());
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let turn = now.turn.load(Ordering::SeqCst);
        if turn == u64::MAX {
            return;
        }
        if turn != known.0 {
            known = (turn, spent());
        }
        // Time of the processor: a busy machine is no finding.
        let slow = turn % 2 == 1 && spent().saturating_sub(known.1) > SLOWEST;
        let memory = resident();
        if slow || memory > LARGEST {
            let path = keep(name, &now.text.lock().unwrap());
            let why = if slow { format!("more than {SLOWEST:?}") } else { format!("{memory} KiB of memory") };
            eprintln!("{name}: {why}: {}", path.display());
            std::process::exit(1);
        }
    }
}

/// Processor time of this process so far; nothing where the system does not say. The system counts in hundredths of a second.
pub fn spent() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        |at: usize| behind_name.split_whitespace().nth(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Resident memory of this process in KiB; 0 where the system does not say.
pub fn resident() -> u64 {
    status("VmRSS:")
}

/// Largest resident memory so far in KiB; 0 where the system does not say.
pub fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}
