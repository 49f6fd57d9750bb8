//! Published rules on the look of a text, with their papers' thresholds as defaults.

use llmp_stdlib::Problem;

use super::{above_zero, share};

llmp_stdlib::def! {
    /// Removes markdown markers and keeps their text.
    ///
    /// Headings, emphasis, links, lists and quotes lose their markers, code keeps its lines. Llama 3.1 found that markdown
    /// harms a model that is trained mostly on web data (arXiv:2407.21783, section 3.1.1).
    ///
    /// ```llmp
    /// dataset plain = docs |> strip_markdown()
    /// ```
    @planned StripMarkdown = "strip_markdown", rev 1, rows Docs -> Docs {
        /// Keep the lines of code blocks.
        code: bool = "true",
    }
}

llmp_stdlib::def! {
    /// Removes lines that are no sentences, after C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2).
    ///
    /// A line stays when it ends with a terminal mark and has at least `min_words` words; lines that speak of javascript or
    /// of a cookie policy go. A document with fewer than `min_sentences` sentences left is dropped. Reason: `few sentences`.
    ///
    /// ```llmp
    /// dataset clean = web |> c4_lines()
    /// ```
    @planned C4Lines = "c4_lines", rev 1, rows Docs -> Docs, check c4_sizes {
        /// Fewest words of a line (C4: 3 in its released code, 5 in the paper).
        min_words: u64 = "3",
        /// Fewest sentences of a document (C4: 5).
        min_sentences: u64 = "5",
        /// Lines must end with a terminal mark. FineWeb leaves this rule out: it alone removes 30% of the tokens.
        terminal: bool = "true",
    }
}

fn c4_sizes(it: &C4Lines) -> Vec<Problem> {
    above_zero("min_words", it.min_words).into_iter().collect()
}

llmp_stdlib::def! {
    /// Drops documents with marks of pages that are no prose, after C4 (arXiv:1910.10683, section 2.2).
    ///
    /// Reasons: `lorem ipsum`, `curly bracket`, `bad word`.
    ///
    /// ```llmp
    /// dataset clean = web |> c4_lines() |> c4_quality(curly_brackets = false)
    /// ```
    @planned C4Quality = "c4_quality", rev 1, rows Docs -> Docs {
        /// Drop documents with the placeholder text "lorem ipsum".
        lorem_ipsum: bool = "true",
        /// Drop documents with a curly bracket; wrong for pages on code.
        curly_brackets: bool = "true",
        /// Drop documents with a word of the list of bad words.
        bad_words: bool = "true",
    }
}

llmp_stdlib::def! {
    /// Drops documents by FineWeb's own three rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6).
    ///
    /// They were chosen by comparing distributions of good and bad crawls, and together removed about 22% of the tokens. Reasons:
    /// `line endings`, `short lines`, `duplicated lines`.
    ///
    /// ```llmp
    /// dataset clean = web |> fineweb_quality()
    /// ```
    @planned FinewebQuality = "fineweb_quality", rev 1, rows Docs -> Docs, check fineweb_shares {
        /// Least share of lines that end with a terminal mark.
        min_line_endings: f64 = "12%",
        /// Largest share of characters in duplicated lines.
        max_duplicated_lines: f64 = "10%",
        /// Largest share of lines shorter than `short_line` characters.
        max_short_lines: f64 = "67%",
        /// Length in characters below which a line is short.
        short_line: u64 = "30",
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

llmp_stdlib::def! {
    /// Removes lines of page furniture, after RefinedWeb (arXiv:2306.01116, appendix G.2).
    ///
    /// Removed: lines mostly in capitals or digits, counters ("3 likes"), lines of one word, and short lines of navigation
    /// ("sign-in", "read more…"). A document that loses more than `max_removed` of its words is dropped. Reason: `mostly removed`.
    ///
    /// ```llmp
    /// dataset clean = web |> refinedweb_lines()
    /// ```
    @planned RefinedwebLines = "refinedweb_lines", rev 1, rows Docs -> Docs, check refinedweb_share {
        /// Largest share of words that may go before the document is dropped.
        max_removed: f64 = "5%",
    }
}

fn refinedweb_share(it: &RefinedwebLines) -> Vec<Problem> {
    share("max_removed", it.max_removed).into_iter().collect()
}

llmp_stdlib::def! {
    /// Drops documents by the count of words on a list: pages that no list of sites names.
    ///
    /// Llama 3.1 counts "dirty words" to find adult sites that its lists miss (section 3.1.1). Reason: `bad words`.
    ///
    /// ```llmp
    /// dataset clean = web |> bad_words(more_than = 3)
    /// ```
    @planned BadWords = "bad_words", rev 1, rows Docs -> Docs, check word_share {
        /// The list: `ldnoobw`, or a file with one word a line.
        list: String = "\"ldnoobw\"",
        /// Most words of the list in a document.
        more_than: u64 = "0",
        /// Largest share of the document's words; counts where it is given.
        share: Option<f64> = "none",
    }
}

fn word_share(it: &BadWords) -> Vec<Problem> {
    it.share.and_then(|s| share("share", s)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Drops files of code that are generated, minified or mostly data, after StarCoder (arXiv:2305.06161, section 3.2).
    ///
    /// Reasons: `long line`, `long lines`, `few letters`, `generated`, `xml`.
    ///
    /// ```llmp
    /// dataset code = stack |> code_quality() |> dedup_minhash()
    /// ```
    @planned CodeQuality = "code_quality", rev 1, rows Docs -> Docs, check code_shares {
        /// Longest line, in characters.
        max_line: u64 = "1000",
        /// Largest mean length of a line.
        max_mean_line: u64 = "100",
        /// Least share of characters that are letters or digits.
        min_alphanumeric: f64 = "25%",
        /// Drop files that say near their beginning that they were generated.
        generated: bool = "true",
        /// Drop files that begin as XML (except where the language is XML).
        xml: bool = "true",
    }
}

fn code_shares(it: &CodeQuality) -> Vec<Problem> {
    share("min_alphanumeric", it.min_alphanumeric)
        .into_iter()
        .chain(above_zero("max_line", it.max_line))
        .collect()
}
