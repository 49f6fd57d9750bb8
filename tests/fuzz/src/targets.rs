//! What must hold for every text, however spoiled. A target panics where it does not.

use llmp_grammar::diag::Severity;
use llmp_grammar::kind::SyntaxKind;
use llmp_grammar::{Diag, FileId, Sources, format, parse, render, scan, split};

use crate::judge::{Judge, fixed};

/// One entry of the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Scanning and splitting: total and lossless.
    Scan,
    /// Parsing: lossless, nothing broken in silence, places inside the text.
    Parse,
    /// Formatting: stable, and the text is never lost.
    Fmt,
    /// Checking: ends, and says things that can be shown and applied.
    Check,
    /// Planning: what has no error has a plan, which layout does not change.
    Plan,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 5] = [Target::Scan, Target::Parse, Target::Fmt, Target::Check, Target::Plan];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Target::Scan => "scan",
            Target::Parse => "parse",
            Target::Fmt => "fmt",
            Target::Check => "check",
            Target::Plan => "plan",
        }
    }

    /// The target of a name.
    pub fn named(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Runs it on a text; what it noticed in words, the same for inputs that take the same ways.
    pub fn run(self, judge: &Judge, text: &str) -> String {
        match self {
            Target::Scan => scanned(text),
            Target::Parse => parsed(text),
            Target::Fmt => formatted(text),
            Target::Check => checked(judge, text),
            Target::Plan => planned(judge, text),
        }
    }
}

/// Where a fuzzed program stands: beside the examples, so that their imports are found.
const PATH: &str = "examples/fuzzed.llmp";

fn scanned(text: &str) -> String {
    let tokens = scan::scan(text);
    let mut at = 0;
    for token in &tokens {
        assert_eq!(token.start, at, "tokens are the text");
        assert!(token.end > token.start, "no token is empty");
        assert!(text.get(token.start..token.end).is_some(), "tokens lie on characters");
        at = token.end;
    }
    assert_eq!(at, text.len(), "tokens are the whole text");
    let chunks = split::split(text, &tokens);
    let mut at = 0;
    for chunk in &chunks {
        assert_eq!(chunk.start, at, "chunks follow each other");
        at = chunk.end;
    }
    assert!(chunks.is_empty() || at == tokens.len(), "chunks are all tokens");
    let kinds: std::collections::BTreeSet<SyntaxKind> = tokens.iter().map(|token| token.kind).collect();
    format!("{kinds:?} {}", chunks.len().min(8))
}

fn places(diags: &[Diag], text: &str) {
    for diag in diags {
        for label in diag.labels.iter().filter(|label| label.span.file == FileId(0)) {
            assert!(text.get(label.span.range()).is_some(), "a place outside of the text: {diag:?}");
        }
        assert!(!diag.message.is_empty(), "{diag:?}");
    }
}

fn parsed(text: &str) -> String {
    let (parse, sink) = parse(FileId(0), text);
    assert_eq!(parse.syntax().text().to_string(), text, "the tree is the text");
    let broken = parse.syntax().descendants().any(|node| node.kind() == SyntaxKind::Error);
    assert!(!broken || sink.has_errors(), "an error node without an error");
    let diags = sink.into_sorted();
    places(&diags, text);
    codes(&diags)
}

fn codes(diags: &[Diag]) -> String {
    let codes: std::collections::BTreeSet<&str> = diags.iter().map(|diag| diag.code).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

fn formatted(text: &str) -> String {
    match format(text) {
        Ok(once) => {
            assert_eq!(format(&once).as_ref(), Ok(&once), "formatting twice changes something");
            let words = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            assert_eq!(words(&once), words(text), "letters are lost");
            String::from(if once == text { "same" } else { "changed" })
        }
        // A file with errors may be left as it is; one without is formatted.
        Err(_) if parse(FileId(0), text).1.has_errors() => String::from("left"),
        Err(diag) => panic!("formatting fails: {diag:?}"),
    }
}

fn checked(judge: &Judge, text: &str) -> String {
    let verdict = judge.judge(PATH, text);
    places(&verdict.diags, text);
    shown(&verdict.diags, &verdict.sources);
    for fix in verdict.diags.iter().flat_map(|diag| &diag.fixes) {
        let here = fix.edits.iter().all(|edit| edit.span.file == FileId(0));
        assert!(!here || fixed(text, fix).is_some(), "a fix outside of the text: {fix:?}");
    }
    let errors = verdict.diags.iter().filter(|diag| diag.severity == Severity::Error).count();
    format!("{} {}", codes(&verdict.diags), errors.min(4))
}

fn shown(diags: &[Diag], sources: &Sources) {
    let all = [
        render::short(diags, sources),
        render::json(diags, sources),
        render::terminal(diags, sources, false),
    ];
    assert!(diags.is_empty() || all.iter().all(|text| !text.is_empty()), "a renderer says nothing");
}

fn planned(judge: &Judge, text: &str) -> String {
    let verdict = judge.judge(PATH, text);
    if verdict.failed() {
        return codes(&verdict.diags);
    }
    assert!(!verdict.hash.is_empty(), "a program without an error has no plan");
    let Ok(formatted) = format(text) else { panic!("a program without an error cannot be formatted") };
    let again = judge.judge(PATH, &formatted);
    assert_eq!(again.hash, verdict.hash, "formatting changes the plan");
    // A byte order mark is one at the beginning of a file only.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let commented = format!("# before\n{body}\n# behind\n");
    assert_eq!(judge.judge(PATH, &commented).hash, verdict.hash, "comments change the plan");
    format!("planned {}", codes(&verdict.diags))
}
