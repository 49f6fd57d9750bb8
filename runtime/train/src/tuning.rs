//! Tuning on conversations: the arguments of the step `sft`, and conversations as examples.

use std::path::Path;

use llmp_data::document::Document;
use llmp_data::row::{Message, Row};
use llmp_nn::Architecture;
use llmp_nn::spec::Order;
use llmp_stdlib::arg::BatchSize;
use llmp_stdlib::{Record, Value};

use crate::budget::Goal;
use crate::chat::{Chat, Rendered};
use crate::course::{Batch, Context};
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::kinds::decoder::{Decoder, field};
use crate::kinds::post::SEQUENCES;
use crate::kinds::sft::LossOn;
use crate::records;
use crate::schedules::Schedule;
use crate::settings::{Accumulate, Attention, Clip, Epochs, Every, Interval, Steps, Times};
use crate::stage::{Stage, input};
use crate::training::{Example, Layout, Sequence};

/// Sequences of a batch, or examples where each has rows of its own.
pub fn rows(batch: Option<&Batch>, context: u64) -> u64 {
    match batch {
        Some(Batch::Fixed(BatchSize::Sequences(rows))) => (*rows).max(1),
        Some(Batch::Fixed(BatchSize::Tokens(tokens))) => ((tokens + context / 2) / context.max(1)).max(1),
        Some(Batch::Ramp(_)) | None => SEQUENCES,
    }
}

/// One part of the data of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPart {
    /// Index of the input that holds its documents.
    pub input: usize,
    /// Its share of the tokens.
    pub share: f64,
    /// Most passes over it.
    pub max_epochs: Option<u64>,
}

/// The data of a stage of post-training, as its step names them under `name`. Errors: words that name the argument.
pub fn data_parts(args: &Record, name: &str) -> Result<Vec<DataPart>, String> {
    let Some(Value::List(parts)) = args.get(name) else { return Err(format!("`{name}` is missing")) };
    let part = |value: &Value| {
        let Value::Record(record) = value else { return Err("a part is not a record".to_owned()) };
        let max_epochs = field::<Option<f64>>(record, "max_epochs")?.map(|most| most.ceil() as u64);
        Ok(DataPart { input: input(record, "data")?, share: field(record, "share")?, max_epochs })
    };
    parts.iter().map(part).collect()
}

/// What a stage holds out: inputs by the name of their data. Errors: words that name the argument.
pub(crate) fn held_out(args: &Record) -> Result<Vec<(String, usize)>, String> {
    match args.get("held_out") {
        Some(Value::Record(all)) => all.keys().map(|name| Ok((name.clone(), input(all, name)?))).collect(),
        _ => Ok(Vec::new()),
    }
}

impl Stage {
    /// Tokens of a sequence in the last part of the stage.
    pub fn course_context(&self) -> u64 {
        match &self.context {
            Context::Fixed(context) => *context,
            Context::Grow(grow) => grow.to,
        }
    }

    /// The same where every example is a pair, which counts as two sequences of a batch.
    pub fn of_pairs(self) -> Stage {
        let rows = rows(self.batch.as_ref(), self.course_context()).div_ceil(2);
        Stage { batch: Some(Batch::Fixed(BatchSize::Sequences(rows))), ..self }
    }

