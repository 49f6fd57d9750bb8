//! What is too much gets a diagnostic within a second and 256 MiB: depth, size, families, ranges, things that double.
//!
//! Each case runs in a process of its own, so that its memory can be seen.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]
#![allow(clippy::print_stdout, reason = "a table for those who ask for it")]
#![allow(clippy::disallowed_methods, reason = "time and the environment are what is tested")]

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use llmp_fuzz::judge::Judge;
use llmp_fuzz::session;

/// Longest time of a check, in an optimised build; a build without optimisation is given more.
const TIME: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10_000 } else { 1_000 });
/// Most memory of the whole process, in KiB.
const MEMORY: u64 = 256 << 10;

const BASE: &str = "source books = text(\"books/*.txt\")\n";
const STAGE: &str = "tokenizer tok = bpe(train_on = books, vocab = 4096)
model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
pretrain run { model = m, data = books, tokens = 4M }
";

/// Definitions of which each is the one before twice.
fn doubling(first: &str, next: impl Fn(usize) -> String, last: &str) -> String {
    let mut text = format!("llmp 1\n{BASE}{first}\n");
    for n in 1..=60 {
        let _ = writeln!(text, "{}", next(n));
    }
    format!("{text}{last}\n{STAGE}")
}

/// The program of a case, and whether it must have an error (else it must only end in time).
fn case(name: &str) -> Option<(String, bool)> {
    let text = match name {
        "brackets of 65" => format!("llmp 1\nlet x = {}1{}\n", "(".repeat(65), ")".repeat(65)),
        "brackets of 20000" => format!("llmp 1\nlet x = {}\n", "(".repeat(20_000)),
        "lists of 20000" => format!("llmp 1\nlet x = {}1{}\n", "[".repeat(20_000), "]".repeat(20_000)),
        "records of 20000" => format!("llmp 1\nmodel m {{ x = {}\n", "{ a = ".repeat(20_000)),
        "calls of 20000" => format!("llmp 1\nlet x = {}1\n", "f(a = ".repeat(20_000)),
        "conditions of 20000" => format!("llmp 1\nlet x = {}\n", "if true then 1 else ".repeat(20_000)),
        "signs of 20000" => format!("llmp 1\nlet x = {}1\n", "-".repeat(20_000)),
        "negations of 20000" => format!("llmp 1\nlet x = {}true\n", "not ".repeat(20_000)),
        "sums of 20000" => format!("llmp 1\nlet x = 1{}\n", " + 1".repeat(20_000)),
        "eleven megabytes of items" => format!("llmp 1\n{}", BASE.repeat(11_000_000 / BASE.len() + 1)),
        "eleven megabytes of one line" => format!("llmp 1\nlet x = {}", "1 + ".repeat(2_750_000)),
        "eleven megabytes of quotes" => "\"".repeat(11_000_000),
        "eleven megabytes of line ends" => "\n".repeat(11_000_000),
        "a family of a million and one" => {
            "llmp 1\nsource many[n in 1..1_000_001] = text(\"{n}/*.txt\")\ndataset all = all(many)\n"
                .to_owned()
        }
        "a family of a billion" => {
            format!("llmp 1\nsource many[n in 1..1_000_000_000] = text(\"{{n}}/*.txt\")\n{BASE}{STAGE}")
        }
        "a range of a billion" => {
            format!(
                "llmp 1\nlet x = [n for n in 1..1_000_000_000]\ncheck x == [] else \"never\"\n{BASE}{STAGE}"
            )
        }
        "a range of ranges" => {
            let inner = "[[[k for k in 1..9000] for j in 1..9000] for i in 1..9000]";
            format!("llmp 1\nlet x = {inner}\ncheck x == [] else \"never\"\n{BASE}{STAGE}")
        }
        "a million rounds" => {
            format!(
                "llmp 1\n{BASE}{STAGE}rounds post for r in 1..1_000_001 {{\n  carry p = run\n  pretrain s {{ from = p, data = books, tokens = 1M }}\n  next p = s\n}}\n"
            )
        }
        "as many rounds as there may be" => {
            format!(
                "llmp 1\n{BASE}{STAGE}rounds post for r in 1..330 {{\n  carry p = run\n  pretrain s {{ from = p, data = books, tokens = 1M }}\n  next p = s\n}}\n"
            )
        }
        "as many wrong rounds as there may be" => {
            format!(
                "llmp 1\n{BASE}{STAGE}rounds post for r in 1..500 {{\n  carry p = missing\n  pretrain s {{ from = p, dat = books }}\n}}\n"
            )
        }
        "a family of ten thousand" => {
            "llmp 1\nsource many[n in 1..10_000] = text(\"{n}/*.txt\")\ndataset all = all(many)\n".to_owned()
        }
        "rounds in rounds" => {
            format!(
                "llmp 1\n{BASE}{STAGE}rounds a for r in 1..1000 {{\n  carry p = run\n  rounds b for q in 1..1000 {{\n    carry o = p\n    pretrain s {{ from = o, data = books, tokens = 1M }}\n    next o = s\n  }}\n  next p = b.o\n}}\n"
            )
        }
        "lists that double" => doubling(
            "let a0 = [1, 1]",
            |n| format!("let a{n} = [a{0}, a{0}]", n - 1),
            "check a60 == [] else \"never\"",
        ),
        "texts that double" => doubling(
            "let a0 = \"ab\"",
            |n| format!("let a{n} = \"{{a{0}}}{{a{0}}}\"", n - 1),
            "check a60 == \"\" else \"never\"",
        ),
        "chains that double" => doubling(
            "chain a0 = dedup_exact()",
            |n| format!("chain a{n} = a{0} |> a{0}", n - 1),
            "dataset d = books |> a60",
        ),
        "joins that double" => {
            doubling("dataset a0 = books", |n| format!("dataset a{n} = concat([a{0}, a{0}])", n - 1), "")
        }
        "arguments in arguments" => {
            let step = "decontaminate(against = books |> ";
            format!(
                "llmp 1\n{BASE}dataset d = books |> {}dedup_exact(){}\n{STAGE}",
                step.repeat(28),
                ")".repeat(28)
            )
        }
        "a number of a thousand digits" => {
            format!("llmp 1\nlet x = {}\ncheck x == 1 else \"never\"\n", "9".repeat(1000))
        }
        "an exponent of a billion" => {
            "llmp 1\nlet x = 1e1000000000\ncheck x == 1 else \"never\"\n".to_owned()
        }
        "products that double" => doubling(
            "let a0 = 1000",
            |n| format!("let a{n} = a{0} * a{0}", n - 1),
            "check a60 == 1 else \"never\"",
        ),
        "a chain of 20000 definitions" => {
            let mut text = format!("llmp 1\n{BASE}dataset d0 = books |> dedup_exact()\n");
            (1..20_000).for_each(|n| {
                let _ = writeln!(text, "dataset d{n} = d{} |> dedup_exact()", n - 1);
            });
            text
        }
        "a chain of 20000 definitions, last first" => {
            let mut text = format!("llmp 1\n{BASE}");
            (1..20_000).rev().for_each(|n| {
                let _ = writeln!(text, "dataset d{n} = d{} |> dedup_exact()", n - 1);
            });
            format!("{text}dataset d0 = books |> dedup_exact()\n")
        }
        "a cycle of 20000 definitions" => {
            let mut text = format!("llmp 1\n{BASE}dataset d0 = d19999\n");
            (1..20_000).for_each(|n| {
                let _ = writeln!(text, "dataset d{n} = d{}", n - 1);
            });
            text
        }
        "stages of 300" => {
            let mut text = format!("llmp 1\n{BASE}{STAGE}");
            (0..300).for_each(|n| {
                let from = if n == 0 { "run".to_owned() } else { format!("s{}", n - 1) };
                let _ = writeln!(text, "pretrain s{n} {{ from = {from}, data = books, tokens = 1M }}");
            });
            text
        }
        _ => return None,
    };
    let fine = [
        "joins that double",
        "arguments in arguments",
        "a chain of 20000 definitions",
        "a chain of 20000 definitions, last first",
        "stages of 300",
    ];
    Some((text, !fine.contains(&name)))
}

