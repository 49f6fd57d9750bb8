//! Words with punctuation marks apart, in the way of spaCy's tokenizer for English.
//!
//! What lies between whitespace loses marks at both ends, then is cut inside: at dots between a small and a capital
//! letter, at commas and hyphens between letters, at `: < > = /` before a letter. Addresses stay whole, abbreviations keep
//! their full stop, `n't`, `'s`, `'ll` and the like are words. spaCy's lists of emoticons, units and rare exceptions are left
//! out; `tests/python/datatrove_decisions.py` says how much that changes.

use super::{
    sentences::is_abbreviation,
    words::{Word, scan},
};

llmp_stdlib::choices! {
    /// What counts as a word.
    Splitter = "words" {
        /// What lies between whitespace, as in the papers.
        Whitespace = "whitespace",
        /// Words, and punctuation marks apart: what datatrove counts, and with it FineWeb (spaCy's rules for English).
        Tokens = "tokens",
    }
}

impl Splitter {
    /// The words of a text.
    pub fn words(self, text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        self.each(text, |word| words.push(word.text));
        words
    }

    /// Calls `see` with every word of a text.
    pub(super) fn each<'a>(self, text: &'a str, mut see: impl FnMut(Word<'a>)) {
        match self {
            Splitter::Whitespace => scan(text).for_each(see),
            Splitter::Tokens => scan(text).for_each(|word| tokens(word, &mut see)),
        }
    }
}

/// Marks that stand apart at the beginning and at the end of a word.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        ',' | ':'
            | ';'
            | '!'
            | '?'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '_'
            | '#'
            | '*'
            | '&'
            | '\''
            | '"'
            | '`'
    ) || !c.is_ascii() && ("…¿؟¡。？！，、；：～·।،۔؛٪—–".contains(c) || is_quote(c) || is_icon(c))
}

fn is_quote(c: char) -> bool {
    "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧".contains(c)
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '£' | '€' | '¥' | '฿' | '₠'..='₿' | '﷼')
}

/// Symbols that are neither letters nor mathematics: arrows, boxes, emoji.
fn is_icon(c: char) -> bool {
    matches!(c, '¦' | '©' | '®' | '™' | '\u{2195}'..='\u{21ff}' | '\u{2300}'..='\u{2307}' | '\u{230c}'..='\u{2328}'
        | '\u{2400}'..='\u{25b6}' | '\u{25b8}'..='\u{25c0}' | '\u{25c2}'..='\u{25f7}' | '\u{2600}'..='\u{266e}'
        | '\u{2670}'..='\u{2767}' | '\u{2794}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{fffd}' | '\u{1f000}'..='\u{1faff}')
}

/// Hosts of contractions that stand apart from `'ll`, `'d`, `'ve`, `'re`, `'m`.
const PRONOUNS: [&str; 24] = [
    "he", "how", "i", "it", "she", "that", "there", "these", "they", "this", "those", "we", "what", "when",
    "where", "who", "why", "you", "could", "might", "must", "should", "would", "let",
];
/// What stands before `n't`.
const NEGATED: [&str; 25] = [
    "ai", "are", "ca", "could", "dare", "did", "do", "does", "had", "has", "have", "is", "may", "might",
    "must", "need", "ought", "sha", "should", "was", "were", "wo", "would", "Ai", "Ca",
];

/// The tokens of what lies between whitespace.
fn tokens<'a>(word: Word<'a>, see: &mut impl FnMut(Word<'a>)) {
    if word.is_plain() {
        return see(word);
    }
    let mut rest = word.text;
    let (mut behind, mut number) = ([""; 16], 0);
    loop {
        if rest.is_empty() || is_special(rest) {
            break;
        }
        let before = rest.len();
        let first = prefix(rest);
        if first > 0 {
            see(Word::of(&rest[..first]));
            rest = &rest[first..];
            if is_special(rest) {
                break;
            }
        }
        let last = suffix(rest);
        // What is stripped from the end is told after the rest.
        if last > 0 && number < behind.len() {
            behind[number] = &rest[rest.len() - last..];
            number += 1;
            rest = &rest[..rest.len() - last];
        }
        if rest.len() == before || number == behind.len() {
            break;
        }
    }
    if !rest.is_empty() {
        inside(rest, see);
    }
    behind[..number].iter().rev().for_each(|mark| see(Word::of(mark)));
}

