//! Words, lines and paragraphs as the quality filters count them.

/// Words of a text: runs of characters between whitespace (Rae et al. 2021; dolma).
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    scan(text).map(|word| word.text)
}

/// A word with what the rules on words ask of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word.
    pub text: &'a str,
    /// Its characters.
    pub chars: usize,
    kinds: u8,
}

/// Bits of [`KINDS`]: a letter, a digit, a mark, a byte of a longer character; whitespace, perhaps whitespace.
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const MARK: u8 = 4;
const LONG: u8 = 8;
const SPACE: u8 = 16;
const PERHAPS: u8 = 32;

/// What each byte says of its word.
const KINDS: [u8; 256] = {
    let mut kinds = [MARK; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            9..=13 | 32 => SPACE,
            0xc2 | 0xe1 | 0xe2 | 0xe3 => LONG | PERHAPS,
            0x80.. => LONG,
            _ => MARK,
        };
        byte += 1;
    }
    kinds
};

/// Bytes of the whitespace character that begins at `at`, 0 where none does.
fn space(bytes: &[u8], at: usize) -> usize {
    match bytes[at..] {
        [9..=13 | 32, ..] => 1,
        [0xc2, 0x85 | 0xa0, ..] => 2,
        [0xe1, 0x9a, 0x80, ..] | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..] => 3,
        [0xe2, 0x81, 0x9f, ..] | [0xe3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

/// Words with their properties, in one pass over the bytes.
pub fn scan(text: &str) -> impl Iterator<Item = Word<'_>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && KINDS[usize::from(bytes[at])] & (SPACE | PERHAPS) != 0 {
            match space(bytes, at) {
                0 => break,
                size => at += size,
            }
        }
        let start = at;
        let (mut kinds, mut continued) = (0, 0);
        while at < bytes.len() {
            let kind = KINDS[usize::from(bytes[at])];
            if kind & (SPACE | PERHAPS) != 0 && space(bytes, at) > 0 {
                break;
            }
            kinds |= kind;
            continued += usize::from(bytes[at] & 0xc0 == 0x80);
            at += 1;
        }
        let chars = at - start - continued;
        (at > start).then(|| Word { text: &text[start..at], chars, kinds })
    })
}

impl<'a> Word<'a> {
    /// The properties of a piece of a word.
    pub(super) fn of(text: &'a str) -> Word<'a> {
        let kinds = text.bytes().fold(0, |kinds, byte| kinds | KINDS[usize::from(byte)]);
        Word { text, chars: chars(text), kinds }
    }

    /// Whether it holds nothing but ASCII letters and digits.
    pub(super) fn is_plain(&self) -> bool {
        self.kinds & !(LETTER | DIGIT) == 0
    }

    /// Whether every character is punctuation.
    pub fn is_symbol(&self) -> bool {
        self.kinds & (LETTER | DIGIT) == 0 && is_symbol(self.text)
    }

    /// Whether it has a letter of any script.
    pub fn has_letter(&self) -> bool {
        self.kinds & LETTER != 0 || self.kinds & LONG != 0 && self.text.chars().any(char::is_alphabetic)
    }
}

/// Lines as Python's `splitlines` cuts them: at every line boundary of Unicode, no empty line after the last.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let mut at = start;
        let size = loop {
            match bytes[at..] {
                [b'\r', b'\n', ..] => break 2,
                [0x0a..=0x0d | 0x1c..=0x1e, ..] => break 1,
                [0xc2, 0x85, ..] => break 2,
                [0xe2, 0x80, 0xa8 | 0xa9, ..] => break 3,
                [] => break 0,
                _ => at += 1,
            }
        };
        let line = &text[start..at];
        start = at + size;
        Some(line)
    })
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
    while let Some(ahead) = bytes[at..].iter().position(|&b| b == b'\n') {
        at += ahead;
        let run = bytes[at..].iter().take_while(|&&b| b == b'\n').count();
        if run >= least {
            pieces.push(&text[start..at]);
            start = at + run;
        }
        at += run;
    }
    pieces.push(&text[start..]);
    pieces
}

/// Characters that datatrove calls punctuation: symbols, brackets, quotes, and control characters.
const PUNCTUATION: &str =
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»";

/// Whether every character of a word is punctuation or ends a sentence in some script.
pub fn is_symbol(word: &str) -> bool {
    let symbol = |c: char| {
        matches!(c as u32, 0..=8 | 11..=12 | 13..=31 | 127..=159)
            || PUNCTUATION.contains(c)
            || ends_sentence(c)
    };
    word.chars().all(symbol)
}