    /// The stage of a step of post-training, whose model has these sizes. Errors: words that name the argument.
    pub fn of_tuning(args: &Record, sizes: &Architecture) -> Result<Stage, String> {
        let read = |name: &str| args.contains_key(name) && args.get(name) != Some(&Value::None);
        let goal = match (field::<Option<Steps>>(args, "steps")?, read("epochs")) {
            (Some(steps), _) => Goal::Steps(steps.0),
            (None, true) => Goal::Epochs(field::<Epochs>(args, "epochs")?.0),
            (None, false) => return Err("`epochs` or `steps` is missing".to_owned()),
        };
        let own: Option<u64> = if read("context") { field(args, "context")? } else { None };
        let dropout: f64 = if read("dropout") { field(args, "dropout")? } else { 0.0 };
        let batch: Option<BatchSize> = if read("batch") { field(args, "batch")? } else { None };
        let spec = Architecture { dropout, ..sizes.clone() };
        Ok(Stage {
            model: Decoder { spec },
            from: Some(input(args, "from")?),
            tokenizer: input(args, "tokenizer")?,
            sources: Vec::new(),
            goal,
            context: Context::Fixed(own.unwrap_or(sizes.context as u64).max(1)),
            batch: batch.map(Batch::Fixed),
            optimizer: field(args, "optimizer")?,
            schedule: field::<Schedule>(args, "schedule")?,
            schedule_done: 0,
            clip: field::<Option<f64>>(args, "clip")?.map(Clip::Norm),
            z_loss: 0.0,
            attention: Attention::PerDocument,
            packing: llmp_data::pack::Packing::Concat,
            precision: field(args, "precision")?,
            recompute: None,
            accumulate: Accumulate::Auto,
            publish: field(args, "publish")?,
            checkpoints: Times::Every(Every { distance: Interval::Seconds(300.0) }),
            keep: 2,
            seed: field(args, "seed")?,
            evaluate: if read("evaluate") { field(args, "evaluate")? } else { None },
            measure: Vec::new(),
            sample: None,
            on_spike: None,
            replicate: field(args, "replicate")?,
        })
    }
}

/// What a stage `sft` has besides the arguments of every stage of post-training.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// The data.
    pub data: Vec<DataPart>,
    /// Documents that are held out, by name.
    pub held_out: Vec<(String, usize)>,
    /// Which tokens the loss counts.
    pub loss_on: LossOn,
    /// Whether conversations share rows.
    pub packing: bool,
}

impl Tuning {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Tuning, String> {
        Ok(Tuning {
            data: data_parts(args, "data")?,
            held_out: held_out(args)?,
            loss_on: field(args, "loss_on")?,
            packing: field(args, "packing")?,
        })
    }

    /// How conversations become rows: a table of positions is learned for places in a row, so there each has its own.
    pub fn layout(&self, sizes: &Architecture) -> Layout {
        if self.packing && sizes.order != Order::Table { Layout::Packed } else { Layout::Rows }
    }
}

/// How a stage reads its records.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The tokenizer.
    pub vocabulary: &'a Vocabulary,
    /// How turns are written: a template in Jinja; else as the tokenizer has it.
    pub template: Option<&'a str>,
    /// Which tokens the loss counts.
    pub loss_on: LossOn,
    /// Most positions of an example.
    pub context: usize,
}

/// What became of the records of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Conversations that were cut behind a turn, because they are longer than a sequence.
    pub cut: u64,
    /// Records that are left out: no answer fits into a sequence.
    pub too_long: u64,
    /// Records that are left out: nothing in them counts.
    pub silent: u64,
}

impl std::ops::AddAssign for Told {
    fn add_assign(&mut self, other: Told) {
        self.cut += other.cut;
        self.too_long += other.too_long;
        self.silent += other.silent;
    }
}

impl Told {
    /// What is worth telling, by the name of a metric.
    pub fn metrics(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let all = [
            ("conversations_cut", self.cut),
            ("conversations_too_long", self.too_long),
            ("conversations_without_answer", self.silent),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name, count as f64))
    }
}

