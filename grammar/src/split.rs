//! Cuts a text into chunks of one item each, so that a mistake stays inside its item.

use crate::kind::SyntaxKind;
use crate::scan::Token;
use std::ops::Range;

const ITEM_WORDS: [&str; 7] = ["use", "param", "let", "check", "variant", "rounds", "llmp"];

/// Ranges of tokens, one per chunk; together they are all tokens.
///
/// A line at column 0 that is `@…`, an item keyword or two words starts an item, and own-line comments right before it
/// belong to it. Inside brackets that are all closed somewhere, nothing starts.
pub fn split(source: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let balanced = is_balanced(source, tokens);
    let mut cuts = vec![0];
    let mut depth = 0i32;
    let mut lead = None;
    let mut only_attributes = true;
    for line in lines(tokens) {
        let first = tokens.get(line.start).copied();
        let kind = first.map(|token| token.kind);
        let starts = is_anchor(source, tokens.get(line.clone()).unwrap_or(&[]));
        let stray = depth == 0 && !is_continuation(source, first);
        let blank = tokens.get(line.clone()).unwrap_or(&[]).iter().all(|token| token.kind.is_trivia());
        if kind == Some(SyntaxKind::Comment) {
            lead.get_or_insert(line.start);
        } else {
            if !blank && (starts && (!balanced || depth == 0) || stray) && !only_attributes {
                cuts.push(lead.unwrap_or(line.start));
                depth = 0;
                only_attributes = true;
            }
            lead = None;
            let attribute = first.is_some_and(|token| token.text(source) == "@");
            only_attributes &= blank || attribute;
        }
        for token in tokens.get(line).unwrap_or(&[]) {
            depth = (depth + bracket(source, token)).max(0);
        }
    }
    cuts.push(tokens.len());
    cuts.dedup();
    cuts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// Ranges of tokens, one per line, line ends included.
pub fn lines(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut all = vec![];
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == SyntaxKind::Newline {
            all.push(start..at + 1);
            start = at + 1;
        }
    }
    if start < tokens.len() {
        all.push(start..tokens.len());
    }
    all
}

/// +1 for an opening bracket, -1 for a closing one, 0 for the rest and for all between quotes.
pub fn bracket(source: &str, token: &Token) -> i32 {
    if token.kind != SyntaxKind::Punct || token.in_text {
        return 0;
    }
    match token.text(source) {
        "(" | "[" | "{" => 1,
        ")" | "]" | "}" => -1,
        _ => 0,
    }
}

/// The bracket that closes an opening one.
pub fn closer(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// Whether every bracket has its partner.
pub fn is_balanced(source: &str, tokens: &[Token]) -> bool {
    let mut open = vec![];
    for token in tokens {
        match bracket(source, token) {
            1 => open.push(closer(token.text(source))),
            -1 if open.pop() != Some(token.text(source)) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// Whether a line begins like an item: `@…`, an item keyword, or two words.
pub fn is_anchor(source: &str, line: &[Token]) -> bool {
    let mut words = line.iter().filter(|token| token.kind != SyntaxKind::Space);
    let Some(first) = words.next() else { return false };
    let second = words.next();
    let word = first.text(source);
    let second_is_word = second.is_some_and(|token| token.kind == SyntaxKind::Ident);
    match first.kind {
        SyntaxKind::Punct => word == "@",
        SyntaxKind::Keyword => ITEM_WORDS.contains(&word),
        SyntaxKind::Ident if word == "llmp" => second.is_some_and(|token| token.kind == SyntaxKind::Number),
        SyntaxKind::Ident => second_is_word,
        _ => false,
    }
}

/// Whether a line that begins with this token goes on with the line before.
pub fn is_continuation(source: &str, first: Option<Token>) -> bool {
    let Some(first) = first else { return true };
    let word = first.text(source);
    match first.kind {
        SyntaxKind::Space | SyntaxKind::Newline | SyntaxKind::Comment | SyntaxKind::TextLine => true,
        SyntaxKind::Keyword => matches!(word, "and" | "or" | "mod" | "in" | "then" | "else"),
        SyntaxKind::Punct => !matches!(word, "@" | "{" | "("),
        _ => false,
    }
}
