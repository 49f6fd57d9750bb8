//! The sample programs of the language parse, and their trees are what was written.

use llmp_grammar::{FileId, parse};
use std::path::Path;

fn programs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("text")))
        .collect();
    all.sort();
    assert_eq!(all.len(), 5);
    all
}

#[test]
fn sample_programs_parse() {
    for (path, text) in programs() {
        let (parsed, sink) = parse(FileId(0), &text);
        assert_eq!(sink.into_sorted(), [], "{path}");
        assert_eq!(parsed.syntax().text().to_string(), text, "{path}");
        assert!(parsed.file.edition.is_some() && parsed.file.items.len() >= 5, "{path}");
    }
}

#[test]
fn long_text_is_read_line_by_line() {
    let (parsed, sink) = parse(FileId(0), "llmp 1\nlet t =\n  \\\\ one\n    \\\\ two\nlet u = 1\n");
    assert_eq!(sink.into_sorted(), []);
    let llmp_grammar::ast::ItemKind::Let(item) = &parsed.file.items[0].kind else { panic!("a let") };
    assert_eq!(item.value.as_text(), Some("one\ntwo"));
}

#[test]
fn of_a_file_that_is_too_large_only_that_is_said() {
    for start in ["llmp 1\n", ""] {
        let text = format!("{start}# {}\n", "x".repeat(4 << 20));
        let (_, sink) = parse(FileId(0), &text);
        assert_eq!(sink.iter().map(|d| d.code).collect::<Vec<_>>(), ["LLMP0015"]);
    }
}
