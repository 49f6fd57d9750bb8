//! Removes text that occurred before, anywhere in the set.

use std::{ops::Range, sync::Arc};

use llmp_stdlib::Problem;
use xxhash_rust::xxh3::xxh3_64;

use super::{Barrier, Built, Mark, Outcome, Step, arguments::above_zero};
use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Removes repeated substrings over the whole set (Lee et al. 2022, arXiv:2107.06499).
    ///
    /// What goes is what a suffix array of the whole set finds: every token that lies in a run of `min_tokens` tokens which
    /// occurred before, in an earlier document or earlier in the same one; the first occurrence stays. Tokens are words (letters
    /// and digits) and single other characters, so spacing does not count. Found by sorting a 128-bit hash of every such run on
    /// disk: memory does not grow with the set, the disk holds about 8 bytes for each byte of text meanwhile. RefinedWeb uses it
    /// after MinHash with 50 tokens. A document of which something was cut and fewer than `min_left` bytes are left is dropped.
    /// Reason: `repeated text`.
    ///
    /// ```llmp
    /// dataset clean = web |> dedup_minhash() |> dedup_substring()
    /// ```
    DedupSubstring = "dedup_substring", rev 1, whole Docs -> Docs, check substring {
        /// Shortest repeated substring that is removed, in tokens.
        min_tokens: u64 = "50",
        /// Fewest bytes of a document that stays.
        min_left: u64 = "200",
    }
}

fn substring(it: &DedupSubstring) -> Vec<Problem> {
    above_zero("min_tokens", it.min_tokens).into_iter().collect()
}

impl Step for DedupSubstring {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

/// Two hashes of a run of tokens, the document, the number of its first token.
type Row = (u64, u64, u64, u32);

/// Factors of the two polynomials.
const BASES: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

impl Barrier for DedupSubstring {
    fn name(&self) -> &'static str {
        "dedup_substring"
    }

    /// One hash per token.
    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        if let Some(tokens) = Some(tokens(&doc.text)).filter(|t| t.len() as u64 >= self.min_tokens) {
            tokens.into_iter().for_each(|range| xxh3_64(&doc.text.as_bytes()[range]).pack(out));
        }
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let length = self.min_tokens as usize;
        let mut runs: Sorter<'_, Row> = desk.sorter();
        let mut tokens: Vec<u64> = Vec::new();
        desk.each(|number, mut sketch| {
            tokens.clear();
            while !sketch.is_empty() {
                tokens.push(desk.unpack(&mut sketch)?);
            }
            runs_of(&tokens, length, |at, hash| runs.push((hash[0], hash[1], number, at as u32)))
        })?;
        let mut repeated: Sorter<'_, (u64, u32)> = desk.sorter();
        let mut last = None;
        for row in runs.sorted()? {
            let (first, second, document, at) = row?;
            if last == Some((first, second)) {
                repeated.push((document, at))?;
            }
            last = Some((first, second));
        }
        // Runs that touch are one.
        let mut open: Option<(u64, Range<usize>)> = None;
        for row in repeated.sorted()? {
            let (document, at) = row?;
            let (start, end) = (at as usize, at as usize + length);
            open = match open {
                Some((same, range)) if same == document && start <= range.end => {
                    Some((document, range.start..end))
                }
                before => {
                    before.map_or(Ok(()), |(document, range)| desk.mark(document, &Mark::cut(range)))?;
                    Some((document, start..end))
                }
            };
        }
        open.map_or(Ok(()), |(document, range)| desk.mark(document, &Mark::cut(range)))
    }

    /// The ranges of the mark are tokens; what is cut goes to the beginning of the next token.
    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        let Some(mark) = mark else { return Outcome::Keep };
        let tokens = tokens(&doc.text);
        let begin = |token: usize| tokens.get(token).map_or(doc.text.len(), |range| range.start);
        let cut = mark.cut.iter().map(|range| begin(range.start)..begin(range.end)).collect();
        Mark { cut, ..Mark::default() }.apply(doc);
        if (doc.text.trim().len() as u64) < self.min_left {
            return Outcome::Drop("repeated text".into());
        }
        Outcome::Keep
    }
}

/// Calls `found` with the place and the hashes of every run of `length` tokens.
fn runs_of(
    tokens: &[u64],
    length: usize,
    mut found: impl FnMut(usize, [u64; 2]) -> Result<()>,
) -> Result<()> {
    let power = BASES.map(|base| (0..length).fold(1u64, |power, _| power.wrapping_mul(base)));
    let mut hash = [0u64; 2];
    for (at, &token) in tokens.iter().enumerate() {
        for k in 0..2 {
            let mut next = hash[k].wrapping_mul(BASES[k]).wrapping_add(token);
            if at >= length {
                next = next.wrapping_sub(power[k].wrapping_mul(tokens[at - length]));
            }
            hash[k] = next;
        }
        if at + 1 >= length {
            found(at + 1 - length, hash)?;
        }
    }
    Ok(())
}

/// Words of letters and digits, and single other characters that are not space.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut tokens: Vec<Range<usize>> = Vec::new();
    let mut inside = false;
    for (at, c) in text.char_indices() {
        let word = c.is_alphanumeric();
        let end = at + c.len_utf8();
        match tokens.last_mut() {
            Some(last) if word && inside => last.end = end,
            _ if !c.is_whitespace() => tokens.push(at..end),
            _ => {}
        }
        inside = word;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_signs() {
        let text = "It's 12 é—x\n y";
        let tokens: Vec<&str> = tokens(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(tokens, ["It", "'", "s", "12", "é", "—", "x", "y"]);
    }

    #[test]
    fn equal_runs_have_equal_hashes_wherever_they_stand() {
        let tokens: Vec<u64> = [9, 1, 2, 3, 1, 2, 3, 7].map(|n: u64| xxh3_64(&n.to_le_bytes())).to_vec();
        let mut hashes = Vec::new();
        let keep = |_, hash| {
            hashes.push(hash);
            Ok(())
        };
        runs_of(&tokens, 3, keep).unwrap();
        assert_eq!(hashes.len(), 6);
        assert_eq!(hashes[1], hashes[4]);
        assert!((0..6).all(|a| (0..a).all(|b| hashes[a] != hashes[b] || (a, b) == (4, 1))));
    }
}
