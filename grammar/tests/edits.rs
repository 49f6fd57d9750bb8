//! Random edits of real programs: no panic, the tree is the text, nothing broken passes in silence, formatting is safe.

use llmp_grammar::{Chunks, FileId, format, parse, parse_with};
use std::path::Path;

/// A small fixed stream of numbers, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n.max(1)
    }
}

fn programs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

/// Borders of words and signs.
fn borders(text: &str) -> Vec<usize> {
    let mut all = vec![0];
    let mut word = false;
    for (at, c) in text.char_indices() {
        let is_word = c.is_alphanumeric() || c == '_';
        if !(is_word && word) {
            all.push(at);
        }
        word = is_word;
    }
    all.push(text.len());
    all
}

const INSERTED: [&str; 26] = [
    "(", ")", "[", "]", "{", "}", "\"", "'", "\n", "\r\n", "\r", "=", ",", "|>", "..", "#", "@", "𝛼", "ä",
    "\\", "\u{202e}", "if ", "not ", ":", "{{", "\\\\ x\n",
];

fn edit(text: &str, random: &mut Random) -> String {
    let places = borders(text);
    let mut place = || places[random.below(places.len())];
    let (a, b) = (place(), place());
    let (a, b) = (a.min(b), a.max(b));
    let next = |at: usize| places.iter().copied().find(|place| *place > at).unwrap_or(text.len());
    let mut out = text.to_string();
    match random.below(6) {
        0 => out.replace_range(a..next(a), ""),
        1 | 2 => out.insert_str(a, INSERTED[random.below(INSERTED.len())]),
        3 => out.truncate(b),
        4 => out = text.replace('\n', "\r\n"),
        _ => {
            let (first, second) = (text[a..next(a)].to_string(), text[b..next(b)].to_string());
            if next(a) <= b {
                out.replace_range(b..next(b), &first);
                out.replace_range(a..next(a), &second);
            }
        }
    }
    out
}

#[test]
fn random_edits() {
    let mut random = Random(17);
    let programs = programs();
    let mut broken = 0;
    for round in 0..ROUNDS {
        let mut text = programs[round % programs.len()].clone();
        // Small programs make small, telling failures.
        if text.len() > 3000 {
            let cut = random.below(text.len() - 2500);
            let from = (cut..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text = text[from..].lines().take(40).map(|line| format!("{line}\n")).collect();
        }
        for _ in 0..=random.below(3) {
            text = edit(&text, &mut random);
        }
        let (parsed, sink) = parse(FileId(0), &text);
        assert_eq!(parsed.syntax().text().to_string(), text, "lossless");
        let errors =
            parsed.syntax().descendants().any(|node| node.kind() == llmp_grammar::kind::SyntaxKind::Error);
        assert!(!errors || sink.has_errors(), "silent:\n{text}");
        broken += usize::from(sink.has_errors());
        for diag in &sink {
            for label in &diag.labels {
                assert!(text.get(label.span.range()).is_some(), "{diag:?}");
            }
        }
        match format(&text) {
            Ok(once) => assert_eq!(format(&once).as_ref(), Ok(&once), "not stable:\n{text}"),
            Err(diag) => panic!("{diag:?}\n{text}"),
        }
    }
    assert!(broken > ROUNDS / 2, "{broken} of {ROUNDS} are broken");
}

const ROUNDS: usize = 400;

#[test]
fn nesting_takes_no_exponential_time() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("f(a = ", ")"), ("{ a = ", " }"), ("a[", "]"), ("if a then ", " else b")]
    {
        for closed in [true, false] {
            let close = if closed { close.repeat(60) } else { String::new() };
            let text = format!("llmp 1\nlet x = {}1{close}\n", open.repeat(60));
            let (parsed, sink) = parse(FileId(0), &text);
            assert_eq!(parsed.syntax().text().to_string(), text);
            assert_eq!(sink.has_errors(), !closed, "{text}");
        }
    }
    for open in ["(", "[", "{ a = ", "if ", "not ", "- ", "a.", "a + ", "List["] {
        let text = format!("llmp 1\nlet x = {}\n", open.repeat(20_000));
        assert!(parse(FileId(0), &text).1.has_errors());
    }
}

/// What was read before changes nothing: the tree, the program and what is said are those of a first reading.
#[test]
fn reading_again_is_reading() {
    let mut random = Random(11);
    let programs = programs();
    let mut chunks = Chunks::default();
    for round in 0..400 {
        let mut text = programs[round % programs.len()].clone();
        for _ in 0..3 {
            let (first, said) = parse(FileId(0), &text);
            let (again, repeated) = parse_with(FileId(0), &text, &mut chunks);
            let trees = (format!("{:#?}", first.syntax()), format!("{:#?}", again.syntax()));
            assert_eq!(trees.0, trees.1, "{text}");
            assert_eq!(first.file, again.file, "{text}");
            assert_eq!(said, repeated, "{text}");
            text = edit(&text, &mut random);
        }
    }
}
