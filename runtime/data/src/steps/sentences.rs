//! Sentences as the rules of C4 count them.

use super::words::{ends_sentence, words};

/// Abbreviations whose full stop does not end a sentence; single letters and words with inner full stops are others.
const ABBREVIATIONS: [&str; 45] = [
    "Adm", "Apr", "Aug", "Bros", "Capt", "Co", "Col", "Corp", "Dec", "Dr", "Feb", "Fig", "Gen", "Gov", "Hon",
    "Inc", "Jan", "Jr", "Jul", "Jun", "Lt", "Ltd", "Maj", "Mar", "Messrs", "Mr", "Mrs", "Ms", "Mt", "Nov",
    "Oct", "Prof", "Rep", "Rev", "Sen", "Sep", "Sept", "Sgt", "Sr", "St", "approx", "cf", "fig", "vol", "vs",
];

/// Marks that may follow the end of a sentence: closing quotes and brackets, and what emphasises.
const CLOSING: &[char] = &['"', '\'', '”', '’', '»', ')', ']', '}', '*', '_', '」', '』', '）', '】', '›'];

/// Ends of sentences that need no space behind them.
const WIDE: &[char] = &['。', '！', '？', '｡'];

/// Number of sentences of a text, at least 1; counting ends at `enough`.
///
/// A sentence ends with a word that ends in a terminal mark, closing marks left aside: not in an ellipsis, and not in the
/// full stop of an abbreviation. Chinese and Japanese marks end one in the middle of a word too. What lies between two
/// ends counts where it holds a letter or digit.
pub(super) fn sentences(text: &str, enough: u64) -> u64 {
    let (mut found, mut open) = (0, false);
    for word in words(text) {
        if found >= enough {
            break;
        }
        let core = word.trim_end_matches(CLOSING);
        if !word.is_ascii() && core.contains(WIDE) {
            for piece in core.split_inclusive(WIDE) {
                open |= piece.contains(char::is_alphanumeric);
                if open && piece.ends_with(WIDE) {
                    (found, open) = (found + 1, false);
                }
            }
        } else {
            open = open
                || core.bytes().any(|b| b.is_ascii_alphanumeric())
                || core.contains(char::is_alphanumeric);
        }
        if open && ends(core) {
            (found, open) = (found + 1, false);
        }
    }
    (found + u64::from(open)).max(1)
}

/// The sentences of a text with one space between words, in order; what follows the last end is one too.
///
/// Ends are those of [`sentences`]; marks in the middle of a word do not cut it.
pub(crate) fn cut(text: &str) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), String::new());
    for word in words(text) {
        if !open.is_empty() {
            open.push(' ');
        }
        open.push_str(word);
        if ends(word.trim_end_matches(CLOSING)) {
            all.push(std::mem::take(&mut open));
        }
    }
    all.extend(Some(open).filter(|open| !open.is_empty()));
    all
}

/// Whether a word without its closing marks ends a sentence.
fn ends(core: &str) -> bool {
    let Some(last) = core.chars().next_back() else { return false };
    if !ends_sentence(last) {
        return false;
    }
    if last != '.' {
        return true;
    }
    let stem = core[..core.len() - 1].trim_start_matches(|c: char| !c.is_alphanumeric());
    !(core.ends_with("..") || is_abbreviation(stem))
}

/// Whether a word whose full stop is left out is an abbreviation: a known one, a single letter, letters with full stops.
pub(super) fn is_abbreviation(stem: &str) -> bool {
    let mut parts = stem.split('.');
    let short =
        |part: &str| part.len() <= 8 && part.chars().count() <= 2 && part.chars().all(char::is_alphabetic);
    let initial = parts.clone().count() == 1 && stem.chars().count() == 1 && short(stem);
    let inner = stem.contains('.') && parts.all(|part| !part.is_empty() && short(part));
    initial || inner || ABBREVIATIONS.binary_search(&stem).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_marks_that_are_no_abbreviations() {
        assert!(ABBREVIATIONS.is_sorted());
        for (text, expected) in [
            ("", 1),
            ("no end", 1),
            ("One. Two", 2),
            ("Mr. J. R. Smith of the U.S. came, e.g. at 3 p.m. on Sept. 5. He left.", 2),
            ("“Well?” he said. (It rained!) -- ! ... **Bold.**", 4),
            ("He waited... and waited", 1),
            ("See https://example.com/a.b?c for v1.2. Then", 2),
            ("今日は。雨です！「はい。」そう", 4),
            ("यह एक वाक्य है। दूसरा।", 2),
        ] {
            assert_eq!(sentences(text, u64::MAX), expected, "{text}");
        }
        assert_eq!(sentences("Ab cd. Ef gh. Ij kl. Mn op.", 2), 2);
        let found = cut("\nMr. Starbuck\nrose.  “Well?” he said. And");
        assert_eq!(found, ["Mr. Starbuck rose.", "“Well?”", "he said.", "And"]);
        assert!(cut(" \n").is_empty());
    }
}
