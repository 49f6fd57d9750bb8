//! `rephrase`, `translate` and `evolve`: a record says something else in the same place.

use llmp_data::Document;
use llmp_data::row::Message;
use llmp_data::steps::Reason;
use llmp_stdlib::arg::ModelRef;

use super::{Manner, Passed, Said, Writer, only, prompt, question};
use crate::folder::Vocabulary;
use crate::steps::{Direction, Evolve, Rephrase, Translate};

/// Most tokens of a text that is written anew.
const LONGEST: usize = 4096;

/// The texts of a record that are written anew: the text, or every turn that says something.
fn texts(doc: &Document, system: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut copy = doc.clone();
    each(&mut copy, system, |text| all.push(text.clone()));
    all
}

/// Edits the texts of [`texts`], in the same order.
fn each(doc: &mut Document, system: bool, mut edit: impl FnMut(&mut String)) {
    let Some(row) = &mut doc.row else { return edit(&mut doc.text) };
    for turn in row.messages_mut() {
        if let Some(text) = turn.content.as_mut().filter(|text| !text.trim().is_empty())
            && (system || turn.role != "system")
        {
            edit(text);
        }
    }
    doc.text = row.text();
}

/// The record with other texts; a text that is empty or was cut off loses it.
fn written<'a>(
    doc: &Document,
    system: bool,
    said: impl Iterator<Item = &'a Said>,
) -> Result<Document, Reason> {
    let said: Vec<&Said> = said.collect();
    if said.iter().any(|said| said.text.trim().is_empty()) {
        return Err("no text".into());
    }
    if said.iter().any(|said| !said.ended) {
        return Err("cut off".into());
    }
    let (mut doc, mut said) = (doc.clone(), said.into_iter());
    each(&mut doc, system, |text| {
        if let Some(said) = said.next() {
            *text = said.text.trim().to_owned();
        }
    });
    Ok(doc)
}

fn some(asked: Vec<Vec<Message>>) -> Result<Vec<Vec<Message>>, Reason> {
    if asked.is_empty() { Err("no text".into()) } else { Ok(asked) }
}

impl Writer for Rephrase {
    fn name(&self) -> &'static str {
        "rephrase"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model]
    }

    fn manner(&self) -> Manner {
        Manner { n: self.n as usize, ..Manner::one(1.0, LONGEST, self.seed) }
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        let ask = |text: String| {
            question(format!(
                "Say the following in other words, in this style: {}. Keep everything that it says, add nothing, and write \
                 only the new text.\n\n{text}",
                self.style
            ))
        };
        some(texts(doc, false).into_iter().map(ask).collect())
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let version = |number: usize| {
            let made = written(doc, false, said.iter().flatten().filter_map(|said| said.get(number)));
            made.map(|made| Document { id: format!("{}/{number}", doc.id), ..made })
        };
        (0..self.n as usize).map(version).collect()
    }
}

impl Writer for Translate {
    fn name(&self) -> &'static str {
        "translate"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model]
    }

    fn manner(&self) -> Manner {
        Manner::one(0.3, LONGEST, self.seed)
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        let to = language(&self.to);
        let ask = |text: String| {
            question(format!("Translate the following to {to}. Write only the translation.\n\n{text}"))
        };
        some(texts(doc, true).into_iter().map(ask).collect())
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let made = written(doc, true, said.iter().flatten().flatten());
        vec![made.map(|mut made| {
            made.columns.insert("lang".into(), self.to.as_str().into());
            made
        })]
    }
}

/// The English name of a language that is given by its code; anything else is its name.
fn language(code: &str) -> &str {
    const NAMES: &[(&str, &str)] = &[
        ("ar", "Arabic"),
        ("bn", "Bengali"),
        ("de", "German"),
        ("en", "English"),
        ("es", "Spanish"),
        ("fr", "French"),
        ("hi", "Hindi"),
        ("id", "Indonesian"),
        ("it", "Italian"),
        ("ja", "Japanese"),
        ("ko", "Korean"),
        ("nl", "Dutch"),
        ("pl", "Polish"),
        ("pt", "Portuguese"),
        ("ru", "Russian"),
        ("th", "Thai"),
        ("tr", "Turkish"),
        ("uk", "Ukrainian"),
        ("vi", "Vietnamese"),
        ("zh", "Chinese"),
    ];
    NAMES.iter().find(|(own, _)| *own == code).map_or(code, |(_, name)| name)
}

impl Writer for Evolve {
    fn name(&self) -> &'static str {
        "evolve"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model; self.times as usize]
    }

    fn manner(&self) -> Manner {
        Manner::one(1.0, 1024, self.seed)
    }

    fn asks(&self, doc: &Document, before: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        let first = prompt(doc).and_then(|turns| turns.iter().rev().find(|turn| turn.role == "user"));
        let task = match (before.last(), first) {
            (Some(_), _) if only(before).is_empty() => return Err("no text".into()),
            (Some(_), _) => only(before),
            (None, Some(turn)) if !turn.text().trim().is_empty() => turn.text(),
            (None, _) => return Err("no prompt".into()),
        };
        let how = match self.direction {
            Direction::Depth => {
                "Make this task harder: add one constraint or one more step of reasoning, so that a careful person can still solve it."
            }
            Direction::Breadth => "Write another task of the same sort and difficulty, about something else.",
            Direction::Reversion => {
                "Turn this task around: solve it, state its answer as given, and ask for one of the numbers that it gives now."
            }
        };
        Ok(vec![question(format!("{how} Write only the new task.\n\nTask:\n{task}"))])
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let last = said.last().and_then(|passed| passed.first()?.first());
        if only(said).is_empty() {
            return vec![Err("no text".into())];
        }
        if last.is_none_or(|said| !said.ended) {
            return vec![Err("cut off".into())];
        }
        let mut made = doc.clone();
        let turns = made.row.as_mut().map(|row| row.messages_mut()).unwrap_or_default();
        if let Some(turn) = turns.into_iter().rev().find(|turn| turn.role == "user") {
            turn.content = Some(only(said).to_owned());
        }
        made.text = made.row.as_ref().map(|row| row.text()).unwrap_or_default();
        let depth = match doc.columns.get("depth") {
            Some(llmp_data::Cell::Num(depth)) => *depth,
            _ => 0.0,
        };
        made.columns.insert("depth".into(), (depth + self.times as f64).into());
        vec![Ok(made)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_data::Row;

    fn said(text: &str, ended: bool) -> Said {
        Said { text: text.into(), ended, logp: 0.0 }
    }

    #[test]
    fn texts_are_replaced_where_they_stood() {
        let turns = [("system", "Be kind."), ("user", "Why?"), ("assistant", "So.")];
        let doc =
            Document::of_row("a#0", Row::Chat { messages: turns.map(|(r, t)| Message::new(r, t)).into() });
        assert_eq!((texts(&doc, false).len(), texts(&doc, true).len()), (2, 3));
        let new = [said(" How come? ", true), said("Thus.", true)];
        assert_eq!(written(&doc, false, new.iter()).unwrap().text, "Be kind.\n\nHow come?\n\nThus.");
        let cut = [said("How", false), said("Thus.", true)];
        assert_eq!(written(&doc, false, cut.iter()).unwrap_err(), "cut off");
        assert_eq!(written(&doc, false, [said(" ", true)].iter()).unwrap_err(), "no text");
    }
}
