//! The texts of all files of a run, with line tables: offsets to lines and columns and back.

use crate::span::{FileId, Span};

/// A place for people: both counts start at 1, columns count Unicode scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalars, from 1.
    pub column: u32,
}

#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
    starts: Vec<u32>,
}

/// All files by number. Library files under `std/` look like any other.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// An empty table.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a text under the path that diagnostics show.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let starts = line_starts(&text);
        self.files.push(Source { path: path.into(), text, starts });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// Replaces the text of a file, as an editor does; an unknown file stays unknown.
    pub fn set_text(&mut self, file: FileId, text: impl Into<String>) {
        if let Some(source) = self.files.get_mut(file.0 as usize) {
            source.text = text.into();
            source.starts = line_starts(&source.text);
        }
    }

    /// The number of the file with this path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        let at = self.files.iter().position(|source| source.path == path)?;
        u32::try_from(at).ok().map(FileId)
    }

    /// All files in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        (0..u32::try_from(self.files.len()).unwrap_or(u32::MAX)).map(FileId)
    }

    /// The text of a file; empty for an unknown one.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// The path of a file as it was added; empty for an unknown one.
    pub fn path(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.path)
    }

    /// The text in a range; empty if the range does not lie on characters of the file.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    /// Number of lines of a file (at least 1).
    pub fn lines(&self, file: FileId) -> u32 {
        self.get(file).map_or(1, |source| u32::try_from(source.starts.len()).unwrap_or(u32::MAX))
    }

    /// Text of a line, counted from 1, without its line end.
    pub fn line(&self, file: FileId, line: u32) -> &str {
        let Some(source) = self.get(file) else { return "" };
        let Some(&start) = source.starts.get(line.saturating_sub(1) as usize) else { return "" };
        let end = source.starts.get(line as usize).map_or(source.text.len(), |&next| next as usize);
        source.text.get(start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// Line and column of an offset; offsets outside are moved to the nearest character before.
    pub fn position(&self, file: FileId, offset: u32) -> Position {
        let (line, before) = self.split(file, offset);
        Position { line, column: count(before.chars().count()) + 1 }
    }

    /// Line (from 0) and UTF-16 column (from 0) of an offset: the counting of the language server protocol.
    pub fn position_utf16(&self, file: FileId, offset: u32) -> (u32, u32) {
        let (line, before) = self.split(file, offset);
        (line - 1, count(before.encode_utf16().count()))
    }

    /// Offset of a line and column, both moved into the text where they lie outside.
    pub fn offset(&self, file: FileId, at: Position) -> u32 {
        let start = self.line_start(file, at.line);
        let text = self.line(file, at.line);
        let skip = at.column.saturating_sub(1) as usize;
        start + count(text.char_indices().nth(skip).map_or(text.len(), |(offset, _)| offset))
    }

    /// Offset of a line (from 0) and a UTF-16 column (from 0), moved into the text where they lie outside.
    pub fn offset_utf16(&self, file: FileId, line: u32, column: u32) -> u32 {
        let line = line.saturating_add(1);
        let text = self.line(file, line);
        let mut units = 0u32;
        let mut bytes = text.len();
        for (offset, c) in text.char_indices() {
            if units >= column {
                bytes = offset;
                break;
            }
            units += if c.len_utf16() == 2 { 2 } else { 1 };
        }
        self.line_start(file, line) + count(bytes)
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }

    fn line_start(&self, file: FileId, line: u32) -> u32 {
        let Some(source) = self.get(file) else { return 0 };
        let at = line.saturating_sub(1) as usize;
        source.starts.get(at).copied().unwrap_or_else(|| count(source.text.len()))
    }

    /// Line of an offset (from 1) and the text of that line before the offset.
    fn split(&self, file: FileId, offset: u32) -> (u32, &str) {
        let Some(source) = self.get(file) else { return (1, "") };
        let mut end = (offset as usize).min(source.text.len());
        while !source.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = source.starts.partition_point(|&start| start as usize <= end).max(1);
        let start = source.starts.get(line - 1).copied().unwrap_or(0) as usize;
        (count(line), source.text.get(start..end).unwrap_or(""))
    }
}

fn line_starts(text: &str) -> Vec<u32> {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| count(at + 1));
    std::iter::once(0).chain(ends).collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_scalars_and_utf16_units() {
        let mut sources = Sources::new();
        let file = sources.add("a.llmp", "ä𝛼b\r\nxy");
        assert_eq!(sources.position(file, 6), Position { line: 1, column: 3 });
        assert_eq!(sources.position_utf16(file, 6), (0, 3));
        assert_eq!(sources.position(file, 10), Position { line: 2, column: 2 });
        assert_eq!(sources.offset(file, Position { line: 2, column: 2 }), 10);
        assert_eq!(sources.offset_utf16(file, 0, 3), 6);
        assert_eq!(sources.offset(file, Position { line: 1, column: 99 }), 7);
        assert_eq!(sources.line(file, 1), "ä𝛼b");
        assert_eq!(sources.position(file, 3), Position { line: 1, column: 2 }, "inside a character");
    }
}
