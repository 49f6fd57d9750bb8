//! `c4_quality`: drops documents with marks of pages that are no prose.

use std::sync::Arc;

use regex::Regex;

use super::{
    Built, Map, Outcome, Step,
    word_list::{Builtin, WordList, Wordlists},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops documents with marks of pages that are no prose, after C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2).
    ///
    /// | Reason | Drops when |
    /// |---|---|
    /// | `lorem ipsum` | the text holds "lorem ipsum", in any case |
    /// | `curly bracket` | the text holds `{` |
    /// | `bad word` | the text holds a word of the list of bad words, between characters that are no letters |
    ///
    /// The list is that of the document's language (`.lang`, English where there is no such column), as in mC4
    /// (arXiv:2010.11934). C4's code looks at the lines that end like sentences only: run `c4_lines` first.
    ///
    /// ```llmp
    /// dataset clean = web |> c4_lines() |> c4_quality(curly_brackets = false)
    /// ```
    C4Quality = "c4_quality", rev 1, rows Docs -> Docs {
        /// Drop documents with the placeholder text "lorem ipsum".
        lorem_ipsum: bool = "true",
        /// Drop documents with a curly bracket; wrong for pages on code.
        curly_brackets: bool = "true",
        /// Drop documents with a word of the list of bad words.
        bad_words: bool = "true",
    }
}

impl Step for C4Quality {
    fn build(self, roots: &Roots) -> Result<Built> {
        let lists = match self.bad_words {
            true => Some(Wordlists::build("c4_quality", &WordList::Builtin(Builtin::Ldnoobw), roots)?),
            false => None,
        };
        let lorem = super::text::pattern("c4_quality", "(?i-u)lorem ipsum")?;
        Ok(Built::Map(Arc::new(Quality { settings: self, lorem, lists })))
    }
}

/// The step with its pattern and lists.
#[derive(Debug)]
struct Quality {
    settings: C4Quality,
    lorem: Regex,
    lists: Option<Wordlists>,
}

impl Map for Quality {
    fn name(&self) -> &'static str {
        "c4_quality"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        if self.settings.lorem_ipsum && self.lorem.is_match(&doc.text) {
            return Outcome::Drop("lorem ipsum".into());
        }
        if self.settings.curly_brackets && doc.text.contains('{') {
            return Outcome::Drop("curly bracket".into());
        }
        let bad = |lists: &Wordlists| lists.of(doc).is_some_and(|list| list.holds_one(&doc.text));
        if self.lists.as_ref().is_some_and(bad) {
            return Outcome::Drop("bad word".into());
        }
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::reason;

    #[test]
    fn each_mark_is_a_reason_that_can_be_turned_off() {
        let (lorem, curly) = ("Here is Lorem Ipsum again.", "if (x) { y }");
        assert_eq!(reason("c4_quality", &[], lorem), "lorem ipsum");
        assert_eq!(reason("c4_quality", &[("lorem_ipsum", "false")], lorem), "");
        assert_eq!(reason("c4_quality", &[], curly), "curly bracket");
        assert_eq!(reason("c4_quality", &[("curly_brackets", "false")], curly), "");
        assert_eq!(reason("c4_quality", &[], "What a Shitty day."), "bad word");
        assert_eq!(reason("c4_quality", &[("bad_words", "false")], "What a shitty day."), "");
        assert_eq!(reason("c4_quality", &[], "An assessment of Scunthorpe in Essex."), "");
    }

    #[test]
    fn the_list_is_that_of_the_documents_language() {
        let judge = |lang: &str, text: &str| {
            let mut doc = Document::new("a", text);
            doc.columns.insert("lang".into(), lang.into());
            crate::steps::testing::map("c4_quality", &[]).apply(&mut doc) == Outcome::Keep
        };
        assert!(
            judge("en", "So eine Scheiße!")
                && !judge("de", "So eine Scheiße!")
                && !judge("de", "SCHEISSE, Scheiße")
        );
        assert!(judge("de", "What a shitty day") && judge("xx", "What a shitty day"));
    }
}
