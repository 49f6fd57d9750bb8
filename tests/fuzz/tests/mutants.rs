//! 2,000 single mistakes in the shipped programs: how many are caught, and how often the first machine fix restores the plan.
//!
//! `cargo test -p llmp-fuzz --test mutants -- --nocapture` prints the table; `LLMP_MUTANTS=misses` adds what was not caught
//! or not restored.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]
#![allow(clippy::print_stdout, reason = "a table for those who ask for it")]
#![allow(clippy::disallowed_methods, reason = "the environment asks for the list of misses")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use llmp_fuzz::corpus::{self, Program};
use llmp_fuzz::judge::{Judge, Verdict, fixed};
use llmp_fuzz::random::Random;
use llmp_fuzz::slips::{Class, Mutant, mutants};

const WANTED: usize = 2000;
const SEED: u64 = 17;

/// Mutants of each class; what one class cannot give, the first ones do.
fn quota(class: Class) -> usize {
    match class {
        Class::DroppedLine => 250,
        Class::ChangedUnit | Class::BrokenRule => 200,
        Class::OtherKind => 150,
        Class::SameKind => 100,
        Class::Column | Class::Unit => 100,
        _ => 150,
    }
}

/// How a mutant fared.
struct Outcome {
    /// What is said of it first, with the title of the first fix.
    said: String,
    /// There is an error or warning that the program did not have.
    caught: bool,
    /// That is an error.
    error: bool,
    /// The first fix gives back the plan.
    restored: bool,
    /// The plan is the same as before: nothing was to be caught.
    same: bool,
}

/// One job: the program and its mutant.
struct Job<'a> {
    program: &'a Program,
    before: &'a Verdict,
    mutant: Mutant,
}

fn outcome(judge: &Judge, job: &Job<'_>) -> Outcome {
    let path = &job.program.path;
    let after = judge.judge(path, &job.mutant.text);
    let known = job.before.words();
    let fresh = |d: &&llmp_grammar::Diag| !known.contains(&format!("{} {}", d.code, d.message));
    let new: Vec<&llmp_grammar::Diag> = after.diags.iter().filter(fresh).collect();
    let fix = new.iter().find_map(|d| d.fixes.first());
    let restored = fix
        .and_then(|fix| fixed(&job.mutant.text, fix))
        .is_some_and(|text| judge.judge(path, &text).hash == job.before.hash);
    let words = new.first().map_or_else(String::new, |d| format!("{} {}", d.code, d.message));
    let title = fix.map_or("no fix", |fix| fix.title.as_str());
    Outcome {
        said: format!("{words} [{title}]"),
        caught: !new.is_empty(),
        error: after.failed(),
        restored,
        same: !after.failed() && after.hash == job.before.hash,
    }
}

/// Runs all jobs on all cores, in order.
fn outcomes(judge: &Judge, jobs: &[Job<'_>]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut mine = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match jobs.get(at) {
                Some(job) => mine.push((at, outcome(judge, job))),
                None => return mine,
            }
        }
    };
    let mut all: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The mutants, spread evenly over the programs.
fn jobs<'a>(judge: &Judge, programs: &'a [Program], before: &'a [Verdict]) -> Vec<Job<'a>> {
    let mut random = Random::new(SEED);
    let mut jobs: Vec<Job<'a>> = Vec::new();
    for class in Class::ALL {
        // Each program gives the same number; what a small one lacks, the next ones add.
        let mut left = quota(class);
        for (at, program) in programs.iter().enumerate() {
            let share = left.div_ceil(programs.len() - at);
            let made = mutants(&program.text, class, share, judge.registry(), &mut random);
            left -= made.len();
            jobs.extend(made.into_iter().map(|mutant| Job { program, before: &before[at], mutant }));
        }
    }
    // Typos of references fill the rest: every program has them.
    let mut more = Class::ALL.into_iter().cycle().filter(|class| class.is_typo()).take(400);
    while jobs.len() < WANTED {
        let Some(class) = more.next() else { break };
        let at = random.below(programs.len());
        let made = mutants(&programs[at].text, class, 5, judge.registry(), &mut random);
        let fresh: Vec<Mutant> =
            made.into_iter().filter(|m| !jobs.iter().any(|job| job.mutant.text == m.text)).collect();
        jobs.extend(fresh.into_iter().map(|mutant| Job {
            program: &programs[at],
            before: &before[at],
            mutant,
        }));
    }
    jobs.truncate(WANTED);
    jobs
}

