//! The charset of a web page: byte order mark, HTTP header, `<meta>` or XML declaration (WHATWG encoding sniffing).

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A declaration must lie within this many bytes; browsers look at 1024, old pages put scripts before it.
const PRESCAN: usize = 4096;

/// The text of a page. Without any declaration it is UTF-8 if it can be, else windows-1252.
pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned();
    }
    let declared = content_type.and_then(|value| label(value.as_bytes())).or_else(|| prescan(bytes));
    match declared {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    }
}

/// The encoding that a page declares about itself.
fn prescan(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut rest = &bytes[..bytes.len().min(PRESCAN)];
    if rest.starts_with(b"<?xml") {
        let end = rest.iter().position(|&b| b == b'>')?;
        if let Some(encoding) = value_of(&rest[..end], b"encoding").and_then(for_page) {
            return Some(encoding);
        }
    }
    while let Some(at) = rest.iter().position(|&b| b == b'<') {
        rest = &rest[at..];
        if rest.starts_with(b"<!--") {
            let end = rest.windows(3).position(|w| w == b"-->")?;
            rest = &rest[end..];
        } else if rest.len() > 5
            && rest[..5].eq_ignore_ascii_case(b"<meta")
            && !rest[5].is_ascii_alphanumeric()
        {
            let end = rest.iter().position(|&b| b == b'>').unwrap_or(rest.len());
            if let Some(encoding) = label(&rest[..end]) {
                return Some(encoding);
            }
        }
        rest = &rest[1..];
    }
    None
}

/// The encoding after `charset=`.
fn label(bytes: &[u8]) -> Option<&'static Encoding> {
    value_of(bytes, b"charset").and_then(for_page)
}

/// An ASCII-compatible page cannot be UTF-16, whatever it says.
fn for_page(label: &[u8]) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label(label)?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

/// What stands after `name =`, quoted or not.
fn value_of<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].windows(name.len()).position(|w| w.eq_ignore_ascii_case(name))?;
        from = at + name.len();
        let Some(value) = bytes[from..].trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|b| b"\"' \t\r\n;/>?".contains(b)).unwrap_or(value.len());
        return Some(&value[..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_mark_header_and_meta_decides() {
        let eacute = b"<p>\xe9</p>";
        let page = |head: &str| [head.as_bytes(), eacute].concat();
        let end = |text: String| text[text.find("<p>").unwrap()..].to_string();
        for head in [
            "<meta charset=iso-8859-1>",
            "<META http-equiv='Content-Type' content='text/html; CharSet = ISO-8859-1'>",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
            "<!-- <meta charset=utf-8> --><meta name=x charset=\"latin1\" />",
            "",
        ] {
            assert_eq!(end(decode(&page(head), None)), "<p>é</p>", "{head}");
        }
        let both = page("<meta charset=utf-8>");
        assert_eq!(end(decode(&both, Some("text/html; charset=windows-1252"))), "<p>é</p>");
        assert_eq!(end(decode(&both, None)), "<p>\u{fffd}</p>");
        assert_eq!(decode(b"\xef\xbb\xbfa", Some("text/html; charset=koi8-r")), "a");
        assert_eq!(decode("한".as_bytes(), None), "한");
        assert_eq!(decode(b"\xc7\xd1", Some("text/html;charset=EUC-KR")), "한");
    }
}
