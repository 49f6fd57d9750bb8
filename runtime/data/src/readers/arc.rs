//! ARC: the web archives before WARC, one web page for each HTTP record.

use std::io::{self, Read};

use super::{
    Body, Decoded, http,
    stream::{Line, MAX_RECORD},
    warc::MAX_HEAD,
};
use crate::document::{Cell, Document, RawPage};

/// How an ARC file begins.
pub(super) const MAGIC: &[u8] = b"filedesc:";

/// Reads the record behind its first line. Its bytes are the line and what the line counts.
pub(super) fn record(input: &mut Decoded, mut line: Vec<u8>) -> io::Result<Body> {
    let Some((_, _, length)) = header(&line) else {
        return Ok(Body::Bad("not a line of an ARC record".into()));
    };
    let file = line.starts_with(MAGIC);
    let start = line.len();
    let there = input.by_ref().take(length.min(MAX_RECORD)).read_to_end(&mut line)? as u64;
    if there < length.min(MAX_RECORD) {
        return Ok(Body::Bad(format!("cut in the middle of a record: {there} of {length} bytes")));
    }
    if length > MAX_RECORD {
        io::copy(&mut input.by_ref().take(length - MAX_RECORD), &mut io::sink())?;
        return Ok(Body::Bad(format!("longer than {MAX_RECORD} bytes")));
    }
    Ok(match file {
        true => Body::Skipped("warcinfo"),
        false if line[start..].starts_with(b"HTTP/") => Body::Bytes(line),
        false => Body::Skipped("not http"),
    })
}

/// `URL address date type length`, with further fields before the length in version 2.
fn header(line: &[u8]) -> Option<(&str, &str, u64)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.trim_end().split(' ');
    let (url, _address, date) = (words.next()?, words.next()?, words.next()?);
    let length = words.next_back()?.parse().ok()?;
    Some((url, date, length))
}

/// The page of a record's bytes.
pub(super) fn page(id: String, bytes: &[u8]) -> Body {
    let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1);
    let Some((url, date, _)) = header(&bytes[..end]) else { return Body::Bad("not an ARC record".into()) };
    let answer = match http::Answer::parse(&bytes[end..]) {
        Ok(answer) => answer,
        Err(what) => return Body::Bad(what),
    };
    if !(200..300).contains(&answer.status) {
        return Body::Skipped("http status");
    }
    let mut doc = Document::new(id, "");
    doc.columns.insert("url".into(), url.into());
    doc.columns.insert("date".into(), Cell::Text(as_warc_date(date)));
    doc.raw = Some(RawPage { bytes: answer.body, content_type: answer.content_type });
    Body::Document(doc)
}

/// `19960923142103` as WARC files write it: `1996-09-23T14:21:03Z`; anything else as it is.
fn as_warc_date(date: &str) -> String {
    if date.len() != 14 || !date.bytes().all(|b| b.is_ascii_digit()) {
        return date.to_owned();
    }
    let part = |from: usize, to: usize| &date[from..to];
    format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14))
}

/// Goes to the next line that begins a record.
pub(super) fn resynchronise(input: &mut Decoded) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        match input.line(&mut line, MAX_HEAD)? {
            Line::End => return Ok(None),
            Line::Whole if header(&line).is_some_and(|(url, ..)| url.contains("://")) => {
                return Ok(Some(line));
            }
            Line::Whole | Line::TooLong => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_either_version_is_read() {
        let one = "http://a/b 1.2.3.4 19960923142103 text/html 202\n";
        assert_eq!(header(one.as_bytes()), Some(("http://a/b", "19960923142103", 202)));
        let two = "http://a/ 1.2.3.4 20010101000000 text/html 200 - - 0 a.arc 7\r\n";
        assert_eq!(header(two.as_bytes()).map(|h| h.2), Some(7));
        assert_eq!(header(b"http://a/ 1.2.3.4\n"), None);
        assert_eq!(as_warc_date("19960923142103"), "1996-09-23T14:21:03Z");
        assert_eq!(as_warc_date("unknown"), "unknown");
    }
}
