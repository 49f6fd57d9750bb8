//! The total scanner: any text becomes tokens, line by line, without an error.

use crate::kind::SyntaxKind;

/// A token: its kind and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: SyntaxKind,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
    /// Whether it stands between quotes (in an interpolation): its brackets do not count outside.
    pub in_text: bool,
}

impl Token {
    /// The bytes of the token.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.start..self.end).unwrap_or("")
    }
}

/// Reserved words.
pub const RESERVED: [&str; 19] = [
    "use", "param", "let", "check", "variant", "rounds", "for", "in", "if", "then", "else", "and", "or",
    "not", "mod", "like", "true", "false", "none",
];

/// What the scanner is in the middle of, within one line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Between quotes.
    Text,
    /// In `{…}` between quotes, with so many open braces.
    Value(u32),
}

/// All tokens of a text; together they are the text.
pub fn scan(source: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(source.len() / 3 + 4);
    let mut modes: Vec<Mode> = vec![];
    let mut at = 0;
    while at < source.len() {
        let rest = source.get(at..).unwrap_or("");
        let in_text = !modes.is_empty();
        let (kind, length) = match modes.last() {
            // A byte order mark; elsewhere it is an invisible character like others.
            // Of several marks all but the first are reported; none of them means anything.
            _ if at == 0 && rest.starts_with('\u{feff}') => {
                (SyntaxKind::Space, rest.len() - rest.trim_start_matches('\u{feff}').len())
            }
            Some(Mode::Text) => in_quotes(rest, &mut modes),
            _ => {
                let after_digits =
                    tokens.last().is_some_and(|token: &Token| token.kind == SyntaxKind::Number);
                outside(rest, after_digits, &mut modes)
            }
        };
        if kind == SyntaxKind::Newline {
            modes.clear();
        }
        let length = length.max(rest.chars().next().map_or(1, char::len_utf8).min(rest.len()));
        tokens.push(Token { kind, start: at, end: at + length, in_text });
        at += length;
    }
    tokens
}

fn newline(rest: &str) -> Option<usize> {
    match rest.as_bytes() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r', ..] => Some(1),
        _ => None,
    }
}

fn line(rest: &str) -> usize {
    rest.find(['\n', '\r']).unwrap_or(rest.len())
}

fn while_bytes(rest: &str, test: impl Fn(u8) -> bool) -> usize {
    rest.bytes().position(|byte| !test(byte)).unwrap_or(rest.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn in_quotes(rest: &str, modes: &mut Vec<Mode>) -> (SyntaxKind, usize) {
    if let Some(length) = newline(rest) {
        return (SyntaxKind::Newline, length);
    }
    match rest.as_bytes() {
        [b'"', ..] => {
            modes.pop();
            (SyntaxKind::Quote, 1)
        }
        [b'\\', next, ..] if !matches!(next, b'\n' | b'\r') => {
            let next = rest.chars().nth(1).map_or(0, char::len_utf8);
            (SyntaxKind::Escape, 1 + next)
        }
        [b'{', b'{', ..] | [b'}', b'}', ..] => (SyntaxKind::Brace, 2),
        [b'{', ..] => {
            modes.push(Mode::Value(0));
            (SyntaxKind::InterpOpen, 1)
        }
        bytes => {
            let stop = |at: usize| {
                matches!(bytes[at], b'"' | b'\\' | b'{' | b'\n' | b'\r') || bytes[at..].starts_with(b"}}")
            };
            (SyntaxKind::TextChars, (1..bytes.len()).find(|&at| stop(at)).unwrap_or(bytes.len()))
        }
    }
}

fn outside(rest: &str, after_digits: bool, modes: &mut Vec<Mode>) -> (SyntaxKind, usize) {
    if let Some(length) = newline(rest) {
        return (SyntaxKind::Newline, length);
    }
    if let Some(found) = value_braces(rest, modes) {
        return found;
    }
    let bytes = rest.as_bytes();
    match bytes {
        [b' ' | b'\t', ..] => (SyntaxKind::Space, while_bytes(rest, |byte| matches!(byte, b' ' | b'\t'))),
        [b'#', ..] => (SyntaxKind::Comment, line(rest)),
        [b'"', ..] => {
            modes.push(Mode::Text);
            (SyntaxKind::Quote, 1)
        }
        [b'r', b'"', ..] => {
            let length = line(rest);
            let close = rest.get(2..length).and_then(|text| text.find('"'));
            (SyntaxKind::RawText, close.map_or(length, |at| at + 3))
        }
        [b'\\', b'\\', ..] => (SyntaxKind::TextLine, line(rest)),
        [b'%', ..] if after_digits => (SyntaxKind::Suffix, 1),
        [first, ..] if after_digits && first.is_ascii_alphabetic() => {
            (SyntaxKind::Suffix, while_bytes(rest, |byte| byte.is_ascii_alphanumeric()))
        }
        [first, ..] if first.is_ascii_digit() => (SyntaxKind::Number, number(bytes)),
        [first, ..] if is_word(*first) => {
            let length = while_bytes(rest, is_word);
            let reserved = rest.get(..length).is_some_and(|word| RESERVED.contains(&word));
            (if reserved { SyntaxKind::Keyword } else { SyntaxKind::Ident }, length)
        }
        [b'|', b'>', ..] | [b'=' | b'!' | b'<' | b'>', b'=', ..] | [b'.', b'.', ..] => (SyntaxKind::Punct, 2),
        [first, ..] if b"=<>+-*/()[]{},.:?@".contains(first) => (SyntaxKind::Punct, 1),
        _ => (SyntaxKind::Bad, rest.chars().next().map_or(1, char::len_utf8)),
    }
}

/// Braces inside `{…}` between quotes.
fn value_braces(rest: &str, modes: &mut Vec<Mode>) -> Option<(SyntaxKind, usize)> {
    let Some(Mode::Value(open)) = modes.last_mut() else { return None };
    match rest.as_bytes() {
        [b'{', ..] => {
            *open += 1;
            Some((SyntaxKind::Punct, 1))
        }
        [b'}', ..] if *open > 0 => {
            *open -= 1;
            Some((SyntaxKind::Punct, 1))
        }
        [b'}', ..] => {
            modes.pop();
            Some((SyntaxKind::InterpClose, 1))
        }
        _ => None,
    }
}

/// Length of a number: digits, fraction, exponent.
fn number(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or(&[]);
        rest.iter()
            .position(|byte| !(byte.is_ascii_digit() || *byte == b'_'))
            .map_or(bytes.len(), |n| from + n)
    };
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let from = end + 1 + sign;
        if is_digit(from) {
            end = from;
            while is_digit(end) {
                end += 1;
            }
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_text() {
        for text in [
            "",
            "a = \"x {f(\"y\")} {{\"\r\nb",
            "8.0B..8.1B",
            "\"open {a",
            "ä𝛼\u{feff}\\\\x\r",
            "1e-5 14_336M 5e",
        ] {
            let joined: String = scan(text).iter().map(|token| token.text(text)).collect();
            assert_eq!(joined, text);
        }
        let kinds: Vec<SyntaxKind> = scan("8.0B..1%").iter().map(|token| token.kind).collect();
        use SyntaxKind::{Number, Punct, Suffix};
        assert_eq!(kinds, [Number, Suffix, Punct, Number, Suffix]);
    }
}
