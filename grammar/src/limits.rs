//! What no text may do: nest without end, be huge, or hold characters that hide other text.

use crate::codes::e0015_too_deep::TooDeep;
use crate::codes::e0016_control_character::ControlCharacter;
use crate::kind::SyntaxKind;
use crate::scan::{Token, scan};
use crate::{FileId, Sink, Span, split};

/// Deepest nesting of brackets and `if`.
pub(crate) const DEPTH: usize = 64;
/// Most operators and postfixes in one value, over all open brackets.
const OPERATORS: usize = 512;
/// Largest file in bytes.
pub(crate) const SIZE: usize = 4 << 20;

/// Nesting is too deep or the file is too large.
pub(crate) struct Exceeded;

/// The tokens of a text; of one that is too large, a single one that holds all of it.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    if text.len() > SIZE {
        return vec![Token { kind: SyntaxKind::Bad, start: 0, end: text.len(), in_text: false }];
    }
    scan(text)
}

/// Reports a text that is too large or nests too deeply to be read.
pub(crate) fn check(file: FileId, text: &str, tokens: &[Token], sink: &mut Sink) -> Result<(), Exceeded> {
    if text.len() > SIZE {
        sink.push(TooDeep { what: "this file is larger than 4 MiB".into(), at: Span::at(file, 0) });
        return Err(Exceeded);
    }
    // For each open bracket: `if`s and operators since the last comma or `=`.
    let mut frames = vec![(0usize, 0usize)];
    for line in split::lines(tokens) {
        let line = tokens.get(line).unwrap_or(&[]);
        if split::is_anchor(text, line) {
            frames = vec![(0, 0)];
        }
        for token in line.iter().filter(|token| !token.kind.is_trivia()) {
            let word = token.text(text);
            match word {
                ")" | "]" | "}" if frames.len() > 1 => drop(frames.pop()),
                _ => {}
            }
            if let Some(frame) = frames.last_mut() {
                match word {
                    "," | "=" => *frame = (0, 0),
                    "if" => frame.0 += 1,
                    "|>" | "or" | "and" | "not" | "in" | "mod" | "." | "(" | "[" | "{" | "+" | "-" | "*"
                    | "/" => {
                        frame.1 += 1;
                    }
                    _ => {}
                }
            }
            if matches!(word, "(" | "[" | "{") {
                frames.push((0, 0));
            }
            let depth: usize = frames.len() - 1 + frames.iter().map(|frame| frame.0).sum::<usize>();
            let operators: usize = frames.iter().map(|frame| frame.1).sum();
            if depth > DEPTH || operators > OPERATORS {
                let what = if depth > DEPTH {
                    "nested more than 64 deep"
                } else {
                    "more than 512 operators in one value"
                };
                let at = Span::new(file, token.start, token.end);
                sink.push(TooDeep { what: what.into(), at });
                return Err(Exceeded);
            }
        }
    }
    Ok(())
}

/// Reports characters that may not stand in a program; returns their ranges. A byte order mark at the start is hidden silently.
pub(crate) fn clean(file: FileId, text: &str, sink: &mut Sink) -> Vec<(usize, usize)> {
    let mut hidden = vec![];
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let order_mark = at == 0 && c == '\u{feff}';
        let control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        let direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}');
        if order_mark {
            hidden.push((at, end));
        } else if control || direction {
            let name = format!("U+{:04X}", u32::from(c));
            sink.push(ControlCharacter { name, at: Span::new(file, at, end) });
            hidden.push((at, end));
        }
    }
    hidden
}
