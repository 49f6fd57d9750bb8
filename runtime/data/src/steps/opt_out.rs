//! `opt_out`: drops pages whose publisher asked to be left out.

use std::sync::Arc;

use llmp_stdlib::arg::FilePath;

use super::{
    Built, Map, Outcome, Step,
    files::entries,
    text::column,
    urls::{Hosts, host, without_scheme},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops pages whose publisher asked to be left out.
    ///
    /// A list names hosts (`example.org`; their subdomains follow) or beginnings of URLs (`https://example.org/news/`; the
    /// scheme does not count), one a line; `#` begins a comment. A page without a URL stays. AFM leaves such publishers out
    /// (arXiv:2407.21075, section 3.1.1). Reason: `opt out`.
    ///
    /// ```llmp
    /// dataset allowed = crawl |> opt_out(list = "lists/opt_out.txt")
    /// ```
    OptOut = "opt_out", rev 1, rows_of [Html, Docs], needs ["url"] {
        /// The list of hosts and beginnings of URLs; a glob names several files.
        list: FilePath,
    }
}

impl Step for OptOut {
    fn build(self, roots: &Roots) -> Result<Built> {
        let entries = entries(roots, "opt_out", &self.list)?;
        let is_prefix = |entry: &&String| without_scheme(entry).trim_end_matches('/').contains(['/', '?']);
        let mut prefixes: Vec<String> = entries.iter().filter(is_prefix).map(|e| without_scheme(e)).collect();
        prefixes.sort_unstable();
        let hosts: Vec<String> = entries.iter().filter(|e| !is_prefix(e)).map(|entry| host(entry)).collect();
        Ok(Built::Map(Arc::new(Lists { hosts: Hosts::new(hosts.iter().map(String::as_str)), prefixes })))
    }
}

/// The list, taken apart.
#[derive(Debug)]
struct Lists {
    hosts: Hosts,
    /// Sorted.
    prefixes: Vec<String>,
}

impl Map for Lists {
    fn name(&self) -> &'static str {
        "opt_out"
    }

    fn needs(&self) -> Vec<String> {
        vec!["url".into()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let Some(url) = column(doc, "url") else { return Outcome::Keep };
        if self.hosts.cover(&host(url)) || self.begins(&without_scheme(url)) {
            return Outcome::Drop("opt out".into());
        }
        Outcome::Keep
    }
}

impl Lists {
    /// Whether a prefix of the URL is on the list.
    fn begins(&self, url: &str) -> bool {
        let mut ends = url.char_indices().map(|(at, c)| at + c.len_utf8());
        !self.prefixes.is_empty()
            && ends
                .any(|end| self.prefixes.binary_search_by(|prefix| prefix.as_str().cmp(&url[..end])).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map_in;

    #[test]
    fn hosts_and_beginnings_of_urls_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let list = "# asked in 2024\nExample.org\nhttps://news.net/archive/\nhttp://whole.com/\n";
        std::fs::write(folder.path().join("list.txt"), list).unwrap();
        let map = map_in(folder.path(), "opt_out", &[("list", "\"list.txt\"")]);
        let keeps = |url: &str| {
            let mut doc = Document::new("a", "");
            doc.columns.insert("url".into(), url.into());
            map.apply(&mut doc) == Outcome::Keep
        };
        assert!(
            !keeps("http://www.example.org/a")
                && !keeps("https://NEWS.net/archive/1")
                && !keeps("https://a.whole.com/b")
        );
        assert!(
            keeps("https://news.net/today")
                && keeps("https://myexample.org/")
                && keeps("https://sub.news.net/archive/1")
        );
        assert_eq!(map.apply(&mut Document::new("a", "")), Outcome::Keep);
    }
}
