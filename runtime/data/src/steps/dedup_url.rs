//! Keeps one page for each address.

use std::{cmp::Reverse, sync::Arc};

use llmp_stdlib::{Record, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::{Barrier, Built, Mark, Step, clusters};
use crate::{
    document::{Cell, Document},
    engine::{Desk, Packed, Sorter, ordered},
    error::Result,
    readers::Roots,
};

llmp_stdlib::choices! {
    /// Which of several pages with one address stays.
    Kept = "keep" {
        /// The one that was fetched last.
        Newest = "newest",
        /// The first in document order.
        First = "first",
        /// The longest.
        Longest = "longest",
    }
}

llmp_stdlib::def! {
    /// Keeps one page for each URL, over the whole set.
    ///
    /// URLs are compared without scheme, `www.`, fragment and tracking parameters. Llama 3.1 keeps the newest page (section 3.1.1).
    /// Of pages that are equally new (or long) the first in document order stays; a page without a date is older than any other, one
    /// without a URL is compared with none. Memory does not grow with the set. Groups are named in `clusters.jsonl`. Reason:
    /// `same url`.
    ///
    /// ```llmp
    /// dataset unique = web |> dedup_url(keep = newest)
    /// ```
    DedupUrl = "dedup_url", rev 1, whole_of [Html, Docs], needs ["url"], reads newest_reads {
        /// Which page stays; `newest` reads `.date`.
        keep: Kept = "newest",
    }
}

fn newest_reads(args: &Record) -> Vec<String> {
    let newest = args.get("keep") == Some(&Value::Choice("newest".into()));
    newest.then(|| "date".to_owned()).into_iter().collect()
}

impl Step for DedupUrl {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

/// Address, date and length (the best first), number.
type Row = (u128, Reverse<String>, Reverse<u64>, u64);

impl Barrier for DedupUrl {
    fn name(&self) -> &'static str {
        "dedup_url"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        clusters::id(doc, out);
        let Some(Cell::Text(url)) = doc.columns.get("url").filter(|url| **url != Cell::Text(String::new()))
        else {
            return;
        };
        let date = match doc.columns.get("date") {
            Some(Cell::Text(date)) => date.clone(),
            // Numbers as text of one length: their order is that of the digits.
            Some(Cell::Num(date)) => format!("{:020}", ordered(*date)),
            _ => String::new(),
        };
        let (date, length) = match self.keep {
            Kept::Newest => (date, 0),
            Kept::First => (String::new(), 0),
            Kept::Longest => (String::new(), doc.bytes()),
        };
        (xxh3_128(plain(url).as_bytes()), date, length).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut pages: Sorter<'_, Row> = desk.sorter();
        desk.each(|number, mut sketch| {
            let _id: String = desk.unpack(&mut sketch)?;
            if sketch.is_empty() {
                return Ok(());
            }
            let (url, date, length) = desk.unpack(&mut sketch)?;
            pages.push((url, Reverse(date), Reverse(length), number))
        })?;
        let mut members: Sorter<'_, (u64, u64)> = desk.sorter();
        let mut best = None;
        for row in pages.sorted()? {
            let (url, _, _, number) = row?;
            match best {
                Some((same, kept)) if same == url => {
                    members.push((number, kept))?;
                    desk.mark(number, &Mark::drop("same url"))?;
                }
                _ => best = Some((url, number)),
            }
        }
        clusters::report(desk, self.name(), members)
    }
}

/// Parameters that say where a reader came from, not what is shown.
const TRACKING: &[&str] = &[
    "_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "gclsrc", "igshid", "mc_cid", "mc_eid", "msclkid",
    "twclid", "wbraid", "yclid",
];

/// A URL without scheme, `www.`, default port, fragment and tracking parameters, the host in lower case.
fn plain(url: &str) -> String {
    let url = url.trim();
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let url = match url.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) => {
            rest
        }
        _ => url.trim_start_matches("//"),
    };
    let (rest, query) = url.split_once('?').unwrap_or((url, ""));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host);
    let mut plain = format!("{host}/{path}");
    let tracks = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default().to_ascii_lowercase();
        name.starts_with("utm_") || TRACKING.contains(&&*name)
    };
    let mut mark = '?';
    for part in query.split('&').filter(|part| !part.is_empty() && !tracks(part)) {
        plain.push(mark);
        plain.push_str(part);
        mark = '&';
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_page_are_equal_and_others_are_not() {
        let same = [
            "http://www.Example.org/a?b=1",
            "https://example.org/a?b=1#top",
            "HTTPS://example.org:443/a?utm_source=x&b=1&fbclid=y",
            "//example.org/a?b=1&",
        ];
        assert!(same.iter().all(|url| plain(url) == "example.org/a?b=1"), "{:?}", same.map(plain));
        assert_eq!(plain("http://example.org"), plain("https://www.example.org/"));
        assert_ne!(plain("http://example.org/A"), plain("http://example.org/a"));
        assert_ne!(plain("http://example.org/a/"), plain("http://example.org/a"));
        assert_ne!(plain("http://example.org/a?b=2"), plain("http://example.org/a?b=1"));
    }
}
