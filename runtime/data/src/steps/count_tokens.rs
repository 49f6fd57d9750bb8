//! `count_tokens`: the length of a record in tokens.

use std::sync::Arc;

use llmp_stdlib::arg::TokenizerRef;
use llmp_stdlib::{Column, Problem};

use super::arguments::above_zero;
use super::{Built, Map, Outcome, Step, located};
use crate::{document::Document, error::Result, readers::Roots, tokens::Tokenizer};

llmp_stdlib::def! {
    /// Adds the length of a record in tokens, `.tokens`, without tokens for its beginning and end.
    ///
    /// Of a conversation all that is said in it counts, without the marks that a template adds. With `at_most` a long text is
    /// encoded piece by piece until there are enough, so that long books cost little.
    ///
    /// ```llmp
    /// tokenizer tok = tokenizer_file("tokenizer.json")
    /// dataset long = books |> count_tokens(tok) |> keep_if(.tokens > 16Ki)
    /// ```
    CountTokens = "count_tokens", rev 1, rows_of [Docs, Chat, Prompt, Answers, Preference, Labelled], adds [tokens: Num], check cut {
        /// The tokenizer.
        tokenizer: TokenizerRef,
        /// Counting ends here; `none` counts all.
        at_most: Option<u64> = "none",
    }
}

fn cut(it: &CountTokens) -> Vec<Problem> {
    it.at_most.and_then(|most| above_zero("at_most", most)).into_iter().collect()
}

impl Step for CountTokens {
    fn build(self, roots: &Roots) -> Result<Built> {
        let tokenizer = Tokenizer::open(located("count_tokens", &self.tokenizer.0, roots)?)?;
        Ok(Built::Map(Arc::new(Counter { tokenizer, at_most: self.at_most })))
    }
}

#[derive(Debug)]
struct Counter {
    tokenizer: Tokenizer,
    at_most: Option<u64>,
}

impl Counter {
    /// Tokens of a text; 0 where it cannot be encoded.
    fn count(&self, text: &str) -> u64 {
        // A piece of this many bytes for each token that still counts: most tokens are shorter.
        let Some(most) = self.at_most else { return self.whole(text) };
        let (mut counted, mut rest) = (0, text);
        while !rest.is_empty() && counted < most {
            let wanted = ((most - counted).saturating_mul(16).max(1 << 16)).min(rest.len() as u64) as usize;
            let end = (wanted..=rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
            // A piece ends where a word begins, or a token would be cut.
            let end = rest[..end].rfind(' ').filter(|&at| at > 0 && end < rest.len()).unwrap_or(end);
            counted += self.whole(&rest[..end]);
            rest = &rest[end..];
        }
        counted.min(most)
    }

    fn whole(&self, text: &str) -> u64 {
        self.tokenizer.encode(text).map_or(0, |ids| ids.len() as u64)
    }
}

impl Map for Counter {
    fn name(&self) -> &'static str {
        "count_tokens"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("tokens", Column::Num)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let counted = self.count(&doc.text);
        doc.columns.insert("tokens".into(), (counted as f64).into());
        Outcome::Keep
    }
}
