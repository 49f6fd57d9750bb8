//! WARC: one web page a response record.

use std::io::{self, Read};

use llmp_stdlib::arg::FilePath;

use super::stream::{Line, MAX_RECORD};
use super::{Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, arc, decoded, http};
use crate::{
    document::{Cell, Document, RawPage},
    error::{At, DataError, Result},
};

llmp_stdlib::def! {
    /// Web archives (ISO 28500) and their texts (WET), plain or compressed, also record by record (`.warc.gz`, `.warc.zst`
    /// with or without a dictionary), and the older ARC files: one web page for each response record.
    ///
    /// Chunked transfer and gzip, deflate or Zstandard content are decoded; `url` and `date` become columns. Resources of the
    /// types HTML, XML and plain text are pages too; the text of a conversion record (WET) is a page of plain text, which
    /// `extract_text` takes as it is. Requests, metadata, revisits, answers other than 2xx, and what is not HTTP are counted as
    /// skipped. A record that is cut, longer than 64 MiB or not HTTP is a bad record, and reading goes on at the next record
    /// header.
    ///
    /// ```llmp
    /// source crawl = warc("data:cc/*.warc.gz")
    /// ```
    Warc = "warc", rev 1, source Html, adds [url: Text, date: Text] {
        /// Files, as in `text`.
        glob: FilePath,
        /// What happens to a record that cannot be read.
        on_error: OnError = "count",
    }
}

impl Reader for Warc {
    fn name(&self) -> &'static str {
        "warc"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        let path = file.path.clone();
        let input = match decoded(file, tap)? {
            Ok(input) => input,
            Err(bad) => return Ok(bad),
        };
        let mut cutter = Some(Cutter { input, index: 0, pushed_back: None, arc: false });
        Ok(Box::new(std::iter::from_fn(move || {
            let cut = cutter.as_mut()?;
            let index = cut.index;
            let body = match cut.next() {
                Ok(None) => {
                    cutter = None;
                    if index > 0 {
                        return None;
                    }
                    return Some(Ok(Record {
                        index,
                        at: At::File,
                        body: Body::Bad("the file is empty".into()),
                    }));
                }
                Ok(Some(body)) => body,
                Err(e) => {
                    cutter = None;
                    if Decoded::is_fatal(&e) {
                        return Some(Err(DataError::io("read", &path, e)));
                    }
                    Body::Bad(Decoded::explain(&e))
                }
            };
            Some(Ok(Record { index, at: At::Record(index + 1), body }))
        })))
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        let id = format!("{}#{index}", file.label);
        if !bytes.starts_with(b"WARC/") {
            return arc::page(id, &bytes);
        }
        let Some((head, block)) = http::split_head(&bytes) else {
            return Body::Bad("no end of the header".into());
        };
        let page = match http::field(head, "WARC-Type").unwrap_or_default().to_ascii_lowercase().as_str() {
            "conversion" => {
                RawPage { bytes: block.to_vec(), content_type: Some("text/plain; charset=utf-8".into()) }
            }
            "resource" => RawPage {
                bytes: block.to_vec(),
                content_type: http::field(head, "Content-Type").map(str::to_string),
            },
            _ => match http::Answer::parse(block) {
                Ok(answer) if !(200..300).contains(&answer.status) => return Body::Skipped("http status"),
                Ok(answer) => RawPage { bytes: answer.body, content_type: answer.content_type },
                Err(what) => return Body::Bad(what),
            },
        };
        let mut doc = Document::new(id, "");
        for (column, name) in [("url", "WARC-Target-URI"), ("date", "WARC-Date")] {
            if let Some(value) = http::field(head, name) {
                doc.columns.insert(column.into(), Cell::Text(value.trim_matches(['<', '>']).to_string()));
            }
        }
        doc.raw = Some(page);
        Body::Document(doc)
    }
}

/// Bytes of a record's header beyond which it is none.
pub(super) const MAX_HEAD: u64 = 64 << 10;

/// Cuts a stream of bytes into WARC or ARC records.
struct Cutter {
    input: Decoded,
    index: u64,
    /// The first line of a record that was found while looking for it.
    pushed_back: Option<Vec<u8>>,
    /// Whether it is an ARC file.
    arc: bool,
}

