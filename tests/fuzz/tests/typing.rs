//! Random edits through the language server: its text is the client's, every request is answered, nothing ends it.
//!
//! `LLMP_EDITS=10000 cargo test --workspace --test typing -- --nocapture` types more than the few seconds of every run.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]
#![allow(
    clippy::disallowed_methods,
    reason = "the test ends by the clock and is lengthened by the environment"
)]

use std::time::{Duration, Instant};

use llmp_fuzz::corpus;
use llmp_fuzz::editor::{Editor, modern, uri};
use llmp_fuzz::edits::Pieces;
use llmp_fuzz::random::Random;
use serde_json::json;

const PATH: &str = "/p/main.llmp";

/// What people type in the middle of something, and what nobody types.
const SNIPPETS: [&str; 24] = [
    "|> ",
    "keep_if(.",
    "model m {\n",
    "}",
    "{",
    "(",
    "\"",
    "= ",
    "like ",
    "use { ",
    "\r\n",
    "\n",
    "\r",
    "𝛼",
    "ä\u{301}",
    "👩‍🔬",
    "# ",
    "@allow(",
    "4M ",
    "[r in 1..",
    "variant v {\n  ",
    "rounds r for i in 1..3 {\n",
    ".",
    "\u{202e}",
];

/// A place of a text that is not inside of a character or a line end.
fn place(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) || (at > 0 && text[..at].ends_with('\r') && text[at..].starts_with('\n'))
    {
        at -= 1;
    }
    at
}

#[test]
fn whatever_is_typed_the_server_follows() {
    let most: usize = std::env::var("LLMP_EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(8);
    let mut random = Random::new(7);
    let programs: Vec<String> = corpus::shipped().into_iter().map(|p| p.text).collect();
    let pieces = Pieces::of(programs.iter().map(String::as_str));
    let mut editor = Editor::start(&[], &modern());
    let mut edits = 0;
    let mut slowest = (Duration::ZERO, "");
    while if most > 0 { edits < most } else { Instant::now() < end } {
        let start = random.pick(&programs).unwrap().clone();
        let start = if random.below(3) == 0 { start.replace('\n', "\r\n") } else { start };
        editor.open(PATH, &start);
        for _ in 0..40 {
            let text = &editor.texts[PATH];
            let from = place(text, &mut random);
            let length = random.below(12);
            let mut to = (from + length).min(text.len());
            while !text.is_char_boundary(to) || text[..to].ends_with('\r') && text[to..].starts_with('\n') {
                to += 1;
            }
            let put = match random.below(4) {
                0 => String::new(),
                1 => pieces.edit(&text[from..to], &mut random).chars().take(200).collect(),
                _ => (*random.pick(&SNIPPETS).unwrap()).to_owned(),
            };
            editor.edit(PATH, from, to, &put);
            edits += 1;
            let at = place(&editor.texts[PATH], &mut random);
            let (method, params) = question(&editor, at, &mut random);
            let asked = Instant::now();
            // Any answer will do, an error too; silence or the end of the server will not.
            if let Err((code, words)) = editor.ask(method, params) {
                assert_ne!(code, -32603, "{method}: {words}\n{}", editor.texts[PATH]);
            }
            if asked.elapsed() > slowest.0 {
                slowest = (asked.elapsed(), method);
            }
        }
        assert_eq!(editor.server_text(PATH), editor.texts[PATH]);
        editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri(PATH) } }));
    }
    println!("{edits} edits; slowest answer {:?} ({})", slowest.0, slowest.1);
    assert!(edits >= 40 && editor.stop());
}

/// A request about a place.
fn question(editor: &Editor, at: usize, random: &mut Random) -> (&'static str, serde_json::Value) {
    let position = editor.position(PATH, at);
    let document = json!({ "uri": uri(PATH) });
    let range = json!({ "start": editor.position(PATH, at.saturating_sub(at % 40).min(floor(editor, at))), "end": position });
    let here = json!({ "textDocument": document, "position": position });
    let whole = json!({ "textDocument": document });
    let part = json!({ "textDocument": document, "range": range });
    match random.below(22) {
        0 | 1 => ("textDocument/diagnostic", whole),
        2 | 3 => ("textDocument/hover", here),
        4..=7 => ("textDocument/completion", here),
        8 => ("textDocument/signatureHelp", here),
        9 => ("textDocument/definition", here),
        10 => (
            "textDocument/references",
            json!({ "textDocument": document, "position": position, "context": { "includeDeclaration": true } }),
        ),
        11 => (
            "textDocument/rename",
            json!({ "textDocument": document, "position": position, "newName": "other" }),
        ),
        12 => ("textDocument/semanticTokens/full", whole),
        13 => ("textDocument/inlayHint", part),
        14 => (
            "textDocument/codeAction",
            json!({ "textDocument": document, "range": range, "context": { "diagnostics": [] } }),
        ),
        15 => ("textDocument/formatting", whole),
        16 => (
            "textDocument/onTypeFormatting",
            json!({ "textDocument": document, "position": position, "ch": "\n" }),
        ),
        17 => ("textDocument/foldingRange", whole),
        18 => ("textDocument/selectionRange", json!({ "textDocument": document, "positions": [position] })),
        19 => ("textDocument/codeLens", whole),
        20 => ("textDocument/prepareCallHierarchy", here),
        _ => ("textDocument/documentSymbol", whole),
    }
}

/// The start of the character at an offset.
fn floor(editor: &Editor, at: usize) -> usize {
    let text = &editor.texts[PATH];
    let mut at = at.saturating_sub(at % 40);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
