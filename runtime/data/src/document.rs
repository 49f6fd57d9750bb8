//! A document: its text, the columns that steps add, and the raw page before extraction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
/// On disk it is one JSON line `{"id", "text", "metadata": {…}}`, the form that datatrove and dolma read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Where it came from: `label of the file#number of the record`, counted from 0.
    pub id: String,
    /// The text; empty while the document is a raw page.
    pub text: String,
    /// What readers and steps know about it.
    #[serde(rename = "metadata", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Cell>,
    /// The page it is to be extracted from (state `Html`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawPage>,
}

impl Document {
    /// A document of plain text.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Document {
        Document { id: id.into(), text: text.into(), ..Document::default() }
    }

    /// Bytes of text and raw page: what the counters count.
    pub fn bytes(&self) -> u64 {
        (self.text.len() + self.raw.as_ref().map_or(0, |raw| raw.bytes.len())) as u64
    }

    /// The document as one JSON line, without the newline. Equal documents give equal bytes.
    pub fn to_line(&self) -> Vec<u8> {
        // Strings, numbers and maps with text keys always serialise; a NaN becomes null.
        serde_json::to_vec(self).unwrap_or_default()
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
}