impl Cutter {
    /// The next record, or what was found where one should be; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Body>> {
        let head = match self.pushed_back.take() {
            Some(line) => line,
            None => match self.first_line()? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        self.index += 1;
        self.arc |= self.index == 1 && head.starts_with(arc::MAGIC);
        if self.arc {
            let body = arc::record(&mut self.input, head)?;
            if matches!(&body, Body::Bad(what) if what.starts_with("not ")) {
                self.pushed_back = arc::resynchronise(&mut self.input)?;
            }
            return Ok(Some(body));
        }
        if !head.starts_with(b"WARC/") {
            return self.resynchronise("not a WARC record; passed over up to the next one");
        }
        self.record(head)
    }

    /// The record whose first line is in `head`.
    fn record(&mut self, mut head: Vec<u8>) -> io::Result<Option<Body>> {
        loop {
            let before = head.len();
            let mut line = Vec::new();
            if self.input.line(&mut line, MAX_HEAD)? == Line::TooLong || before as u64 > MAX_HEAD {
                return self.resynchronise("a header of more than 64 KiB; passed over up to the next record");
            }
            head.extend_from_slice(&line);
            if line.is_empty() {
                return Ok(Some(Body::Bad("cut in the middle of a record's header".into())));
            }
            if line == b"\r\n" || line == b"\n" {
                break;
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let length = http::field(&text, "Content-Length").and_then(|n| n.parse::<u64>().ok());
        let Some(length) = length else {
            return Ok(Some(Body::Bad("no Content-Length in the header".into())));
        };
        let kind = http::field(&text, "WARC-Type").unwrap_or_default().to_ascii_lowercase();
        let wanted = kind == "response" || kind == "conversion" || kind == "resource";
        let start = head.len();
        let kept = if wanted { length.min(MAX_RECORD) } else { 0 };
        let mut there = (&mut self.input).take(kept).read_to_end(&mut head)? as u64;
        if there == kept {
            there += io::copy(&mut (&mut self.input).take(length - kept), &mut io::sink())?;
        }
        if there < length {
            return Ok(Some(Body::Bad(format!("cut in the middle of a record: {there} of {length} bytes"))));
        }
        if wanted && length > MAX_RECORD {
            return Ok(Some(Body::Bad(format!("longer than {MAX_RECORD} bytes"))));
        }
        let content = http::field(&text, "Content-Type").unwrap_or_default().to_ascii_lowercase();
        Ok(Some(match kind.as_str() {
            "response" if head[start..].starts_with(b"HTTP/") => Body::Bytes(head),
            "response" => Body::Skipped("not http"),
            "conversion" => Body::Bytes(head),
            "resource" if ["html", "xml", "text/plain"].iter().any(|own| content.contains(own)) => {
                Body::Bytes(head)
            }
            "resource" => Body::Skipped("resource"),
            "warcinfo" => Body::Skipped("warcinfo"),
            "request" => Body::Skipped("request"),
            "metadata" => Body::Skipped("metadata"),
            "revisit" => Body::Skipped("revisit"),
            "continuation" => Body::Skipped("continuation"),
            _ => Body::Skipped("other record"),
        }))
    }

    /// The next line that is not blank. A line that is too long for a header is given up to where it is one.
    fn first_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            match self.input.line(&mut line, MAX_HEAD)? {
                Line::End => return Ok(None),
                Line::Whole if line.trim_ascii().is_empty() => {}
                Line::Whole => return Ok(Some(line)),
                Line::TooLong => return Ok(Some(b"too long".to_vec())),
            }
        }
    }

    /// Goes to the next line that begins a record.
    fn resynchronise(&mut self, what: &str) -> io::Result<Option<Body>> {
        while let Some(line) = self.first_line()? {
            if line.starts_with(b"WARC/1.") || line.starts_with(b"WARC/0.") {
                self.pushed_back = Some(line);
                break;
            }
        }
        Ok(Some(Body::Bad(what.into())))
    }
}
