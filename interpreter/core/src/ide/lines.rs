//! Lines and columns as editors count them: from 0, in bytes, UTF-16 units or scalars; `\n`, `\r\n` and `\r` end a line.

use llmp_grammar::{FileId, Span};

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units: what every client knows.
    #[default]
    Utf16,
    /// Unicode scalars.
    Utf32,
}

impl Encoding {
    fn units(self, c: char) -> u32 {
        let units = match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        };
        u32::try_from(units).unwrap_or(1)
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Line, from 0.
    pub line: u32,
    /// Column, from 0, in the units of an [`Encoding`].
    pub column: u32,
}

/// Where the lines of a text start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    starts: Vec<u32>,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Lines {
    /// Looks through a text.
    pub fn new(text: &str) -> Lines {
        let bytes = text.as_bytes();
        let ends = |(at, byte): (usize, &u8)| match byte {
            b'\n' => Some(small(at + 1)),
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(small(at + 1)),
            _ => None,
        };
        Lines { starts: std::iter::once(0).chain(bytes.iter().enumerate().filter_map(ends)).collect() }
    }

    /// Number of lines, at least 1.
    pub fn count(&self) -> u32 {
        small(self.starts.len())
    }

    /// The line of an offset.
    pub fn line(&self, offset: u32) -> u32 {
        small(self.starts.partition_point(|start| *start <= offset)).saturating_sub(1)
    }

    /// Offset of the start of a line; the end of the text behind the last one.
    pub fn start(&self, text: &str, line: u32) -> u32 {
        self.starts.get(line as usize).copied().unwrap_or_else(|| small(text.len()))
    }

    /// A line without its end.
    pub fn text<'t>(&self, text: &'t str, line: u32) -> &'t str {
        let (start, end) = (self.start(text, line), self.start(text, line.saturating_add(1)));
        text.get(start as usize..end as usize).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// The place of an offset; one inside of a character is that of the character.
    pub fn point(&self, text: &str, offset: u32, encoding: Encoding) -> Point {
        let mut end = (offset as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.line(small(end));
        let start = self.start(text, line) as usize;
        let before = text.get(start..end).unwrap_or("");
        Point { line, column: before.chars().map(|c| encoding.units(c)).sum() }
    }

    /// The offset of a place; one behind the end of its line is that end, one inside of a character that character's start.
    pub fn offset(&self, text: &str, point: Point, encoding: Encoding) -> u32 {
        let start = self.start(text, point.line);
        let mut units = 0;
        let line = self.text(text, point.line);
        for (at, c) in line.char_indices() {
            units += encoding.units(c);
            if units > point.column {
                return start + small(at);
            }
        }
        start + small(line.len())
    }
}

/// The smallest edits, line by line, that make one text of another; places are offsets in the old text.
pub fn difference(old: &str, new: &str, file: FileId) -> Vec<llmp_grammar::Edit> {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = |(x, y): &(&&str, &&str)| x == y;
    let head = a.iter().zip(&b).take_while(same).count();
    let (rest_a, rest_b) = (&a[head..], &b[head..]);
    let tail = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(same).count();
    let (mid_a, mid_b) = (&rest_a[..rest_a.len() - tail], &rest_b[..rest_b.len() - tail]);
    let mut at: usize = a[..head].iter().map(|line| line.len()).sum();
    let mut edits = Vec::new();
    let (mut i, mut j) = (0, 0);
    // Equal lines of a middle of few lines are kept: a cursor in one of them stays where it is.
    let keeps = if mid_a.len() * mid_b.len() <= 1 << 20 { common(mid_a, mid_b) } else { Vec::new() };
    for (keep_a, keep_b) in keeps.into_iter().chain([(mid_a.len(), mid_b.len())]) {
        let (out, put): (String, String) = (mid_a[i..keep_a].concat(), mid_b[j..keep_b].concat());
        if out != put {
            let span = Span::new(file, at, at + out.len());
            edits.push(llmp_grammar::Edit { span, replacement: put });
        }
        at += out.len() + mid_a.get(keep_a).map_or(0, |line| line.len());
        (i, j) = (keep_a + 1, keep_b + 1);
    }
    edits
}

/// Pairs of lines of a longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut best = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            best[i * width + j] = if a[i] == b[j] {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_finds_the_way_back() {
        let text = "ä𝛼b\r\nxy\rz\n";
        let lines = Lines::new(text);
        assert_eq!(lines.count(), 4);
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            for (offset, c) in text.char_indices().filter(|(_, c)| !matches!(c, '\r' | '\n')) {
                let point = lines.point(text, small(offset), encoding);
                assert_eq!(lines.offset(text, point, encoding), small(offset), "{c:?} {encoding:?}");
            }
        }
        assert_eq!(lines.point(text, 6, Encoding::Utf16), Point { line: 0, column: 3 });
        assert_eq!(lines.point(text, 6, Encoding::Utf32), Point { line: 0, column: 2 });
        assert_eq!(lines.offset(text, Point { line: 0, column: 99 }, Encoding::Utf16), 7);
        assert_eq!(lines.offset(text, Point { line: 0, column: 2 }, Encoding::Utf16), 2, "inside of a pair");
        assert_eq!(lines.offset(text, Point { line: 9, column: 0 }, Encoding::Utf16), small(text.len()));
    }

    #[test]
    fn a_difference_keeps_what_is_equal() {
        let (old, new) = ("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n");
        let edits = difference(old, new, FileId(0));
        assert_eq!(edits.len(), 2);
        let mut text = old.to_owned();
        for edit in edits.iter().rev() {
            text.replace_range(edit.span.range(), &edit.replacement);
        }
        assert_eq!(text, new);
        assert!(difference(old, old, FileId(0)).is_empty());
    }
}
