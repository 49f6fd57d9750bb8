//! `block_urls`: drops pages of blocked sites, and pages whose URL holds blocked words.

use std::sync::Arc;

use llmp_stdlib::{Problem, arg::FilePath};

use super::{
    Built, Map, Outcome, Step,
    files::entries,
    text::column,
    urls::{Hosts, host},
    word_list::{WordList, Wordlists},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops pages of blocked sites, and pages whose URL holds blocked words.
    ///
    /// `domains` names files with one host a line; subdomains follow. The lists of the University of Toulouse (UT1: adult,
    /// phishing, gambling and more; 4.6M domains in RefinedWeb's use) are unpacked as one folder a category:
    /// `domains = "ut1:*/domains"` with `--root ut1=FOLDER` takes all, `"ut1:adult/domains"` one of them.
    ///
    /// `words` are looked for in the URL, cut at everything that is no letter or digit. Two of them block a page, one where
    /// `strict` (RefinedWeb, Penedo et al. 2023, arXiv:2306.01116, appendix G.1: soft and strict lists). Llama 3.1 blocks sites of
    /// personal data, of harm and of adult content (arXiv:2407.21783, section 3.1.1). A page without a URL stays. Reasons:
    /// `blocked domain`, `blocked word`.
    ///
    /// ```llmp
    /// dataset web = crawl |> block_urls(domains = "ut1:*/domains", words = ldnoobw) |> extract_text()
    /// ```
    BlockUrls = "block_urls", rev 1, rows_of [Html, Docs], needs ["url"], check something {
        /// The files of domains, a glob.
        domains: Option<FilePath> = "none",
        /// The list of words: `ldnoobw` (its English words), or a file with one word or phrase a line.
        words: Option<WordList> = "none",
        /// One blocked word is enough.
        strict: bool = "false",
    }
}

fn something(it: &BlockUrls) -> Vec<Problem> {
    if it.domains.is_some() || it.words.is_some() {
        return it.words.iter().filter_map(|words| words.quoted("words")).collect();
    }
    let problem =
        Problem::error("LLMP0209", "", "block_urls blocks nothing: neither `domains` nor `words` is given");
    vec![problem.fix("use the lists of Toulouse", "domains", "\"ut1:*/domains\"")]
}

impl Step for BlockUrls {
    fn build(self, roots: &Roots) -> Result<Built> {
        let domains = match &self.domains {
            Some(path) => entries(roots, "block_urls", path)?,
            None => Vec::new(),
        };
        let hosts: Vec<String> = domains.iter().map(|entry| host(entry)).collect();
        let words =
            self.words.as_ref().map(|list| Wordlists::build("block_urls", list, roots)).transpose()?;
        let hosts = Hosts::new(hosts.iter().map(String::as_str));
        Ok(Built::Map(Arc::new(Lists { hosts, words, enough: if self.strict { 1 } else { 2 } })))
    }
}

/// The lists, ready for the search.
#[derive(Debug)]
struct Lists {
    hosts: Hosts,
    words: Option<Wordlists>,
    /// So many words block a page.
    enough: u64,
}

impl Map for Lists {
    fn name(&self) -> &'static str {
        "block_urls"
    }

    fn needs(&self) -> Vec<String> {
        vec!["url".into()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let Some(url) = column(doc, "url") else { return Outcome::Keep };
        if self.hosts.cover(&host(url)) {
            return Outcome::Drop("blocked domain".into());
        }
        if let Some(list) = self.words.as_ref().and_then(Wordlists::general) {
            let spaced: String = url.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
            if list.count(&spaced) >= self.enough {
                return Outcome::Drop("blocked word".into());
            }
        }
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map_in;

    #[test]
    fn domains_and_words_block() {
        let folder = tempfile::tempdir().unwrap();
        for (category, list) in [("adult", "sex.example\n"), ("phishing", "bank-login.example\n# none\n")] {
            std::fs::create_dir_all(folder.path().join("ut1").join(category)).unwrap();
            std::fs::write(folder.path().join("ut1").join(category).join("domains"), list).unwrap();
        }
        let judge = |args: &[(&str, &str)], url: &str| {
            let mut doc = Document::new("a", "");
            doc.columns.insert("url".into(), url.into());
            match map_in(folder.path(), "block_urls", args).apply(&mut doc) {
                Outcome::Keep => String::new(),
                Outcome::Drop(reason) => reason.into_owned(),
            }
        };
        let all = [("domains", "\"ut1:*/domains\"")];
        assert_eq!(judge(&all, "https://www.Sex.example/a"), "blocked domain");
        assert_eq!(judge(&all, "https://bank-login.example"), "blocked domain");
        assert_eq!(judge(&all, "https://essex.example/"), "");
        let one = [("domains", "\"ut1:adult/domains\"")];
        assert_eq!(judge(&one, "https://bank-login.example"), "");
        let words = [("words", "ldnoobw")];
        assert_eq!(judge(&words, "https://e.org/sex-shop"), "");
        assert_eq!(judge(&words, "https://e.org/sex_and/porn.html"), "blocked word");
        assert_eq!(
            judge(&[("words", "ldnoobw"), ("strict", "true")], "https://e.org/sex-shop"),
            "blocked word"
        );
        assert_eq!(judge(&[("words", "ldnoobw"), ("strict", "true")], "https://essex.org/class"), "");
    }
}
