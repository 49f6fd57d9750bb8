//! `fuzz TARGET SECONDS [SEED]` tries random edits; `fuzz TARGET replay` tries what is known. See `tests/fuzz/run`.
//! `fuzz verdicts FOLDER [SEED]` writes programs and broken ones for other grammars; see `tests/lsp/run treesitter`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]
#![allow(clippy::disallowed_methods, reason = "a stream of its own for every run")]

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use llmp_fuzz::files::FileTarget;
use llmp_fuzz::session::{self, Report};
use llmp_fuzz::targets::Target;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let seed = words.get(2).and_then(|seed| seed.parse().ok()).unwrap_or(clock);
    // The target's own words say enough.
    std::panic::set_hook(Box::new(|_| {}));
    let (name, what) = match words.as_slice() {
        [name, what, ..] => (*name, *what),
        _ => return usage(),
    };
    if name == "verdicts" {
        return verdicts(what, words.get(2).map_or(1, |_| seed));
    }
    let time = what.parse().ok().map(Duration::from_secs);
    let report = match (Target::named(name), FileTarget::named(name), time) {
        (Some(target), _, None) if what == "replay" => session::replay(target),
        (Some(target), _, Some(time)) => session::run(target, time, seed),
        (None, Some(target), None) if what == "replay" => session::replay_files(target),
        (None, Some(target), Some(time)) => session::run_files(target, time, seed),
        _ => return usage(),
    };
    say(name, seed, &report)
}

fn verdicts(folder: &str, seed: u64) -> ExitCode {
    match llmp_fuzz::verdicts::write(std::path::Path::new(folder), 3_000, seed) {
        Ok((valid, invalid)) => {
            println!("{valid} programs, {invalid} broken ones (seed {seed})");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    let names = Target::ALL.iter().map(|t| t.name()).chain(FileTarget::ALL.iter().map(|t| t.name()));
    eprintln!("fuzz {} SECONDS|replay [SEED]", names.collect::<Vec<_>>().join("|"));
    ExitCode::from(2)
}

fn say(target: &str, seed: u64, report: &Report) -> ExitCode {
    println!(
        "{target:<8} {:>9} inputs, {:>5} ways, slowest {:>6.1} ms, {} MiB, {} findings (seed {seed})",
        report.inputs,
        report.ways,
        report.slowest.as_secs_f64() * 1e3,
        session::peak() >> 10,
        report.findings.len()
    );
    for (path, words) in &report.findings {
        println!("  {}: {words}", path.display());
    }
    ExitCode::from(u8::from(!report.findings.is_empty()))
}
