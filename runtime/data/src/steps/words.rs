//! Words, lines and paragraphs as the quality filters count them.

/// Words of a text: runs of characters between whitespace (Rae et al. 2021; dolma).
pub fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Lines as Python's `splitlines` cuts them: at every line boundary of Unicode, no empty line after the last.
pub fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        ) {
            lines.push(&text[start..at]);
            start = at + c.len_utf8();
            if c == '\r' && chars.next_if(|&(_, next)| next == '\n').is_some() {
                start += 1;
            }
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// Number of characters (Unicode scalar values).
pub fn chars(text: &str) -> usize {
    text.chars().count()
}

/// Cuts at runs of at least `least` newlines; what lies between runs may be empty, as with Python's `re.split`.
pub fn split_at_newlines(text: &str, least: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|&&b| b == b'\n').count();
        if run >= least {
            pieces.push(&text[start..at]);
            start = at + run;
        }
        at += run.max(1);
    }
    pieces.push(&text[start..]);
    pieces
}

/// Characters that datatrove calls punctuation: symbols, brackets, quotes, and control characters.
const PUNCTUATION: &str =
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»";

/// Whether every character of a word is punctuation.
pub fn is_symbol(word: &str) -> bool {
    let symbol =
        |c: char| matches!(c as u32, 0..=8 | 11..=12 | 13..=31 | 127..=159) || PUNCTUATION.contains(c);
    word.chars().all(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_those_of_python() {
        assert_eq!(lines("a\r\nb\n\nc\u{2028}d"), ["a", "b", "", "c", "d"]);
        assert_eq!(lines("a\n"), ["a"]);
        assert!(lines("").is_empty());
        assert_eq!(split_at_newlines("a\n\nb\nc\n\n\nd", 2), ["a", "b\nc", "d"]);
        assert_eq!(split_at_newlines("\na\n", 1), ["", "a", ""]);
        assert!(is_symbol("--") && is_symbol("…") && !is_symbol("a.") && !is_symbol("é"));
    }
}
