//! Places in the text: a file and a half-open range of bytes.

use serde::{Deserialize, Serialize};

/// A file known to [`Sources`](crate::Sources), by its number in that table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A half-open range `start..end` of bytes in one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// A range of bytes in a file; offsets beyond 4 GiB saturate (such files are never read).
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let small = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: small(start), end: small(end) }
    }

    /// The empty range at an offset.
    pub fn at(file: FileId, offset: usize) -> Span {
        Span::new(file, offset, offset)
    }

    /// The range as indices into the file's text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the range holds no byte.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether an offset lies in the range or at its end (a cursor behind the last character counts).
    pub fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }

    /// Whether the other range lies inside this one.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The smallest range that holds both; the first file wins.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty range at the start.
    pub fn before(self) -> Span {
        Span { end: self.start, ..self }
    }

    /// The empty range behind the end.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }
}

/// A value together with the place where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Ties a value to its place.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }
}
