//! How long an editor waits: 500 edits of the largest paper and of a generated file of 2,000 lines, start, memory.
//!
//! `cargo bench -p llmp-fuzz --bench editor`. Times are from the edit or request to its answer, through the protocol's
//! messages in one process; the middle one and the one that 99 of 100 do not exceed.
#![allow(clippy::print_stdout, reason = "a table for the terminal")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use llmp_fuzz::editor::{Editor, modern, plain, uri};
use llmp_fuzz::random::Random;
use llmp_fuzz::{corpus, large, session};
use serde_json::{Value as Json, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EDITS: usize = 500;

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One row: what, the middle time, the time of the slowest but one in a hundred, and what was promised.
fn row(what: &str, mut times: Vec<Duration>, promised: (f64, f64)) {
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let kept = if ms(p50) <= promised.0 && ms(p99) <= promised.1 { "" } else { "  MISSED" };
    println!("  {what:<32}{:>8.2}{:>8.2}   ({} / {}){kept}", ms(p50), ms(p99), promised.0, promised.1);
}

/// Edits as people make them: a word typed letter by letter somewhere, taken out again, a number changed.
struct Typist {
    random: Random,
    typed: Vec<usize>,
}

impl Typist {
    fn edit(&mut self, editor: &mut Editor, path: &str) -> usize {
        const WORD: [&str; 9] = [" ", "#", " ", "a", "b", "|", ">", " ", "x"];
        if self.typed.len() < WORD.len() {
            let at = match self.typed.last() {
                Some(last) => last + 1,
                None => {
                    let text = &editor.texts[path];
                    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
                    ends[self.random.below(ends.len())]
                }
            };
            editor.edit(path, at, at, WORD[(self.typed.len() + self.random.below(3)) % WORD.len()]);
            self.typed.push(at);
            return at + 1;
        }
        let (first, last) = (self.typed[0], self.typed[self.typed.len() - 1] + 1);
        self.typed.clear();
        editor.edit(path, first, last, "");
        first
    }
}

fn measure(name: &str, path: &str, text: &str, files: &[(&str, &str)]) {
    println!("{name}: {} lines", text.lines().count());
    let start = Instant::now();
    let mut editor = Editor::start(files, &plain());
    editor.open(path, text);
    editor.told("textDocument/publishDiagnostics", |p| p["uri"] == uri(path));
    row("start to first diagnostics", vec![start.elapsed()], (100.0, 100.0));
    let mut typist = Typist { random: Random::new(1), typed: Vec::new() };
    let mut times = Vec::new();
    for _ in 0..EDITS {
        let start = Instant::now();
        typist.edit(&mut editor, path);
        // An edit that changes nothing that is said publishes nothing but its version.
        editor.told("textDocument/publishDiagnostics", |p| p["uri"] == uri(path));
        times.push(start.elapsed());
    }
    row("keystroke to diagnostics", times, (10.0, 50.0));
    drop(editor);
    let mut editor = Editor::start(files, &modern());
    editor.open(path, text);
    let document = json!({ "uri": uri(path) });
    let questions: [(&str, &str, (f64, f64)); 6] = [
        ("keystroke to pulled diagnostics", "textDocument/diagnostic", (10.0, 50.0)),
        ("keystroke to completion", "textDocument/completion", (10.0, 50.0)),
        ("hover", "textDocument/hover", (5.0, 20.0)),
        ("definition", "textDocument/definition", (5.0, 20.0)),
        ("semantic tokens, full", "textDocument/semanticTokens/full", (10.0, 30.0)),
        ("formatting", "textDocument/formatting", (10.0, 50.0)),
    ];
    for (what, method, promised) in questions {
        let mut typist = Typist { random: Random::new(2), typed: Vec::new() };
        let keystroke = what.starts_with("keystroke");
        let mut times = Vec::new();
        for _ in 0..EDITS / 5 {
            let mut start = Instant::now();
            let at = typist.edit(&mut editor, path);
            if !keystroke {
                editor.diagnostics(path);
                start = Instant::now();
            }
            let params: Json = match method {
                "textDocument/completion" | "textDocument/hover" | "textDocument/definition" => {
                    json!({ "textDocument": document, "position": editor.position(path, at) })
                }
                _ => json!({ "textDocument": document }),
            };
            editor.ask(method, params).unwrap();
            times.push(start.elapsed());
        }
        row(what, times, promised);
    }
    assert!(editor.stop());
}

fn main() {
    println!("  {:<32}{:>8}{:>8}   (promised)", "ms", "p50", "p99");
    let papers = corpus::shipped();
    let largest = papers.iter().max_by_key(|p| p.text.lines().count()).unwrap();
    let absolute = |path: &str| corpus::root().join(path).to_string_lossy().into_owned();
    let folder = largest.path.rsplit_once('/').unwrap().0.to_owned();
    let files: Vec<(String, String)> = std::fs::read_dir(corpus::root().join(&folder))
        .unwrap()
        .flatten()
        .map(|entry| {
            (entry.path().to_string_lossy().into_owned(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    measure(&largest.path, &absolute(&largest.path), &largest.text, &files);
    let main = format!("{folder}/main.llmp");
    if let Some(main) = papers.iter().find(|p| p.path == main) {
        measure(&main.path, &absolute(&main.path), &main.text, &files);
    }
    measure("generated", "/p/generated.llmp", &large::program(2_000), &[]);
    let mut editor = Editor::start(&[], &modern());
    let texts: Vec<&str> = papers.iter().map(|p| p.text.as_str()).collect();
    for n in 0..200 {
        let path = format!("/many/{n}/main.llmp");
        editor.open(&path, texts[n % texts.len()]);
        editor.diagnostics(&path);
    }
    println!("memory with 200 files open: {} MiB", session::peak() >> 10);
    assert!(editor.stop());
}
