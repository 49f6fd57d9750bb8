//! `refinedweb_lines`: removes lines of page furniture.

use std::sync::Arc;

use llmp_stdlib::Problem;
use regex::Regex;

use super::{Built, Map, Outcome, Reason, Step, arguments::share, text::pattern, words::words};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Removes lines of page furniture, after RefinedWeb (Penedo et al. 2023, arXiv:2306.01116, appendix G.2).
    ///
    /// | A line goes when |
    /// |---|
    /// | more than half of its letters are capitals |
    /// | it holds digits, and besides them no letter |
    /// | it is a counter: a number and `likes`, `shares`, `comments`, `views`, `followers` or the like |
    /// | it has one word |
    ///
    /// A line of at most 10 words loses a piece of navigation and the rest stays: `sign-in` at its beginning, `read more…` at
    /// its end, `items in cart` anywhere. A document whose lines that go or are cut hold more than `max_removed` of its words is
    /// dropped. Reason: `mostly removed`. Blank lines stay. The paper gives the rules with one example each; the names of
    /// counters are those of DataComp-LM (arXiv:2406.11794), which rebuilt them, and capitals need not be of one script.
    ///
    /// ```llmp
    /// dataset clean = web |> refinedweb_lines()
    /// ```
    RefinedwebLines = "refinedweb_lines", rev 1, rows Docs -> Docs, check refinedweb_share {
        /// Largest share of words in flagged lines before the document is dropped.
        max_removed: f64 = "5%",
    }
}

fn refinedweb_share(it: &RefinedwebLines) -> Vec<Problem> {
    share("max_removed", it.max_removed).into_iter().collect()
}

/// A number and what it counts.
const COUNTER: &str = r"(?i)^\W*\d[\d.,]*[kmb]?\s+(likes?|shares?|comments?|retweets?|reposts?|quotes?|bookmarks?|upvotes?|downvotes?|downloads?|views?|followers?)\W*$";
/// Pieces of navigation.
const NAVIGATION: &str = r"(?i)^\W*sign[- ]?in(?-u:\b)\W*|\s*(?-u:\b)read more\s*(\.\.\.|…)\s*$|([0-9]+\s+)?(?-u:\b)items? in (your )?(shopping )?cart(?-u:\b)";
/// Longest line, in words, that navigation is looked for in.
const SHORT: usize = 10;

impl Step for RefinedwebLines {
    fn build(self, _roots: &Roots) -> Result<Built> {
        let counter = pattern("refinedweb_lines", COUNTER)?;
        let navigation = pattern("refinedweb_lines", NAVIGATION)?;
        Ok(Built::Map(Arc::new(Lines { max_removed: self.max_removed, counter, navigation })))
    }
}

/// The step with its patterns.
#[derive(Debug)]
struct Lines {
    max_removed: f64,
    counter: Regex,
    navigation: Regex,
}

impl Map for Lines {
    fn name(&self) -> &'static str {
        "refinedweb_lines"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let (mut all, mut flagged) = (0, 0);
        let mut text = String::with_capacity(doc.text.len());
        for line in doc.text.split_inclusive('\n') {
            let number = words(line).count();
            all += number;
            if number > 0 && self.is_furniture(line, number) {
                flagged += number;
            } else if number <= SHORT && self.navigation.is_match(line.trim_end()) {
                flagged += number;
                let rest = self.navigation.replace_all(line.trim_end(), "");
                if !rest.trim().is_empty() {
                    text.push_str(&rest);
                    text.push_str(&line[line.trim_end().len()..]);
                }
            } else {
                text.push_str(line);
            }
        }
        if flagged as f64 > self.max_removed * all as f64 {
            let share = flagged as f64 / all as f64;
            let of = "share of words in removed lines";
            return Outcome::Drop(Reason::above("mostly removed", of, share, self.max_removed));
        }
        if flagged > 0 {
            doc.text = text;
        }
        Outcome::Keep
    }
}

impl Lines {
    /// Whether a line of `number` words goes.
    fn is_furniture(&self, line: &str, number: usize) -> bool {
        if number == 1 {
            return true;
        }
        let (mut letters, mut capitals, mut digits) = (0, 0, 0);
        for c in line.chars() {
            letters += usize::from(c.is_alphabetic());
            capitals += usize::from(c.is_uppercase());
            digits += usize::from(c.is_numeric());
        }
        2 * capitals > letters
            || letters == 0 && digits > 0
            || digits > 0 && self.counter.is_match(line.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::{map, reason};

    #[test]
    fn furniture_goes_and_the_rest_stays() {
        let text = "Sign-in or register here\nWHAT WE DO\n12 / 2024\n3,120 likes\nHome\n\nA sentence of the page itself, \
            3 likes or not.\nThe story begins. Read more...\nYou have 2 items in cart now\nThe END is near\n";
        let mut doc = Document::new("a", text);
        assert_eq!(map("refinedweb_lines", &[("max_removed", "100%")]).apply(&mut doc), Outcome::Keep);
        let kept = "or register here\n\nA sentence of the page itself, 3 likes or not.\nThe story begins.\n\
            You have  now\nThe END is near\n";
        assert_eq!(doc.text, kept);
        assert_eq!(reason("refinedweb_lines", &[], text), "mostly removed");
        assert_eq!(reason("refinedweb_lines", &[], "One plain line of text.\n"), "");
    }

    #[test]
    fn the_share_counts_words_of_flagged_lines() {
        let text = format!("{}\nHome\n", "word ".repeat(19).trim());
        assert_eq!(reason("refinedweb_lines", &[], &text), "");
        assert_eq!(reason("refinedweb_lines", &[("max_removed", "4.9%")], &text), "mostly removed");
    }
}
