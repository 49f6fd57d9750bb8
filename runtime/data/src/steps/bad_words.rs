//! `bad_words`: drops documents by the words of a list.

use std::sync::Arc;

use llmp_stdlib::Problem;

use super::{
    Built, Map, Outcome, Reason, Step, arguments,
    word_list::{WordList, Wordlists},
    words::words,
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops documents by the count of words on a list: pages that no list of sites names.
    ///
    /// Llama 3.1 counts "dirty words" to find adult sites that its lists miss (arXiv:2407.21783, section 3.1.1; neither list nor
    /// threshold is published). A word of the list counts where no letter, digit or `_` touches it, capitals like small letters;
    /// of words inside one another one counts. A document of a language without a list stays. Reason: `bad words`.
    ///
    /// ```llmp
    /// dataset clean = web |> bad_words(more_than = 3)
    /// ```
    BadWords = "bad_words", rev 1, rows Docs -> Docs, check word_share {
        /// The list: `ldnoobw`, or a file with one word or phrase a line.
        list: WordList = "ldnoobw",
        /// Most words of the list in a document.
        more_than: u64 = "0",
        /// Where it is given, more words than `more_than` may stay up to this share of all words.
        share: Option<f64> = "none",
    }
}

fn word_share(it: &BadWords) -> Vec<Problem> {
    let share = it.share.and_then(|share| arguments::share("share", share));
    share.into_iter().chain(it.list.quoted("list")).collect()
}

impl Step for BadWords {
    fn build(self, roots: &Roots) -> Result<Built> {
        let lists = Wordlists::build("bad_words", &self.list, roots)?;
        Ok(Built::Map(Arc::new(Counter { more_than: self.more_than, share: self.share, lists })))
    }
}

/// The step with its lists.
#[derive(Debug)]
struct Counter {
    more_than: u64,
    share: Option<f64>,
    lists: Wordlists,
}

impl Map for Counter {
    fn name(&self) -> &'static str {
        "bad_words"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let found = self.lists.of(doc).map_or(0, |list| list.count(&doc.text));
        let above = |most: f64| found as f64 > most * words(&doc.text).count() as f64;
        if found > self.more_than && self.share.is_none_or(above) {
            let (found, most) = (found as f64, self.more_than as f64);
            return Outcome::Drop(Reason::above("bad words", "words on the list", found, most));
        }
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::testing::{map_in, reason};
    use crate::{document::Document, steps::Outcome};

    #[test]
    fn words_are_counted_against_both_limits() {
        let text = "ass and ass again, in a class of its own and so on";
        assert_eq!(reason("bad_words", &[], text), "bad words");
        assert_eq!(reason("bad_words", &[("more_than", "2")], text), "");
        assert_eq!(reason("bad_words", &[("more_than", "1"), ("share", "20%")], text), "");
        assert_eq!(reason("bad_words", &[("more_than", "1"), ("share", "10%")], text), "bad words");
    }

    #[test]
    fn a_file_is_a_list_for_every_language() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list.txt"), "# mine\nfoo bar\n\nbaz # so\n").unwrap();
        let judge = |text: &str| {
            let mut doc = Document::new("a", text);
            doc.columns.insert("lang".into(), "de".into());
            map_in(folder.path(), "bad_words", &[("list", "\"list.txt\"")]).apply(&mut doc) == Outcome::Keep
        };
        assert!(!judge("a Foo Bar") && !judge("(baz)") && judge("foo-bar mine"));
    }
}
