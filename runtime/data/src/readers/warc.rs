//! WARC: one web page a response record.

use std::io::{self, BufRead, Read};

use llmp_stdlib::arg::FilePath;

use super::{Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, http};
use crate::{
    document::{Cell, Document, RawPage},
    error::{At, DataError, Result},
};

llmp_stdlib::def! {
    /// Web archives (ISO 28500), plain or compressed: one web page for each response record.
    ///
    /// Chunked transfer and gzip or deflate content are decoded; `url` and `date` become columns. Requests, metadata,
    /// revisits and answers other than 2xx are counted as skipped. A record that is cut or not HTTP is a bad record,
    /// and reading goes on at the next record header.
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
        let input = Decoded::new(tap).map_err(|e| DataError::io("read", &file.path, e))?;
        let path = file.path.clone();
        let mut cutter = Some(Cutter { input, index: 0, pushed_back: None });
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
        let Some((head, block)) = http::split_head(&bytes) else {
            return Body::Bad("no end of the header".into());
        };
        let answer = match http::Answer::parse(block) {
            Ok(answer) => answer,
            Err(what) => return Body::Bad(what),
        };
        if !(200..300).contains(&answer.status) {
            return Body::Skipped("http status");
        }
        let mut doc = Document::new(format!("{}#{index}", file.label), "");
        for (column, name) in [("url", "WARC-Target-URI"), ("date", "WARC-Date")] {
            if let Some(value) = http::field(head, name) {
                doc.columns.insert(column.into(), Cell::Text(value.trim_matches(['<', '>']).to_string()));
            }
        }
        doc.raw = Some(RawPage { bytes: answer.body, content_type: answer.content_type });
        Body::Document(doc)
    }
}

/// Cuts a stream of bytes into WARC records.
struct Cutter {
    input: Decoded,
    index: u64,
    /// The first line of a record that was found while looking for it.
    pushed_back: Option<Vec<u8>>,
}

impl Cutter {
    /// The next record, or what was found where one should be; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Body>> {
        let mut head = match self.pushed_back.take() {
            Some(line) => line,
            None => match self.first_line()? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        self.index += 1;
        if !head.starts_with(b"WARC/") {
            return self.resynchronise();
        }
        loop {
            let before = head.len();
            self.input.read_until(b'\n', &mut head)?;
            let line = &head[before..];
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
        let start = head.len();
        let there = (&mut self.input).take(length).read_to_end(&mut head);
        let there = there? as u64;
        if there < length {
            return Ok(Some(Body::Bad(format!("cut in the middle of a record: {there} of {length} bytes"))));
        }
        let kind = http::field(&text, "WARC-Type").unwrap_or_default();
        Ok(Some(match &*kind.to_ascii_lowercase() {
            "response" if head[start..].starts_with(b"HTTP/") => Body::Bytes(head),
            "response" => Body::Skipped("not http"),
            "warcinfo" => Body::Skipped("warcinfo"),
            "request" => Body::Skipped("request"),
            "metadata" => Body::Skipped("metadata"),
            "revisit" => Body::Skipped("revisit"),
            "conversion" => Body::Skipped("conversion"),
            "resource" => Body::Skipped("resource"),
            _ => Body::Skipped("other record"),
        }))
    }

    /// The next line that is not blank.
    fn first_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            if self.input.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Goes to the next line that begins a record.
    fn resynchronise(&mut self) -> io::Result<Option<Body>> {
        while let Some(line) = self.first_line()? {
            if line.starts_with(b"WARC/1.") {
                self.pushed_back = Some(line);
                break;
            }
        }
        Ok(Some(Body::Bad("not a WARC record; passed over up to the next one".into())))
    }
}
