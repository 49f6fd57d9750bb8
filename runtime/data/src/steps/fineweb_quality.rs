//! `fineweb_quality`: line ends, short lines, duplicated lines, lists.

use std::sync::Arc;

use llmp_stdlib::Problem;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Built, Map, Outcome, Reason, Step,
    arguments::share,
    table::Table,
    tokens::Splitter,
    words::{chars, ends_sentence},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops documents by FineWeb's own rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6).
    ///
    /// They were chosen by comparing distributions of good and bad crawls, and together removed about 22% of the tokens. The
    /// first rule that a document breaks is the reason of its drop; lines of whitespace do not count.
    ///
    /// | Reason | Drops when |
    /// |---|---|
    /// | `empty` | there is no line |
    /// | `line endings` | less than `min_line_endings` of the lines end with a mark that ends sentences in some script |
    /// | `short lines` | more than `max_short_lines` of the lines have at most `short_line` characters |
    /// | `duplicated lines` | more than `max_duplicated_lines` of the characters lie in lines that occurred before |
    /// | `list` | there are more than `max_newlines` line feeds for each word |
    ///
    /// The rules and their order are those of datatrove's `FineWebQualityFilter`. Its code differs from the paper in two
    /// values: `max_duplicated_lines = 1%` and `max_newlines = 0.3`; write them to have what the released dataset was made
    /// with. Words lie between whitespace; datatrove asks a tokenizer for the language (`words = tokens`).
    ///
    /// ```llmp
    /// dataset clean = web |> fineweb_quality()
    /// ```
    FinewebQuality = "fineweb_quality", rev 1, rows Docs -> Docs, check fineweb_shares {
        /// Least share of lines that end with a terminal mark.
        min_line_endings: f64 = "12%",
        /// Largest share of characters in duplicated lines.
        max_duplicated_lines: f64 = "10%",
        /// Largest share of lines with at most `short_line` characters.
        max_short_lines: f64 = "67%",
        /// Length in characters up to which a line is short.
        short_line: u64 = "30",
        /// Most line feeds for each word; `none`: any number.
        max_newlines: Option<f64> = "none",
        /// What counts as a word for `max_newlines`.
        words: Splitter = "whitespace",
    }
}

fn fineweb_shares(it: &FinewebQuality) -> Vec<Problem> {
    let shares = [
        ("min_line_endings", it.min_line_endings),
        ("max_duplicated_lines", it.max_duplicated_lines),
        ("max_short_lines", it.max_short_lines),
    ];
    shares.into_iter().filter_map(|(name, value)| share(name, value)).collect()
}

impl Step for FinewebQuality {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for FinewebQuality {
    fn name(&self) -> &'static str {
        "fineweb_quality"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.fault(&doc.text) {
            Some(reason) => Outcome::Drop(reason),
            None => Outcome::Keep,
        }
    }
}

impl FinewebQuality {
    /// The first rule that a text breaks, with the share that broke it.
    pub fn fault(&self, text: &str) -> Option<Reason> {
        let lines: Vec<&str> = text.split('\n').filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return Some("empty".into());
        }
        let of_lines = |is: &dyn Fn(&str) -> bool| {
            lines.iter().filter(|line| is(line)).count() as f64 / lines.len() as f64
        };
        let ended = of_lines(&|line| line.chars().next_back().is_some_and(ends_sentence));
        if ended < self.min_line_endings {
            let of = "share of lines that end a sentence";
            return Some(Reason::below("line endings", of, ended, self.min_line_endings));
        }
        let short = |line: &str| {
            // Bytes decide for most lines: a character has one to four.
            let bytes = line.len() as u64;
            bytes <= self.short_line
                || bytes <= self.short_line.saturating_mul(4) && chars(line) as u64 <= self.short_line
        };
        let short = of_lines(&short);
        if short > self.max_short_lines {
            return Some(Reason::above("short lines", "share of short lines", short, self.max_short_lines));
        }
        let feeds = text.bytes().filter(|&b| b == b'\n').count();
        let mut table = Table::default();
        table.clear(lines.len());
        let again = lines.iter().filter(|line| table.count(xxh3_64(line.as_bytes())) > 1);
        let again: usize = again.map(|line| chars(line)).sum();
        let again = again as f64 / (chars(text) - feeds) as f64;
        if again > self.max_duplicated_lines {
            let of = "share of characters in repeated lines";
            return Some(Reason::above("duplicated lines", of, again, self.max_duplicated_lines));
        }
        let most = self.max_newlines?;
        let mut words = 0usize;
        self.words.each(text, |_| words += 1);
        let feeds = feeds as f64 / words as f64;
        (feeds > most).then(|| Reason::above("list", "line feeds for each word", feeds, most))
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::testing::reason;

    #[test]
    fn each_rule_has_its_reason() {
        let long = "This is a line that is longer than thirty characters";
        let check = |text: &str, args: &[(&str, &str)]| reason("fineweb_quality", args, text);
        assert_eq!(check(" \n\t\n", &[]), "empty");
        assert_eq!(check(long, &[]), "line endings");
        assert_eq!(check(&format!("{long}。\nyes\nno"), &[]), "");
        assert_eq!(check(&format!("{long}।\nyes\nno\nso"), &[]), "short lines");
        assert_eq!(check(&format!("{long}.\n\n{long}."), &[]), "duplicated lines");
        assert_eq!(check(&format!("{long}.\n\n{long}."), &[("max_duplicated_lines", "50%")]), "");
        let list = format!("{long}.\n\n\n\n\n\nEnd of it all.");
        assert_eq!(check(&list, &[("max_newlines", "0.3")]), "list");
        assert_eq!(check(&list, &[("max_newlines", "0.45")]), "");
    }
}
