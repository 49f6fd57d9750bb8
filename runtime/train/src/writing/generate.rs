//! `generate`: one record for each answer to a prompt.

use llmp_data::row::Message;
use llmp_data::steps::Reason;
use llmp_data::{Document, Row};
use llmp_stdlib::arg::ModelRef;

use super::{Manner, Passed, Writer, prompt};
use crate::folder::Vocabulary;
use crate::generate::Sampling;
use crate::steps::{Committee, Generate, Models};

impl Writer for Generate {
    fn name(&self) -> &'static str {
        "generate"
    }

    fn models(&self) -> Vec<&ModelRef> {
        match &self.model {
            Models::Committee(Committee::Members(members)) => members.models.iter().collect(),
            Models::One(model) => vec![model],
        }
    }

    fn manner(&self) -> Manner {
        let sampling = Sampling {
            max_tokens: self.max_tokens as usize,
            temperature: self.temperature,
            top_k: None,
            top_p: Some(self.top_p),
            seed: self.seed,
        };
        Manner { n: self.n as usize, sampling, stop: self.stop.clone() }
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        let mut turns = prompt(doc).cloned().unwrap_or_default();
        if let Some(system) = &self.system {
            turns.retain(|turn| turn.role != "system");
            turns.insert(0, Message::new("system", system.clone()));
        }
        if turns.is_empty() { Err("no prompt".into()) } else { Ok(vec![turns]) }
    }

    fn made(&self, doc: &Document, said: &[Passed], by: &[String]) -> Vec<Result<Document, Reason>> {
        let answers =
            said.iter().zip(by).flat_map(|(passed, by)| passed.iter().flatten().map(move |said| (said, by)));
        let one = |(number, (said, by)): (usize, (&super::Said, &String))| {
            let mut answer = doc.clone();
            answer.id = format!("{}/{number}", doc.id);
            answer.columns.insert("by".into(), by.as_str().into());
            answer.columns.insert("ended".into(), said.ended.into());
            answer.columns.insert("logp".into(), said.logp.into());
            let prompt = prompt(doc).cloned().unwrap_or_default();
            let text = said.text.trim();
            answer.set_row(Row::Answer { prompt, answer: vec![Message::new("assistant", text)] });
            Ok(answer)
        };
        answers.enumerate().map(one).collect()
    }
}