/// Ranges of Unicode's property `Sentence_Terminal` (full stops, question and exclamation marks of all scripts).
const SENTENCE_ENDS: [(u32, u32); 82] = [
    (0x21, 0x21),
    (0x2e, 0x2e),
    (0x3f, 0x3f),
    (0x589, 0x589),
    (0x61d, 0x61f),
    (0x6d4, 0x6d4),
    (0x700, 0x702),
    (0x7f9, 0x7f9),
    (0x837, 0x837),
    (0x839, 0x839),
    (0x83d, 0x83e),
    (0x964, 0x965),
    (0x104a, 0x104b),
    (0x1362, 0x1362),
    (0x1367, 0x1368),
    (0x166e, 0x166e),
    (0x1735, 0x1736),
    (0x17d4, 0x17d6),
    (0x17d9, 0x17da),
    (0x1803, 0x1803),
    (0x1809, 0x1809),
    (0x1944, 0x1945),
    (0x1aa8, 0x1aab),
    (0x1b5a, 0x1b5b),
    (0x1b5e, 0x1b5f),
    (0x1b7d, 0x1b7e),
    (0x1c3b, 0x1c3c),
    (0x1c7e, 0x1c7f),
    (0x203c, 0x203d),
    (0x2047, 0x2049),
    (0x2e2e, 0x2e2e),
    (0x2e3c, 0x2e3c),
    (0x2e53, 0x2e54),
    (0x3002, 0x3002),
    (0xa4ff, 0xa4ff),
    (0xa60e, 0xa60f),
    (0xa6f3, 0xa6f3),
    (0xa6f7, 0xa6f7),
    (0xa876, 0xa877),
    (0xa8ce, 0xa8cf),
    (0xa92f, 0xa92f),
    (0xa9c8, 0xa9c9),
    (0xaa5d, 0xaa5f),
    (0xaaf0, 0xaaf1),
    (0xabeb, 0xabeb),
    (0xfe52, 0xfe52),
    (0xfe56, 0xfe57),
    (0xff01, 0xff01),
    (0xff0e, 0xff0e),
    (0xff1f, 0xff1f),
    (0xff61, 0xff61),
    (0x10a56, 0x10a57),
    (0x10f55, 0x10f59),
    (0x10f86, 0x10f89),
    (0x11047, 0x11048),
    (0x110be, 0x110c1),
    (0x11141, 0x11143),
    (0x111c5, 0x111c6),
    (0x111cd, 0x111cd),
    (0x111de, 0x111df),
    (0x11238, 0x11239),
    (0x1123b, 0x1123c),
    (0x112a9, 0x112a9),
    (0x1144b, 0x1144c),
    (0x115c2, 0x115c3),
    (0x115c9, 0x115d7),
    (0x11641, 0x11642),
    (0x1173c, 0x1173e),
    (0x11944, 0x11944),
    (0x11946, 0x11946),
    (0x11a42, 0x11a43),
    (0x11a9b, 0x11a9c),
    (0x11c41, 0x11c42),
    (0x11ef7, 0x11ef8),
    (0x11f43, 0x11f44),
    (0x16a6e, 0x16a6f),
    (0x16af5, 0x16af5),
    (0x16b37, 0x16b38),
    (0x16b44, 0x16b44),
    (0x16e98, 0x16e98),
    (0x1bc9f, 0x1bc9f),
    (0x1da88, 0x1da88),
];

/// Whether a character ends a sentence in its script.
pub fn ends_sentence(c: char) -> bool {
    let code = c as u32;
    if code < 0x80 {
        return matches!(c, '.' | '!' | '?');
    }
    let after = SENTENCE_ENDS.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= SENTENCE_ENDS[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(pieces: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        pieces.collect()
    }

    #[test]
    fn pieces_are_those_of_python() {
        assert_eq!(of(lines("a\r\nb\n\nc\u{2028}d")), ["a", "b", "", "c", "d"]);
        assert_eq!(of(lines("a\n")), ["a"]);
        assert_eq!(of(lines("\r\r\n\u{85}–\u{1c}")), ["", "", "", "–"]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(split_at_newlines("a\n\nb\nc\n\n\nd", 2), ["a", "b\nc", "d"]);
        assert_eq!(split_at_newlines("\na\n", 1), ["", "a", ""]);
        assert!(is_symbol("--") && is_symbol("…") && is_symbol("।") && !is_symbol("a.") && !is_symbol("é"));
    }

    #[test]
    fn words_are_those_of_the_standard_library() {
        let every: String = (0..0x3100).filter_map(char::from_u32).flat_map(|c| ['a', c, 'b']).collect();
        for text in [every.as_str(), "", " ", "a", " über \u{3000}日本。x\u{a0}y\u{2009}–z ", "é\u{85}"]
        {
            assert!(words(text).eq(text.split_whitespace()), "{text}");
            for word in scan(text) {
                assert_eq!(word.chars, chars(word.text), "{word:?}");
                assert_eq!(word.has_letter(), word.text.chars().any(char::is_alphabetic), "{word:?}");
                assert_eq!(word.is_symbol(), is_symbol(word.text), "{word:?}");
            }
        }
    }

    #[test]
    fn sentences_end_as_their_script_says() {
        assert!(SENTENCE_ENDS.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!("!.?։؟۔।။。！？｡‼".chars().all(ends_sentence));
        assert!(!"a,;:…\"'’、-é".chars().any(ends_sentence));
    }
}