/// Whether a piece is kept or cut by a rule of its own: a contraction, an abbreviation.
fn is_special(piece: &str) -> bool {
    contraction(piece).is_some() || piece.ends_with('.') && is_abbreviation(&piece[..piece.len() - 1])
}

/// Where a contraction is cut.
fn contraction(piece: &str) -> Option<usize> {
    let apostrophe = piece.rfind(['\'', '’'])?;
    let mark = piece[apostrophe..].chars().next()?.len_utf8();
    let (host, tail) = (&piece[..apostrophe], &piece[apostrophe + mark..]);
    let known = |list: &[&str], host: &str| list.iter().any(|known| known.eq_ignore_ascii_case(host));
    match tail {
        "t" | "T" => {
            let host = host.strip_suffix(['n', 'N'])?;
            known(&NEGATED, host).then_some(host.len())
        }
        "ll" | "d" | "ve" | "re" | "m" | "s" => known(&PRONOUNS, host).then_some(host.len()),
        _ => None,
    }
}

/// Bytes of the mark at the beginning, 0 where none is.
fn prefix(piece: &str) -> usize {
    let mut chars = piece.chars();
    let Some(first) = chars.next() else { return 0 };
    if first.is_ascii_alphanumeric() {
        let dollar = ["US$", "C$", "A$"].into_iter().find(|currency| piece.starts_with(currency));
        return dollar.map_or(0, str::len);
    }
    let next = chars.next();
    let alone = match first {
        '.' => return dots(piece.bytes()),
        '+' => !next.is_some_and(|c| c.is_ascii_digit()),
        '%' | '=' | '§' => true,
        '’' | '\'' if matches!(next, Some('s' | 'S')) && chars.next().is_none() => return piece.len(),
        c => is_mark(c) || is_currency(c),
    };
    if alone { first.len_utf8() } else { 0 }
}

/// Length of a run of at least two full stops.
fn dots(bytes: impl Iterator<Item = u8>) -> usize {
    let run = bytes.take_while(|&b| b == b'.').count();
    if run > 1 { run } else { 0 }
}

/// Bytes of the mark at the end, 0 where none is.
fn suffix(piece: &str) -> usize {
    let mut chars = piece.chars().rev();
    let Some(last) = chars.next() else { return 0 };
    let before = chars.next();
    match last {
        's' | 'S' if matches!(before, Some('\'' | '’')) => 1 + before.map_or(0, char::len_utf8),
        '.' => match before {
            Some('.') => dots(piece.bytes().rev()),
            Some(c)
                if c.is_lowercase()
                    || c.is_ascii_digit()
                    || "%²-+".contains(c)
                    || is_quote(c)
                    || ",:;!?()[]{}<>_#*&".contains(c) =>
            {
                1
            }
            Some(c) if c.is_uppercase() && chars.next().is_some_and(char::is_uppercase) => 1,
            _ => 0,
        },
        '+' | '%' if before.is_some_and(|c| c.is_ascii_digit()) => 1,
        c if c.is_ascii_alphanumeric() => 0,
        c if is_currency(c) && before.is_some_and(|c| c.is_ascii_digit()) => c.len_utf8(),
        c if is_mark(c) => c.len_utf8(),
        _ => 0,
    }
}

/// Cuts a piece without marks at its ends.
fn inside<'a>(piece: &'a str, see: &mut impl FnMut(Word<'a>)) {
    if let Some(at) = contraction(piece) {
        see(Word::of(&piece[..at]));
        return see(Word::of(&piece[at..]));
    }
    if is_address(piece) || piece.ends_with('.') && is_abbreviation(&piece[..piece.len() - 1]) {
        return see(Word::of(piece));
    }
    let mut start = 0;
    let mut before = None;
    let mut at = 0;
    while let Some(c) = piece[at..].chars().next() {
        let size = cut(before, c, &piece[at..]);
        if size > 0 && at > 0 {
            if at > start {
                see(Word::of(&piece[start..at]));
            }
            see(Word::of(&piece[at..at + size]));
            start = at + size;
        }
        let step = if size > 0 && at > 0 { size } else { c.len_utf8() };
        before = piece[..at + step].chars().next_back();
        at += step;
    }
    if start < piece.len() {
        see(Word::of(&piece[start..]));
    }
}

