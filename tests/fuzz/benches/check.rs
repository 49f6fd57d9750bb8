//! How long a check takes: every shipped program, a generated one of 2,000 lines, growth up to 50,000 lines, memory, and
//! `llmp check` as a process.
//!
//! `cargo bench -p llmp-fuzz --bench check`; the process is measured if `target/release/llmp` was built before.
#![allow(clippy::print_stdout, reason = "a table for the terminal")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use llmp_fuzz::judge::Judge;
use llmp_fuzz::{corpus, large, session};
use llmp_grammar::{FileId, parse};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Least and middle time of several turns, at least 5 and at most `most` within two seconds.
fn times(most: usize, mut work: impl FnMut()) -> (Duration, Duration) {
    work();
    let begin = Instant::now();
    let mut all = Vec::new();
    while all.len() < 5 || (all.len() < most && begin.elapsed() < Duration::from_secs(2)) {
        let start = Instant::now();
        work();
        all.push(start.elapsed());
    }
    all.sort();
    (all[0], all[all.len() / 2])
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn row(name: &str, lines: usize, text: &str, judge: &Judge, most: usize) {
    let path = if name.ends_with(".llmp") { name } else { "examples/generated.llmp" };
    let verdict = judge.check(path, text);
    let (parse_least, _) = times(most, || {
        std::hint::black_box(parse(FileId(0), text));
    });
    let (least, middle) = times(most, || {
        std::hint::black_box(judge.check(path, text));
    });
    let (plan, _) = times(most.min(20), || {
        std::hint::black_box(judge.judge(path, text));
    });
    let note = if verdict.failed() { "  (has errors)" } else { "" };
    println!(
        "{name:<44}{lines:>7}{:>9.2}{:>9.2}{:>9.2}{:>12.3}{:>10.2}{:>8}{note}",
        ms(parse_least),
        ms(least),
        ms(middle),
        ms(least) * 1e3 / lines as f64,
        ms(plan),
        session::peak() >> 10,
    );
}

fn head() {
    println!(
        "{:<44}{:>7}{:>9}{:>9}{:>9}{:>12}{:>10}{:>8}",
        "", "lines", "parse ms", "check ms", "median", "per 1k lines", "with plan", "MiB"
    );
}

fn process() {
    let root = corpus::root();
    let llmp = root.join("target/release/llmp");
    if !llmp.exists() {
        println!("\n`llmp check` as a process: build it first (cargo build --release -p llmp)");
        return;
    }
    println!();
    for program in corpus::shipped() {
        let (least, middle) = times(40, || {
            let run = Command::new(&llmp)
                .args(["check", &program.path])
                .current_dir(&root)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            std::hint::black_box(run.unwrap());
        });
        println!(
            "llmp check {:<40} least {:>6.1} ms, median {:>6.1} ms",
            program.path,
            ms(least),
            ms(middle)
        );
    }
}

fn main() {
    let judge = Judge::new();
    // `cargo bench … -- afm` measures programs whose path holds the word.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    head();
    for program in corpus::shipped() {
        if wanted.as_ref().is_some_and(|word| !program.path.contains(word.as_str())) {
            continue;
        }
        row(&program.path, program.text.lines().count(), &program.text, &judge, 200);
    }
    if wanted.is_some() {
        return;
    }
    println!();
    for lines in [1_000, 2_000, 5_000, 10_000, 20_000, 50_000] {
        let text = large::program(lines);
        row(&format!("generated, {lines} lines"), text.lines().count(), &text, &judge, 30);
    }
    process();
}
