//! What people and tools see.

use llmp_grammar::{Sources, parse, render};

const PROGRAM: &str = "llmp 1\nmodel tiny {\n  heads: 32\n  ffn = [1, 2)\n\nlet ä = \"𝛼\" + + 1\n";

fn diags() -> (Sources, Vec<llmp_grammar::Diag>) {
    let mut sources = Sources::new();
    let file = sources.add("a.llmp", PROGRAM);
    let diags = parse(file, PROGRAM).1.into_sorted();
    (sources, diags)
}

#[test]
fn terminal() {
    let (sources, diags) = diags();
    let out = render::terminal(&diags, &sources, false);
    if std::env::var_os("LLMP_UPDATE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/render.txt"), &out).expect("write");
    }
    assert_eq!(
        out,
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/render.txt")).expect("read")
    );
    assert!(render::terminal(&diags, &sources, true).contains("\u{1b}["), "colors");
}

#[test]
fn short() {
    let (sources, diags) = diags();
    let wanted = "a.llmp:2:12: error[LLMP0002]: this `{` is never closed\n\
                  a.llmp:3:8: error[LLMP0006]: `=` is missing after `heads`\n\
                  a.llmp:4:14: error[LLMP0003]: this `)` closes nothing\n\
                  a.llmp:6:5: error[LLMP0001]: unexpected `ä`\n\
                  a.llmp:6:15: error[LLMP0001]: unexpected `+`\n";
    assert_eq!(render::short(&diags, &sources), wanted);
}

#[test]
fn json() {
    let (sources, diags) = diags();
    let all: serde_json::Value = serde_json::from_str(&render::json(&diags, &sources)).expect("JSON");
    let one = &all[1];
    assert_eq!(one["code"], "LLMP0006");
    assert_eq!(one["severity"], "error");
    assert_eq!(one["file"], "a.llmp");
    assert_eq!(one["start"], serde_json::json!({ "line": 3, "column": 8 }));
    assert_eq!(one["end"], serde_json::json!({ "line": 3, "column": 9 }));
    assert_eq!(one["labels"][0]["primary"], true);
    assert_eq!(one["fixes"][0]["edits"][0]["replacement"], " =");
}

#[test]
fn labels_in_several_files() {
    let mut sources = Sources::new();
    let first = sources.add("a.llmp", "let a = b\n");
    let second = sources.add("b.llmp", "let b = c\n");
    let diag = llmp_grammar::Diag::new("LLMP0106", llmp_grammar::Severity::Warning, "a cycle")
        .primary_label(llmp_grammar::Span::new(first, 8, 9), "here")
        .label(llmp_grammar::Span::new(second, 4, 5), "and here")
        .note("a note")
        .fix("do this", llmp_grammar::Span::new(first, 8, 9), "c");
    let out = render::terminal(&[diag], &sources, false);
    for part in
        ["warning", "LLMP0106", "a cycle", "a.llmp:1:9", "b.llmp:1:5", "and here", "a note", "do this"]
    {
        let part = part.to_lowercase();
        assert!(out.to_lowercase().contains(&part), "{part}:\n{out}");
    }
}
