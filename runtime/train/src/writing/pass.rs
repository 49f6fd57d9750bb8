//! One pass of a model over the records of a step.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use llmp_data::Document;
use llmp_stdlib::Event;

use super::journal::{Entry, Journal};
use super::{Manner, Passed, Said, Speaker, Writer};
use crate::error::{Result, TrainError};
use crate::generate::Sampling;
use crate::host::Host;
use crate::sample::{self, Answer, How, Question, Stops, TOGETHER, ask};

/// A pass: which one, over what, into what.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// The step.
    pub writer: &'a dyn Writer,
    /// Number of the pass.
    pub number: usize,
    /// Folder of the records.
    pub documents: &'a Path,
    /// The journals of all passes.
    pub journals: &'a [PathBuf],
}

/// Lets a model answer what a step asks about every record, from where an interrupted pass ended. Gives how many
/// tokens were written.
///
/// Errors: records or a journal that cannot be read, the stop flag.
pub fn pass(it: Passing<'_>, speaker: &Speaker, host: &Host<'_>) -> Result<u64> {
    let manner = it.writer.manner();
    let mut stop: Vec<String> = speaker.stop_texts().iter().map(|text| (*text).to_owned()).collect();
    stop.extend(manner.stop.iter().cloned());
    let stops = Stops { ids: speaker.stops(), texts: Some((&speaker.folder.vocabulary, &stop)) };
    let sampling = Sampling { seed: 0, ..manner.sampling };
    let how = How { sampling: &sampling, stops, together: TOGETHER, stop: Some(host.stop) };
    let (before, own) = it.journals.split_at(it.number);
    let journal = Journal::open(&own[0])?;
    let before = before.iter().map(|path| Journal::open(path)).collect::<Result<Vec<_>>>()?;
    let desk = RefCell::new(Desk {
        it,
        speaker,
        manner,
        stops,
        host,
        journal,
        before,
        records: Box::new((0..).zip(llmp_data::engine::documents(it.documents)?)),
        open: BTreeMap::new(),
        asked: VecDeque::new(),
        places: BTreeMap::new(),
        questions: 0,
        tokens: 0,
    });
    ask(&speaker.folder.model, how, &mut || desk.borrow_mut().next(), &mut |number, answers| {
        desk.borrow_mut().heard(number, &answers)
    })?;
    Ok(desk.into_inner().tokens)
}

type Records = Box<dyn Iterator<Item = (u64, llmp_data::Result<Document>)>>;

/// Where records become questions and answers become lines of the journal.
struct Desk<'a> {
    it: Passing<'a>,
    speaker: &'a Speaker,
    manner: Manner,
    stops: Stops<'a>,
    host: &'a Host<'a>,
    journal: Journal,
    before: Vec<Journal>,
    records: Records,
    /// What was said so far about records that are not finished.
    open: BTreeMap<u64, Vec<Option<Vec<Said>>>>,
    /// Questions that were not taken yet.
    asked: VecDeque<Question>,
    /// The record and the place there of each question that is not answered.
    places: BTreeMap<u64, (u64, usize)>,
    questions: u64,
    tokens: u64,
}

impl Desk<'_> {
    /// The next question.
    fn next(&mut self) -> Result<Option<Question>> {
        loop {
            if let Some(question) = self.asked.pop_front() {
                return Ok(Some(question));
            }
            let Some((record, doc)) = self.records.next() else { return Ok(None) };
            if !self.journal.has(record) {
                self.take(record, &doc?)?;
            }
        }
    }

    /// Asks about a record, or notes why it leaves.
    fn take(&mut self, record: u64, doc: &Document) -> Result<()> {
        let mut said: Vec<Passed> = Vec::new();
        for journal in &mut self.before {
            match journal.get(record)? {
                Some(Entry::Said(passed)) => said.push(passed),
                Some(Entry::Lost(reason)) => return self.note(record, Entry::Lost(reason)),
                None => return Err(TrainError::Settings(format!("record {record} lacks an earlier pass"))),
            }
        }
        let asked = match self.it.writer.asks(doc, &said, &self.speaker.folder.vocabulary) {
            Ok(asked) => asked,
            Err(reason) => return self.note(record, Entry::Lost(reason.into_owned())),
        };
        let prompts = asked.iter().map(|turns| self.speaker.prompt(turns)).collect::<Result<Vec<_>>>()?;
        if prompts.iter().any(|prompt| prompt.len() > self.speaker.folder.model.spec().context) {
            return self.note(record, Entry::Lost("prompt too long".to_owned()));
        }
        if prompts.is_empty() {
            return self.note(record, Entry::Said(Vec::new()));
        }
        self.open.insert(record, vec![None; prompts.len()]);
        for (at, prompt) in prompts.into_iter().enumerate() {
            let named = [self.manner.sampling.seed, self.it.number as u64, at as u64];
            let seed = sample::seed(named.into_iter().chain(doc.id.bytes().map(u64::from)));
            self.asked.push_back(Question { prompt, n: self.manner.n, seed });
            self.places.insert(self.questions, (record, at));
            self.questions += 1;
        }
        Ok(())
    }

    /// Takes the answers to a question.
    fn heard(&mut self, number: u64, answers: &[Answer]) -> Result<()> {
        let Some((record, at)) = self.places.remove(&number) else { return Ok(()) };
        let said = answers.iter().map(|answer| {
            let text = self.stops.text(&self.speaker.folder.vocabulary, answer)?;
            let logp = answer.logps.iter().map(|p| f64::from(*p)).sum();
            self.tokens += answer.ids.len() as u64;
            Ok(Said { text, ended: answer.ended, logp })
        });
        let said = said.collect::<Result<Vec<_>>>()?;
        let Some(open) = self.open.get_mut(&record) else { return Ok(()) };
        open[at] = Some(said);
        if open.iter().all(Option::is_some) {
            let passed = self.open.remove(&record).into_iter().flatten().flatten().collect();
            self.note(record, Entry::Said(passed))?;
        }
        Ok(())
    }

    fn note(&mut self, record: u64, entry: Entry) -> Result<()> {
        self.journal.add(record, entry, self.host.failpoint)?;
        let passes: u64 = self.before.iter().map(Journal::len).sum();
        let done = passes + self.journal.len();
        self.host.tell(Event::Progress { step: self.host.step.to_owned(), done });
        Ok(())
    }
}
