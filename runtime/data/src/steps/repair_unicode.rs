//! `repair_unicode`: text whose bytes were once read in the wrong charset, normal forms, control characters.

use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

use super::{Built, Map, Outcome, Step};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
};

llmp_stdlib::choices! {
    /// A normal form of Unicode (UAX 15).
    NormalForm = "normal form" {
        /// As it is.
        None = "none",
        /// Letters and their marks composed: looks the same.
        Nfc = "nfc",
        /// Also ligatures, full-width forms, superscripts and the like as plain letters: may change a formula.
        Nfkc = "nfkc",
    }
}

llmp_stdlib::def! {
    /// Repairs text that was read in the wrong charset, and normalises its characters.
    ///
    /// UTF-8 that was read as windows-1252 or Latin-1 (`â€™` for `’`, `Ã©` for `é`), also twice, becomes what it was. Sequences that
    /// stand for three or four bytes, and those that begin with `Ã` or `Â`, are repaired wherever they stand; others, such as the
    /// `Ä“` at the end of a quotation, only where at least nine tenths of the characters beyond ASCII belong to such sequences.
    /// Control characters, byte order marks and noncharacters go, line ends become `\n`. `.repaired` is how many characters were
    /// repaired.
    ///
    /// ```llmp
    /// dataset clean = crawl |> extract_text() |> repair_unicode()
    /// ```
    RepairUnicode = "repair_unicode", rev 1, rows_of [Docs, Chat, Prompt, Answers, Preference, Labelled], adds [repaired: Num] {
        /// Repair wrong charsets.
        mojibake: bool = "true",
        /// The normal form.
        form: NormalForm = "nfc",
        /// Remove control characters and unify line ends.
        controls: bool = "true",
    }
}

impl Step for RepairUnicode {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for RepairUnicode {
    fn name(&self) -> &'static str {
        "repair_unicode"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let mut repaired = 0;
        doc.edit_texts(|text| {
            let before = repaired;
            let changed = self.edit(text, &mut repaired);
            changed || repaired > before
        });
        doc.columns.insert("repaired".into(), Cell::Num(f64::from(repaired)));
        Outcome::Keep
    }
}

impl RepairUnicode {
    /// Edits a text; whether it is another now.
    fn edit(&self, text: &mut String, repaired: &mut u32) -> bool {
        let mut changed = false;
        if self.mojibake && !text.is_ascii() {
            // Twice read in the wrong charset, sometimes three times.
            for _ in 0..3 {
                let Some((better, count)) = repair(text) else { break };
                *text = better;
                *repaired += count;
                changed = true;
            }
        }
        if self.controls && text.chars().any(|c| unwanted(c) || matches!(c, '\r' | '\u{2028}' | '\u{2029}')) {
            *text = without_controls(text);
            changed = true;
        }
        let normal = match self.form {
            NormalForm::Nfc
                if !text.is_ascii()
                    && is_nfc_quick(text.chars()) != unicode_normalization::IsNormalized::Yes =>
            {
                text.nfc().collect()
            }
            NormalForm::Nfkc
                if !text.is_ascii()
                    && is_nfkc_quick(text.chars()) != unicode_normalization::IsNormalized::Yes =>
            {
                text.nfkc().collect()
            }
            NormalForm::None | NormalForm::Nfc | NormalForm::Nfkc => return changed,
        };
        changed |= normal != *text;
        *text = normal;
        changed
    }
}

/// Characters that no text needs.
fn unwanted(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{feff}' | '\u{fdd0}'..='\u{fdef}' => true,
        _ => c.is_control() || (c as u32) & 0xfffe == 0xfffe,
    }
}

fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            '\u{2028}' => out.push('\n'),
            '\u{2029}' => out.push_str("\n\n"),
            _ if unwanted(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// The byte that windows-1252, or Latin-1 where that has none, reads as `c`.
fn byte(c: char) -> Option<u8> {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match c as u32 {
        n @ 0x80..=0xff => Some(n as u8),
        n if n < 0x80 => None,
        _ => HIGH.iter().position(|own| *own == c).map(|at| 0x80 + at as u8),
    }
}

/// One character out of those at the beginning of `text` that stand for its bytes: the character and how many there are.
fn sequence(text: &str) -> Option<(char, usize, usize)> {
    let mut chars = text.chars();
    let first = byte(chars.next()?)?;
    let count = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [first, 0, 0, 0];
    for place in &mut bytes[1..count] {
        *place = byte(chars.next()?).filter(|b| (0x80..0xc0).contains(b))?;
    }
    let c = std::str::from_utf8(&bytes[..count]).ok()?.chars().next()?;
    Some((c, count, text.len() - chars.as_str().len()))
}

/// The text without wrong charsets and how many characters were repaired, if any was.
fn repair(text: &str) -> Option<(String, u32)> {
    let (mut beyond, mut inside, mut strong) = (0usize, 0usize, 0usize);
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
        rest = &rest[at..];
        match sequence(rest) {
            Some((_, count, bytes)) => {
                beyond += count;
                inside += count;
                strong += usize::from(is_strong(rest, count));
                rest = &rest[bytes..];
            }
            None => {
                beyond += 1;
                rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
            }
        }
    }
    let all = inside * 10 >= beyond * 9;
    if inside == 0 || !(all || strong > 0) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut repaired = 0;
    rest = text;
    while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match sequence(rest) {
            Some((c, count, bytes)) if all || is_strong(rest, count) => {
                out.push(c);
                repaired += 1;
                rest = &rest[bytes..];
            }
            _ => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..first]);
                rest = &rest[first..];
            }
        }
    }
    out.push_str(rest);
    Some((out, repaired))
}

/// Whether a sequence is no accident, whatever stands around it.
fn is_strong(text: &str, count: usize) -> bool {
    count > 2 || text.starts_with(['Ã', 'Â'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(text: &str) -> (String, f64) {
        let step = RepairUnicode { mojibake: true, form: NormalForm::Nfc, controls: true };
        let mut doc = Document::new("a#0", text);
        assert_eq!(step.apply(&mut doc), Outcome::Keep);
        let Cell::Num(count) = doc.columns["repaired"] else { panic!() };
        (doc.text, count)
    }

    /// Text as windows-1252 reads its UTF-8.
    fn spoiled(text: &str) -> String {
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(text.as_bytes()).0.into_owned()
    }

    #[test]
    fn what_was_read_wrongly_is_what_it_was() {
        for text in
            ["It’s “so” – naïve café", "Zażółć gęślą jaźń", "Привет, мир", "日本語のテキスト", "smile 😀!"]
        {
            assert_eq!(repaired(&spoiled(text)).0, text);
            assert_eq!(repaired(&spoiled(&spoiled(text))).0, text, "twice");
            assert_eq!(repaired(text), (text.to_owned(), 0.0), "right text stays");
        }
        assert_eq!(repaired("plain").1, 0.0);
    }

    #[test]
    fn right_text_with_rare_neighbours_stays() {
        for text in ["Das „Ä“ und das „Ö“ sind Umlaute für schöne Wörter.", "SÃO PAULO", "ÉTÉ™", "Â", "Ã"]
        {
            assert_eq!(repaired(text).0, text);
        }
    }

    #[test]
    fn characters_are_normalised() {
        assert_eq!(repaired("a\r\nb\rc\u{0}\u{feff}\u{7f}d\u{2028}e").0, "a\nb\ncd\ne");
        assert_eq!(repaired("e\u{301}").0, "é");
        let wide = RepairUnicode { mojibake: false, form: NormalForm::Nfkc, controls: false };
        let mut text = "ﬁn２".to_owned();
        assert!(wide.edit(&mut text, &mut 0));
        assert_eq!(text, "fin2");
    }
}
