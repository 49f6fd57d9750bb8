//! A chunk, and what pest is shown of it: mistakes are patched over, with a way back to the places in the text.

use crate::scan::Token;
use std::ops::Range;

/// One change between the text and what pest sees.
#[derive(Clone, Debug)]
struct Patch {
    start: usize,
    end: usize,
    with: String,
    hides: Option<bool>,
}

/// A part that pest does not see as it is and that becomes an error node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// First byte in the file.
    pub(crate) start: usize,
    /// Behind the last byte.
    pub(crate) end: usize,
    /// Whether pest sees a value in its place; else nothing.
    pub(crate) filled: bool,
}

/// A chunk on its way through pest.
pub(crate) struct Attempt<'a> {
    /// The whole file.
    pub(crate) source: &'a str,
    /// Tokens of the chunk.
    pub(crate) tokens: &'a [Token],
    /// Bytes of the chunk.
    pub(crate) range: Range<usize>,
    patches: Vec<Patch>,
}

/// What pest sees, and for each stretch of it where it stands in the file.
pub(crate) struct Seen {
    /// The text for pest.
    pub(crate) text: String,
    /// (start in `text`, start in the file, length in the file).
    stretches: Vec<(usize, usize, usize)>,
}

impl Seen {
    /// The place in the file of an offset of what pest saw.
    pub(crate) fn source(&self, offset: usize) -> usize {
        let at = self.stretches.partition_point(|(start, _, _)| *start <= offset);
        match self.stretches.get(at.saturating_sub(1)) {
            Some((start, source, length)) => source + offset.saturating_sub(*start).min(*length),
            None => offset,
        }
    }

    /// The place in the file of the end of a stretch of what pest saw.
    pub(crate) fn source_end(&self, offset: usize) -> usize {
        let at = self.stretches.partition_point(|(start, _, _)| *start < offset);
        match self.stretches.get(at.saturating_sub(1)) {
            Some((start, source, length)) => source + offset.saturating_sub(*start).min(*length),
            None => offset,
        }
    }
}

impl<'a> Attempt<'a> {
    /// A chunk without the characters in `invisible`.
    pub(crate) fn new(
        source: &'a str,
        tokens: &'a [Token],
        range: Range<usize>,
        invisible: &[(usize, usize)],
    ) -> Attempt<'a> {
        let mut attempt = Attempt { source, tokens, range, patches: vec![] };
        for &(start, end) in invisible {
            if attempt.range.start <= start && end <= attempt.range.end {
                attempt.replace(start, end, "");
            }
        }
        attempt
    }

    /// Shows pest other text in place of a range.
    pub(crate) fn replace(&mut self, start: usize, end: usize, with: &str) {
        if !self.is_patched(start, end) {
            self.patches.push(Patch { start, end, with: with.into(), hides: None });
        }
    }

    /// Shows pest text that is not there.
    pub(crate) fn insert(&mut self, at: usize, text: &str) {
        self.replace(at, at, text);
    }

    /// Hides a range but for its comments and line ends. With `filled`, pest sees a value in its place.
    pub(crate) fn hide(&mut self, start: usize, end: usize, filled: bool) {
        self.patches.retain(|patch| {
            patch.end < start || patch.start > end || (patch.end == start && patch.start < start)
        });
        let mut with = String::from(if filled { "0 " } else { "" });
        for token in self.tokens.iter().filter(|token| token.start >= start && token.end <= end) {
            if token.kind.is_trivia() {
                with.push_str(token.text(self.source));
            }
        }
        self.patches.push(Patch { start, end, with, hides: Some(filled) });
    }

    /// Whether a range was hidden before.
    pub(crate) fn is_hidden(&self, start: usize, end: usize) -> bool {
        self.patches.iter().any(|patch| patch.hides.is_some() && patch.start <= start && end <= patch.end)
    }

    /// The parts that become error nodes, by place.
    pub(crate) fn hidden(&self) -> Vec<Hidden> {
        let hidden = self.patches.iter().filter(|patch| patch.start < patch.end);
        let mut all: Vec<Hidden> = hidden
            .filter_map(|patch| {
                patch.hides.map(|filled| Hidden { start: patch.start, end: patch.end, filled })
            })
            .collect();
        all.sort_by_key(|part| part.start);
        all
    }

    /// What pest sees now.
    pub(crate) fn seen(&self) -> Seen {
        let mut patches: Vec<&Patch> = self.patches.iter().collect();
        patches.sort_by_key(|patch| (patch.start, patch.end));
        let mut seen = Seen { text: String::new(), stretches: vec![] };
        let mut at = self.range.start;
        for patch in patches {
            seen.push(self.source.get(at..patch.start).unwrap_or(""), at, patch.start.saturating_sub(at));
            seen.push(&patch.with, patch.start, patch.end - patch.start);
            at = at.max(patch.end);
        }
        seen.push(self.source.get(at..self.range.end).unwrap_or(""), at, self.range.end.saturating_sub(at));
        seen
    }

    fn is_patched(&self, start: usize, end: usize) -> bool {
        self.patches.iter().any(|patch| patch.start < end && start < patch.end)
    }
}

impl Seen {
    fn push(&mut self, text: &str, source: usize, length: usize) {
        if !text.is_empty() {
            self.stretches.push((self.text.len(), source, length));
            self.text.push_str(text);
        }
    }
}
