//! HTTP answers as WARC files store them: status, headers, body with its encodings undone.

use std::io::Read;

/// Bodies are decoded up to this size; what is longer is not a page.
const MAX_BODY: u64 = 64 << 20;

/// An HTTP answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The header (without its last blank line) as text, and what follows it.
pub(super) fn split_head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let crlf = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| (at, 4));
    let lf = bytes.windows(2).position(|w| w == b"\n\n").map(|at| (at, 2));
    let (at, len) = [crlf, lf].into_iter().flatten().min()?;
    // Header values are ASCII by standard; a value that is not loses what follows the fault.
    let head = match std::str::from_utf8(&bytes[..at]) {
        Ok(head) => head,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
    };
    Some((head, &bytes[at + len..]))
}

/// The value of a header field; names do not care about case.
pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Answer {
    /// Reads an answer. Errors: words for the report of a bad record.
    pub(super) fn parse(bytes: &[u8]) -> Result<Answer, String> {
        let (head, body) = split_head(bytes).ok_or("no end of the HTTP header")?;
        let status = head.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let status = status.ok_or("no status in the HTTP answer")?;
        let chunked = field(head, "Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        // Many archives store the body without chunks but keep the header.
        let body = match chunked.then(|| dechunk(body)).flatten() {
            Some(whole) => whole,
            None => body.to_vec(),
        };
        let encoding = field(head, "Content-Encoding").unwrap_or("identity").to_ascii_lowercase();
        let body = match &*encoding {
            "gzip" | "x-gzip" if body.starts_with(&[0x1f, 0x8b]) => {
                decode(flate2::read::MultiGzDecoder::new(&body[..]))?
            }
            "deflate" if body.first().is_some_and(|first| first & 0x0f == 8) => {
                decode(flate2::read::ZlibDecoder::new(&body[..]))?
            }
            "deflate" => decode(flate2::read::DeflateDecoder::new(&body[..])).unwrap_or(body),
            "zstd" if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
                let decoder = zstd::Decoder::with_buffer(&body[..]);
                decode(decoder.map_err(|e| format!("the body cannot be decoded: {e}"))?)?
            }
            "br" => return Err(format!("the content encoding `{encoding}` is not supported")),
            _ => body,
        };
        Ok(Answer { status, content_type: field(head, "Content-Type").map(str::to_string), body })
    }
}

fn decode(decoder: impl Read) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = decoder.take(MAX_BODY + 1).read_to_end(&mut body);
    read.map_err(|e| format!("the body cannot be decoded: {e}"))?;
    if body.len() as u64 > MAX_BODY {
        Err(format!("the body is longer than {MAX_BODY} bytes"))
    } else {
        Ok(body)
    }
}

/// The body of a chunked transfer, or `None` when it is not in chunks.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.iter().position(|&b| b == b'\n')?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[end + 1..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size..)?;
        bytes = bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n"))?;
    }
}
