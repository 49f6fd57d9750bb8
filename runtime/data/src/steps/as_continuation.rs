//! `as_continuation`: a task out of any text, to go on from its beginning.

use std::sync::Arc;

use llmp_stdlib::{Column, Problem};

use super::{Built, Map, Outcome, Step, words::words};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
    row::{Message, Row},
};

llmp_stdlib::def! {
    /// Makes prompts of the first words of texts; what follows them becomes the column `.rest`.
    ///
    /// Tasks with a known answer out of text without labels. Words are counted between whitespace. Reason: `too short`, where nothing
    /// follows.
    ///
    /// ```llmp
    /// dataset openings = books |> as_continuation(words = 6)
    /// ```
    AsContinuation = "as_continuation", rev 1, rows Docs -> Prompt, adds [rest: Text], check some {
        /// Words of the prompt.
        words: u64 = "6",
        /// A system prompt before it.
        system: Option<String> = "none",
    }
}

fn some(it: &AsContinuation) -> Vec<Problem> {
    let message = "as_continuation: a prompt has at least one word";
    (it.words == 0).then(|| Problem::error("LLMP0209", "words", message)).into_iter().collect()
}

impl Step for AsContinuation {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for AsContinuation {
    fn name(&self) -> &'static str {
        "as_continuation"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("rest", Column::Text)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let text = doc.text.trim_start();
        let Some(next) = words(text).nth(self.words as usize) else {
            return Outcome::Drop("too short".into());
        };
        let at = next.as_ptr() as usize - text.as_ptr() as usize;
        let (opening, rest) = text.split_at(at);
        let mut prompt = vec![Message::new("user", opening.trim_end())];
        super::turns::with_system(&mut prompt, self.system.as_ref());
        doc.columns.insert("rest".to_owned(), Cell::from(rest));
        doc.set_row(Row::Prompt { prompt });
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{map, reason};
    use super::*;

    #[test]
    fn the_beginning_is_the_prompt_and_the_rest_a_column() {
        let step = map("as_continuation", &[("words", "2"), ("system", "\"Go on.\"")]);
        let mut doc = Document::new("a", " Call me  Ishmael.\nSome years ago");
        assert!(matches!(step.apply(&mut doc), Outcome::Keep));
        let Some(Row::Prompt { prompt }) = doc.row.as_deref() else { panic!("a prompt") };
        assert_eq!(prompt.iter().map(|turn| turn.text()).collect::<Vec<_>>(), ["Go on.", "Call me"]);
        assert_eq!(doc.columns.get("rest"), Some(&Cell::from("Ishmael.\nSome years ago")));
        assert_eq!(reason("as_continuation", &[("words", "3")], "one two three"), "too short");
    }
}