#[derive(Default)]
struct Row {
    all: usize,
    same: usize,
    caught: usize,
    errors: usize,
    restored: usize,
}

fn percent(part: usize, of: usize) -> f64 {
    if of == 0 { 100.0 } else { 100.0 * part as f64 / of as f64 }
}

fn print_table(rows: &BTreeMap<Class, Row>) {
    println!(
        "{:<30}{:>7}{:>10}{:>10}{:>9}{:>12}",
        "mistake", "edits", "same plan", "caught", "errors", "first fix"
    );
    for (class, row) in rows {
        let real = row.all - row.same;
        let fix =
            if class.is_typo() { format!("{:.1}%", percent(row.restored, row.all)) } else { String::new() };
        println!(
            "{:<30}{:>7}{:>10}{:>9.1}%{:>9}{:>12}",
            class.words(),
            row.all,
            row.same,
            percent(row.caught, real),
            row.errors,
            fix
        );
    }
}

/// Shipped programs and what is said of them as they are. Those with an error are left out: other tests speak of them.
fn programs(judge: &Judge) -> (Vec<Program>, Vec<Verdict>) {
    let all = corpus::shipped();
    let count = all.len();
    let judged = all.into_iter().map(|program| {
        let verdict = judge.judge(&program.path, &program.text);
        (program, verdict)
    });
    let sound: Vec<(Program, Verdict)> = judged.filter(|(_, verdict)| !verdict.failed()).collect();
    println!("{} of {count} shipped programs are without an error", sound.len());
    assert!(sound.len() >= 3, "too few programs");
    sound.into_iter().unzip()
}

#[test]
fn single_mistakes_are_caught_and_slips_are_undone() {
    let judge = Judge::new();
    let (programs, before) = programs(&judge);
    let jobs = jobs(&judge, &programs, &before);
    let outcomes = outcomes(&judge, &jobs);
    let show = std::env::var("LLMP_MUTANTS").is_ok_and(|v| v == "misses");
    let mut rows: BTreeMap<Class, Row> = BTreeMap::new();
    let mut total = Row::default();
    for (job, outcome) in jobs.iter().zip(&outcomes) {
        let class = job.mutant.class;
        for row in [rows.entry(class).or_default(), &mut total] {
            row.all += 1;
            row.same += usize::from(outcome.same);
            row.caught += usize::from(outcome.caught && !outcome.same);
            row.errors += usize::from(outcome.error);
        }
        if class.is_typo() {
            total.restored += usize::from(outcome.restored);
            rows.entry(class).or_default().restored += usize::from(outcome.restored);
        }
        let missed = if class.is_typo() { !outcome.restored } else { !outcome.caught && !outcome.same };
        if show && missed {
            let how = if outcome.caught { "not restored" } else { "not caught" };
            println!("{how} ({}): {} {}: {}", class.words(), job.program.path, job.mutant.what, outcome.said);
        }
    }
    print_table(&rows);
    let typos: usize = rows.iter().filter(|(class, _)| class.is_typo()).map(|(_, row)| row.all).sum();
    println!(
        "{} edits of {} programs; caught {:.1}% of those that change the plan; first fix restores {:.1}% of {typos} slips",
        total.all,
        programs.len(),
        percent(total.caught, total.all - total.same),
        percent(total.restored, typos),
    );
    assert_eq!(total.all, WANTED);
    assert!(percent(total.restored, typos) >= 95.0, "first fixes restore too few slips");
    for (class, row) in &rows {
        let real = row.all - row.same;
        let least = match class {
            Class::SameKind => 0.0,
            // Columns of a source that does not declare them are not known before the run.
            Class::Column => 85.0,
            Class::DroppedLine | Class::ChangedUnit => 60.0,
            Class::OtherKind | Class::BrokenRule => 90.0,
            _ => 99.0,
        };
        assert!(percent(row.caught, real) >= least, "{}: too few are caught", class.words());
    }
}