const NAMES: [&str; 34] = [
    "brackets of 65",
    "brackets of 20000",
    "lists of 20000",
    "records of 20000",
    "calls of 20000",
    "conditions of 20000",
    "signs of 20000",
    "negations of 20000",
    "sums of 20000",
    "eleven megabytes of items",
    "eleven megabytes of one line",
    "eleven megabytes of quotes",
    "eleven megabytes of line ends",
    "a family of a million and one",
    "a family of a billion",
    "a range of a billion",
    "a range of ranges",
    "a million rounds",
    "as many rounds as there may be",
    "as many wrong rounds as there may be",
    "a family of ten thousand",
    "rounds in rounds",
    "lists that double",
    "texts that double",
    "chains that double",
    "joins that double",
    "arguments in arguments",
    "a number of a thousand digits",
    "an exponent of a billion",
    "products that double",
    "a chain of 20000 definitions",
    "a chain of 20000 definitions, last first",
    "a cycle of 20000 definitions",
    "stages of 300",
];

/// What a process of its own does: checks and plans one program, then says what that took.
#[test]
#[ignore = "runs in a process of its own"]
fn child() {
    let Ok(name) = std::env::var("LLMP_LIMIT") else { return };
    let (text, error) = case(&name).unwrap();
    let judge = Judge::new();
    // Time of the processor: a busy machine is no finding.
    let start = session::spent();
    let verdict = judge.judge("examples/limit.llmp", &text);
    let time = session::spent() - start;
    let memory = session::peak();
    let said = verdict.words().into_iter().next().unwrap_or_default();
    let said: String = said.chars().take(90).collect();
    println!("<<{} ms, {} MiB, {} said, first: {said}", time.as_millis(), memory >> 10, verdict.diags.len());
    assert_eq!(verdict.failed(), error, "an error is wanted: {error}");
    assert!(time < TIME, "it took {time:?}");
    assert!(memory < MEMORY, "it took {memory} KiB");
}

#[test]
fn what_is_too_much_is_said_in_time() {
    let me = std::env::current_exe().unwrap();
    let mut wrong = Vec::new();
    for name in NAMES {
        // A case that goes wrong must not take the machine with it.
        let limited = format!(
            "ulimit -v 4000000; exec timeout 60 '{}' --exact child --ignored --nocapture",
            me.display()
        );
        let run = Command::new("sh")
            .args(["-c", &limited])
            .env("LLMP_LIMIT", name)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&run.stdout).into_owned();
        let line = out.lines().find_map(|line| line.split_once("<<")).map_or("", |(_, line)| line);
        println!("{name:<42} {line}");
        if !run.status.success() {
            let err = String::from_utf8_lossy(&run.stderr);
            let why = err
                .lines()
                .find(|l| l.contains("it took") || l.contains("wanted") || l.contains("overflow"))
                .unwrap_or("");
            wrong.push(format!("{name}: {} {line} {why}", run.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
