//! `synthesize` and `synthesize_qa`: new texts, and questions about a text, out of documents.

use llmp_data::Document;
use llmp_data::row::Message;
use llmp_data::steps::Reason;
use llmp_stdlib::arg::ModelRef;

use super::{Manner, Passed, Writer, question};
use crate::folder::Vocabulary;
use crate::generate::Sampling;
use crate::sample;
use crate::steps::{Synthesize, SynthesizeQa};

impl Writer for Synthesize {
    fn name(&self) -> &'static str {
        "synthesize"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model]
    }

    fn manner(&self) -> Manner {
        let sampling = Sampling {
            max_tokens: self.max_tokens as usize,
            temperature: self.temperature,
            top_k: None,
            top_p: None,
            seed: self.seed,
        };
        Manner { n: self.per_doc as usize, sampling, stop: Vec::new() }
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        Ok(vec![question(self.prompt.replace("{text}", &doc.text))])
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let one = |(number, said): (usize, &super::Said)| match said.text.trim() {
            "" => Err("no text".into()),
            text => {
                let id = format!("{}/{number}", doc.id);
                Ok(Document { id, text: text.to_owned(), columns: doc.columns.clone(), raw: None, row: None })
            }
        };
        said.iter().flatten().flatten().enumerate().map(one).collect()
    }
}

/// What stands before a question and before its answer.
const MARKS: [&str; 2] = ["Question:", "Answer:"];

impl Writer for SynthesizeQa {
    fn name(&self) -> &'static str {
        "synthesize_qa"
    }

    fn models(&self) -> Vec<&ModelRef> {
        self.model.iter().collect()
    }

    fn manner(&self) -> Manner {
        Manner::one(1.0, 512, self.seed)
    }

    fn asks(&self, doc: &Document, _: &[Passed], words: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        let whole = || doc.text.clone();
        let ids = words.encode_plain(&doc.text).unwrap_or_default();
        let length = self.passage as usize;
        let passage = |number: u64| {
            if ids.len() <= length {
                return whole();
            }
            let named = [self.seed, number].into_iter().chain(doc.id.bytes().map(u64::from));
            let from = (sample::seed(named) % (ids.len() - length + 1) as u64) as usize;
            words.decode(&ids[from..from + length]).unwrap_or_else(|_| whole())
        };
        let ask = |number| {
            let passage = passage(number);
            question(format!(
                "Read this passage. Write one question that it answers, then the answer in one or two sentences. Use exactly this form:\n\
                 {} …\n{} …\n\nPassage:\n{passage}",
                MARKS[0], MARKS[1]
            ))
        };
        Ok((0..self.per_doc).map(ask).collect())
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let pairs: Vec<_> = said.iter().flatten().flatten().filter_map(|said| pair(&said.text)).collect();
        if pairs.is_empty() {
            return vec![Err("no question".into())];
        }
        let mut made = doc.clone();
        for (asked, answered) in pairs {
            made.text.push_str(&format!("\n\n{} {asked}\n{} {answered}", MARKS[0], MARKS[1]));
        }
        vec![Ok(made)]
    }
}

/// The question and the answer in what a model wrote.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once(MARKS[0])?;
    let (asked, answered) = rest.split_once(MARKS[1])?;
    let answered = answered.split(MARKS[0]).next().unwrap_or(answered);
    let (asked, answered) = (asked.trim(), answered.trim());
    (!asked.is_empty() && !answered.is_empty()).then_some((asked, answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_with_its_answer_is_found_in_what_a_model_wrote() {
        let text = "Sure!\nQuestion: Who fell?\nAnswer: Alice.\n\nQuestion: Where?\nAnswer: Down.";
        assert_eq!(pair(text), Some(("Who fell?", "Alice.")));
        assert_eq!(pair("Question: Who?"), None);
        assert_eq!(pair("Question:\nAnswer: x"), None);
    }
}
