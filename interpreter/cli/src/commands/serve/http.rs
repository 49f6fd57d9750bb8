//! As much of HTTP as a page on the same machine needs: one request a connection, small heads, bounded bodies.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Largest head of a request.
const HEAD: usize = 16 << 10;
/// Largest body: a program with its edits.
const BODY: usize = 16 << 20;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a browser asks.
pub(super) struct Request {
    pub(super) method: String,
    path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Whether it asks for a path, whatever its query is.
    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }

    /// A header by its name in lower case; none if it stands there twice.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// A value of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Reads a request; the inner error says in words what is wrong with it.
pub(super) fn read(stream: &mut TcpStream) -> Result<std::result::Result<Request, &'static str>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = Vec::new();
    let mut part = [0; 8 << 10];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > HEAD {
            return Ok(Err("the head of the request is too long"));
        }
        match stream.read(&mut part)? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            count => bytes.extend_from_slice(&part[..count]),
        }
    };
    let mut body = bytes.split_off(end + 4);
    let Some((method, path, headers)) = head(&bytes[..end]) else {
        return Ok(Err("the head of the request cannot be read"));
    };
    let mut request = Request { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(Ok(0), str::parse);
    let Some(length) = length.ok().filter(|length| *length <= BODY) else {
        return Ok(Err("the body of the request is too long"));
    };
    while body.len() < length {
        match stream.read(&mut part)? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            count => body.extend_from_slice(&part[..count]),
        }
    }
    body.truncate(length);
    request.body = body;
    Ok(Ok(request))
}

type Head = (String, String, Vec<(String, String)>);

/// Method, path and headers.
fn head(bytes: &[u8]) -> Option<Head> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some((method.to_owned(), path.to_owned(), lines.map(header).collect::<Option<_>>()?))
}

/// Nothing is loaded from elsewhere, and no other page may show this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An answer.
pub(super) struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Reply {
    /// What was asked for.
    pub(super) fn new(kind: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status: 200, kind, body: body.into() }
    }

    /// Why there is no answer.
    pub(super) fn refused(status: u16, words: impl Into<String>) -> Reply {
        Reply { status, kind: "text/plain; charset=utf-8", body: words.into().into_bytes() }
    }

    /// Sends it.
    pub(super) fn write(&self, stream: &mut TcpStream) -> Result<()> {
        let head = start(self.status, self.kind);
        write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len())?;
        stream.write_all(&self.body)?;
        stream.flush()
    }
}

/// The head of an answer, without its end.
pub(super) fn start(status: u16, kind: &str) -> String {
    let reason = if status == 200 { "OK" } else { "Refused" };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\nContent-Security-Policy: {POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_or_refused() {
        let (method, path, headers) = head(b"POST /messages?session=3 HTTP/1.1\r\nHost:  a:1 ").unwrap();
        let request = Request { method, path, headers, body: Vec::new() };
        assert!(request.is("POST", "/messages") && !request.is("GET", "/messages"));
        assert_eq!((request.header("host"), request.query("session")), (Some("a:1"), Some("3")));
        for wrong in [&b"GET /"[..], b"GET / HTTP/2", b"GET / HTTP/1.1\r\nHost", b"\xff / HTTP/1.1", b""] {
            assert!(head(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_header_that_stands_there_twice_counts_for_nothing() {
        let (method, path, headers) = head(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b").unwrap();
        assert_eq!(Request { method, path, headers, body: Vec::new() }.header("host"), None);
    }
}
