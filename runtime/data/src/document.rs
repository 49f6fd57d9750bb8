//! A document: its text, the columns that steps add, the raw page before extraction, the messages of a row.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::row::{self, Message, Row};

/// One value of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// Yes or no.
    Bool(bool),
    /// A number; integers up to 2^53 are exact.
    Num(f64),
    /// Text.
    Text(String),
}

impl Cell {
    /// The name of the cell's type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Cell::Bool(_) => "Bool",
            Cell::Num(_) => "Num",
            Cell::Text(_) => "Text",
        }
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Bool(value)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Num(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.to_string())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

/// The bytes of a web page as they came over the wire: the state `Html`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RawPage {
    /// The body after transfer and content decoding.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
    /// The HTTP `Content-Type` header, charset included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// One document on its way through a pipe.
///
/// On disk it is one JSON line `{"id", "text", "metadata": {…}}`, the form that datatrove and dolma read. A row of
/// messages has them there instead of the text, in the form that TRL reads: `messages`, or `prompt` with `answer`, or
/// `prompt`, `chosen`, `rejected` and `edited`, each a list of `{role, content}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Line")]
pub struct Document {
    /// Where it came from: `label of the file#number of the record`, counted from 0.
    pub id: String,
    /// The text; empty while the document is a raw page. Of a row, all that is said in it (see [`Row::text`]).
    pub text: String,
    /// What readers and steps know about it.
    pub columns: BTreeMap<String, Cell>,
    /// The page it is to be extracted from (state `Html`).
    pub raw: Option<RawPage>,
    /// The messages of a conversation, a prompt, an answer or a preference. Whoever changes them changes `text` too:
    /// see [`Document::set_row`] and [`Document::edit_texts`].
    pub row: Option<Box<Row>>,
}

/// A document's line as it is read.
#[derive(Deserialize)]
struct Line {
    id: String,
    text: Option<String>,
    /// A number that is none (NaN) was written as `null`: it is no value.
    #[serde(rename = "metadata", default)]
    columns: BTreeMap<String, Option<Cell>>,
    raw: Option<RawPage>,
    messages: Option<Vec<Message>>,
    prompt: Option<Vec<Message>>,
    answer: Option<Vec<Message>>,
    chosen: Option<Vec<Message>>,
    rejected: Option<Vec<Message>>,
    edited: Option<Vec<Message>>,
}

impl TryFrom<Line> for Document {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Document, &'static str> {
        let Line { id, text, columns, raw, messages, prompt, answer, chosen, rejected, edited } = line;
        let row = match (messages, prompt, answer, chosen, rejected) {
            (None, None, None, None, None) => None,
            (Some(messages), None, None, None, None) => Some(Row::Chat { messages }),
            (None, Some(prompt), None, None, None) => Some(Row::Prompt { prompt }),
            (None, Some(prompt), Some(answer), None, None) => Some(Row::Answer { prompt, answer }),
            (None, Some(prompt), None, Some(chosen), Some(rejected)) => {
                Some(Row::Preference { prompt, chosen, rejected, edited })
            }
            _ => return Err("messages that belong to no state"),
        };
        let text = match (&row, text) {
            (Some(row), _) => row.text(),
            (None, Some(text)) => text,
            (None, None) => return Err("missing field `text`"),
        };
        let columns = columns.into_iter().filter_map(|(name, cell)| Some((name, cell?))).collect();
        Ok(Document { id, text, columns, raw, row: row.map(Box::new) })
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("id", &self.id)?;
        if self.row.is_none() {
            line.serialize_entry("text", &self.text)?;
        }
        if !self.columns.is_empty() {
            line.serialize_entry("metadata", &self.columns)?;
        }
        if let Some(raw) = &self.raw {
            line.serialize_entry("raw", raw)?;
        }
        for (name, turns) in self.row.iter().flat_map(|row| row.parts()) {
            line.serialize_entry(name, turns)?;
        }
        line.end()
    }
}

