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

fn report<'a>(sources: &'a Sources, diags: &'a [llmp_grammar::Diag]) -> [render::Report<'a>; 1] {
    [render::Report { file: "a.llmp", diags, sources }]
}

#[test]
fn github_annotations_have_places_and_escapes() {
    let mut sources = Sources::new();
    let file = sources.add("dir, one/a.llmp", "let a = 1\nlet ä𝛼 = bb\n");
    let at = llmp_grammar::Span::new(file, 14, 14 + "ä𝛼".len());
    let diag = llmp_grammar::Diag::new("LLMP0101", llmp_grammar::Severity::Warning, "100% wrong")
        .primary_label(at, "")
        .help("do: this");
    let lines = llmp_grammar::Span::new(file, 4, 16);
    let long = llmp_grammar::Diag::new("LLMP0102", llmp_grammar::Severity::Error, "two lines")
        .primary_label(lines, "");
    let placeless = llmp_grammar::Diag::new("LLMP0804", llmp_grammar::Severity::Info, "no place");
    let out = render::github(&report(&sources, &[diag, long, placeless]));
    let wanted = "::warning file=dir%2C one/a.llmp,line=2,endLine=2,col=5,endColumn=7,title=LLMP0101::100%25 wrong%0Ahelp: do: this\n\
                  ::error file=dir%2C one/a.llmp,line=1,endLine=2,col=5,title=LLMP0102::two lines\n\
                  ::notice file=a.llmp,title=LLMP0804::no place\n";
    assert_eq!(out, wanted);
}

#[test]
fn junit_counts_failures_and_escapes() {
    let (sources, diags) = diags();
    let clean = render::Report { file: "b&c.llmp", diags: &[], sources: &sources };
    let [bad] = report(&sources, &diags);
    let out = render::junit(&[bad, clean]);
    assert!(
        out.contains("<testsuites name=\"llmp check\" tests=\"6\" failures=\"5\" errors=\"0\">"),
        "{out}"
    );
    assert!(out.contains("<testcase classname=\"b&amp;c.llmp\" name=\"check\"/>"), "{out}");
    assert!(out.contains("name=\"LLMP0006 at a.llmp:3:8\""), "{out}");
    assert_eq!(out.matches("<failure ").count(), 5);
    assert_eq!(out.matches("<testcase ").count(), out.matches("</testcase>").count() + 1);
}

#[test]
fn sarif_has_rules_places_and_fixes() {
    let (sources, diags) = diags();
    let codes = llmp_grammar::codes::ALL;
    // The same report twice: a file that two programs import is reported once.
    let [one] = report(&sources, &diags);
    let log: serde_json::Value =
        serde_json::from_str(&render::sarif(&[one, one], codes, "1.2.3")).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), diags.len());
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(rules[index]["help"]["markdown"].as_str().expect("help").contains("```llmp"));
    }
    let one = results.iter().find(|r| r["ruleId"] == "LLMP0006").expect("there");
    let region = serde_json::json!({ "startLine": 3, "startColumn": 8, "endLine": 3, "endColumn": 9 });
    assert_eq!(one["locations"][0]["physicalLocation"]["region"], region);
    assert_eq!(one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a.llmp");
    let replacement = &one["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(replacement["insertedContent"]["text"], " =");
    assert_eq!(replacement["deletedRegion"], region);
}