impl Reader<'_> {
    /// The examples of a folder of documents, in their order. Errors: a record that the template cannot write, the stop flag.
    pub fn read(&self, folder: &Path, host: &Host<'_>) -> Result<(Vec<Example>, Told)> {
        let mut documents = llmp_data::engine::documents(folder)?.peekable();
        let chats = matches!(documents.peek(), Some(Ok(first)) if first.row.is_some());
        let chat = chats.then(|| Chat::of(self.template, self.vocabulary, None)).transpose()?;
        let (mut examples, mut told) = (Vec::new(), Told::default());
        let take = |one| match one {
            One::Examples(found, cut) => {
                told.cut += u64::from(cut);
                examples.extend(found.into_iter().map(|sequence| vec![sequence]));
            }
            One::TooLong => told.too_long += 1,
            One::Silent => told.silent += 1,
        };
        records::each(documents, host, |doc| self.one(doc, chat.as_ref()), take)?;
        Ok((examples, told))
    }

    fn one(&self, doc: &Document, chat: Option<&Chat>) -> Result<One> {
        let (messages, answers): (Vec<Message>, Option<usize>) = match doc.row.as_deref() {
            None => return self.document(doc),
            Some(Row::Chat { messages }) => (messages.clone(), None),
            Some(Row::Answer { prompt, answer }) => {
                (prompt.iter().chain(answer).cloned().collect(), Some(prompt.len()))
            }
            Some(Row::Prompt { .. } | Row::Preference { .. }) => {
                let words = format!("{}: this is no conversation with an answer", doc.id);
                return Err(TrainError::Settings(words));
            }
        };
        let none =
            || TrainError::Settings(format!("{}: conversations and documents in one data set", doc.id));
        let rendered = chat.ok_or_else(none)?.render(&messages)?;
        Ok(self.conversation(rendered, answers))
    }

    /// A conversation whose answers begin with turn `answers`, where that is known.
    fn conversation(&self, rendered: Rendered, answers: Option<usize>) -> One {
        let Rendered { mut ids, turns } = rendered;
        let said = |turn: &usize| turns[*turn].role == "assistant";
        let last = answers.or_else(|| (0..turns.len()).rev().find(said)).unwrap_or(turns.len());
        let counts = |turn: &usize| match self.loss_on {
            LossOn::Assistant => said(turn),
            LossOn::Completions => *turn >= last,
            LossOn::All => true,
        };
        let targets = |kept: usize, ids: usize| {
            let spans = (0..kept).filter(|turn| counts(turn)).map(|turn| turns[turn].said());
            let all = std::iter::once(0..ids).filter(|_| self.loss_on == LossOn::All);
            let spans = spans.filter(|_| self.loss_on != LossOn::All).chain(all);
            spans.filter(|span| !span.is_empty()).collect::<Vec<_>>()
        };
        let whole = targets(turns.len(), ids.len());
        if whole.is_empty() {
            return One::Silent;
        }
        if ids.len() <= self.context + 1 {
            return One::Examples(vec![Sequence { ids, counted: whole }], false);
        }
        // Behind the last turn that fits whole, and that leaves something to learn.
        let fits = |kept: &usize| turns[*kept - 1].end.end <= self.context + 1;
        let Some(kept) = (1..turns.len()).rev().find(fits) else { return One::TooLong };
        ids.truncate(turns[kept - 1].end.end);
        let counted = targets(kept, ids.len());
        if counted.is_empty() { One::TooLong } else { One::Examples(vec![Sequence { ids, counted }], true) }
    }

    /// A document, led by the token that starts a text, with the end of text behind it; a long one in several parts.
    fn document(&self, doc: &Document) -> Result<One> {
        let id = |token: Option<(&str, u32)>| token.map(|(_, id)| id);
        let mut ids: Vec<u32> = id(self.vocabulary.start()).into_iter().collect();
        ids.extend(self.vocabulary.encode_plain(&doc.text)?);
        ids.extend(id(self.vocabulary.end()));
        let part = |from: usize| {
            let ids = ids[from..ids.len().min(from + self.context + 1)].to_vec();
            let counted = std::iter::once(0..ids.len()).collect();
            Sequence { ids, counted }
        };
        let parts = (0..ids.len().saturating_sub(1)).step_by(self.context.max(1)).map(part).collect();
        Ok(One::Examples(parts, false))
    }
}

/// What one record becomes.
enum One {
    Examples(Vec<Sequence>, bool),
    TooLong,
    Silent,
}