impl Document {
    /// A document of plain text.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Document {
        Document { id: id.into(), text: text.into(), ..Document::default() }
    }

    /// A document of a row; its text is what is said in the row.
    pub fn of_row(id: impl Into<String>, row: Row) -> Document {
        let mut doc = Document::new(id, "");
        doc.set_row(row);
        doc
    }

    /// Gives the document other messages, and the text that belongs to them.
    pub fn set_row(&mut self, row: Row) {
        self.text = row.text();
        self.row = Some(Box::new(row));
    }

    /// Edits the text, or what is said in each message of a row. `edit` says whether it changed something.
    pub fn edit_texts(&mut self, mut edit: impl FnMut(&mut String) -> bool) {
        let Some(row) = &mut self.row else {
            edit(&mut self.text);
            return;
        };
        let mut changed = false;
        for content in row.messages_mut().into_iter().filter_map(|turn| turn.content.as_mut()) {
            changed |= edit(content);
        }
        if changed {
            self.text = row.text();
        }
    }

    /// A column as text that is no cell: `text`, `id`, and the messages of a row (JSON, or the words of a single turn).
    pub fn part(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "text" => Some(Cow::Borrowed(&self.text)),
            "id" => Some(Cow::Borrowed(&self.id)),
            _ => Some(Cow::Owned(row::as_text(self.row.as_ref()?.part(name)?))),
        }
    }

    /// Bytes of text and raw page: what the counters count.
    pub fn bytes(&self) -> u64 {
        (self.text.len() + self.raw.as_ref().map_or(0, |raw| raw.bytes.len())) as u64
    }

    /// The document as one JSON line, without the newline. Equal documents give equal bytes.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.text.len() + self.text.len() / 16 + 256);
        // Strings, numbers and maps with text keys always serialise; a NaN becomes null.
        match serde_json::to_writer(&mut line, self) {
            Ok(()) => line,
            Err(_) => Vec::new(),
        }
    }
}

/// Base64 (RFC 4648, padded) of page bytes inside JSON.
mod base64_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for group in bytes.chunks(3) {
            let word =
                group.iter().fold(0u32, |word, &b| word << 8 | u32::from(b)) << (8 * (3 - group.len()));
            for k in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * k) & 63) as usize];
                text.push(if k <= group.len() { char::from(digit) } else { '=' });
            }
        }
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
        for group in text.trim_end_matches('=').as_bytes().chunks(4) {
            let mut word = 0u32;
            for &c in group {
                let digit = DIGITS.iter().position(|&d| d == c);
                word = word << 6 | digit.ok_or_else(|| D::Error::custom("not base64"))? as u32;
            }
            word <<= 6 * (4 - group.len());
            bytes.extend_from_slice(&word.to_be_bytes()[1..group.len()]);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_as_the_same_document() {
        let mut doc = Document::new("data:a/b.txt#0", "Über 1\n\"quoted\"");
        doc.columns.insert("lang_score".into(), Cell::Num(0.1));
        doc.columns.insert("ok".into(), Cell::Bool(true));
        for n in 0..7u8 {
            doc.raw = Some(RawPage { bytes: (250..=255).chain(0..n).collect(), content_type: None });
            let back: Document = serde_json::from_slice(&doc.to_line()).unwrap();
            assert_eq!(back, doc);
        }
        assert!(!doc.to_line().contains(&b'\n'));
    }

    #[test]
    fn a_row_keeps_its_messages_exactly() {
        let line = r#"{"id":"a#0","metadata":{"n":1.0},"messages":[{"role":"user","content":"Hi\n"},{"role":"assistant","content":null,"tool_calls":[{"id":7,"x":1e3}]}]}"#;
        let mut doc: Document = serde_json::from_str(line).unwrap();
        assert_eq!(doc.text, "Hi\n");
        let again = String::from_utf8(doc.to_line()).unwrap();
        assert_eq!(again, line.replace("1e3", "1000.0"));
        doc.edit_texts(|text| {
            text.make_ascii_uppercase();
            true
        });
        assert_eq!(doc.text, "HI\n");
        assert!(doc.part("messages").unwrap().contains("tool_calls"));
        let doc: Document = serde_json::from_str(r#"{"id":"a","text":"t","metadata":{"n":null}}"#).unwrap();
        assert_eq!(doc, Document::new("a", "t"));
        for bad in [r#"{"id":"a"}"#, r#"{"id":"a","prompt":[],"chosen":[]}"#, r#"{"id":"a","answer":[]}"#] {
            assert!(serde_json::from_str::<Document>(bad).is_err(), "{bad}");
        }
    }
}