/// Bytes of the mark inside a piece that begins with `c`, 0 where it does not cut.
fn cut(before: Option<char>, c: char, rest: &str) -> usize {
    if c.is_ascii_alphanumeric() {
        return 0;
    }
    let Some(before) = before else { return 0 };
    let after = |size: usize| rest[size..].chars().next();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let cuts = match c {
        '.' => {
            let run = dots(rest.bytes());
            if run > 0 {
                return run;
            }
            (before.is_lowercase() || is_quote(before))
                && after(1).is_some_and(|c| c.is_uppercase() || is_quote(c))
        }
        '…' => true,
        '+' | '*' | '^' | '-'
            if before.is_ascii_digit() && after(1).is_some_and(|c| c.is_ascii_digit() || c == '-') =>
        {
            true
        }
        ',' => before.is_alphabetic() && letter(after(1)),
        '-' if rest.starts_with("--") => {
            let run = if rest.starts_with("---") { 3 } else { 2 };
            return if before.is_alphabetic() && letter(after(run)) { run } else { 0 };
        }
        '-' | '–' | '—' | '~' => before.is_alphabetic() && letter(after(c.len_utf8())),
        ':' | '<' | '>' | '=' | '/' => {
            (before.is_alphabetic() || before.is_ascii_digit()) && letter(after(1))
        }
        c => is_icon(c),
    };
    if cuts { c.len_utf8() } else { 0 }
}

/// Whether a piece looks like an address of the web or of mail.
fn is_address(piece: &str) -> bool {
    if piece.contains("://") || piece.starts_with("www.") {
        return true;
    }
    let host = piece.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let Some((name, top)) = host.rsplit_once('.') else { return false };
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    top.len() >= 2 && top.chars().all(|c| c.is_lowercase()) && !name.is_empty() && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_into(text: &str) -> Vec<String> {
        Splitter::Tokens.words(text).into_iter().map(str::to_string).collect()
    }

    #[test]
    fn marks_stand_apart() {
        for (text, expected) in [
            ("“Well,” he said (twice)...", "“ | Well | , | ” | he | said | ( | twice | ) | ..."),
            ("Don't! It's Tom's, I'll say.", "Do | n't | ! | It | 's | Tom | 's | , | I | 'll | say | ."),
            (
                "Mr. Smith of the U.S. came at 3.15, e.g. by car.",
                "Mr. | Smith | of | the | U.S. | came | at | 3.15 | , | e.g. | by | car | .",
            ),
            (
                "well-known and/or end.Next x=y 10-12 a,b",
                "well | - | known | and | / | or | end | . | Next | x | = | y | 10 | - | 12 | a | , | b",
            ),
            (
                "see https://e.org/a-b?c=d, or mail@e.org.",
                "see | https://e.org/a-b?c=d | , | or | mail@e.org | .",
            ),
            ("it cost $5 or 5€; 50% of it", "it | cost | $ | 5 | or | 5 | € | ; | 50 | % | of | it"),
            ("foo(bar); -- snake_case", "foo(bar | ) | ; | -- | snake_case"),
            ("日本語。", "日本語 | 。"),
            ("'tis ''", "' | tis | ' | '"),
        ] {
            assert_eq!(cut_into(text).join(" | "), expected);
        }
    }

    #[test]
    fn nothing_is_lost() {
        for text in [
            &"...!?'s\"".repeat(20),
            "’s",
            "a’",
            "n't",
            "'",
            "--",
            "x--",
            "….",
            "$",
            "US$",
            "+",
            "(((((((((((((((((((a)))))))))))))))))))",
        ] {
            assert_eq!(cut_into(text).concat(), text.replace(' ', ""), "{text}");
        }
    }
}
