//! `fuzz TARGET SECONDS [SEED]` tries random edits; `fuzz TARGET replay` tries what is known. See `tests/fuzz/run`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]
#![allow(clippy::disallowed_methods, reason = "a stream of its own for every run")]

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use llmp_fuzz::session::{self, Report};
use llmp_fuzz::targets::Target;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (target, rest) = match words.split_first() {
        Some((name, rest)) => (Target::named(name), rest),
        None => (None, &[][..]),
    };
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let seed = rest.get(1).and_then(|seed| seed.parse().ok()).unwrap_or(clock);
    // The target's own words say enough.
    std::panic::set_hook(Box::new(|_| {}));
    let report = match (target, rest.first().copied()) {
        (Some(target), Some("replay")) => session::replay(target),
        (Some(target), Some(seconds)) if seconds.parse::<u64>().is_ok() => {
            session::run(target, Duration::from_secs(seconds.parse().unwrap_or(1)), seed)
        }
        _ => {
            eprintln!("fuzz scan|parse|fmt|check|plan SECONDS|replay [SEED]");
            return ExitCode::from(2);
        }
    };
    say(target.map_or("", Target::name), seed, &report)
}

fn say(target: &str, seed: u64, report: &Report) -> ExitCode {
    println!(
        "{target:<6} {:>9} inputs, {:>5} ways, slowest {:>6.1} ms, {} MiB, {} findings (seed {seed})",
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
