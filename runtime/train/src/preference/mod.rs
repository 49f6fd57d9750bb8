//! The stage `prefer`: its arguments, and preferences as examples.

mod objective;
mod online;
mod reference;

use std::path::Path;

use llmp_data::document::{Cell, Document};
use llmp_data::row::{Message, Row};
use llmp_nn::spec::Order;
use llmp_nn::{Cpu, Model};
use llmp_stdlib::{Record, Value};

use crate::chat::{Chat, Rendered};
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::kinds::decoder::field;
use crate::kinds::prefer::{FormatTokens, Online, PreferLoss};
use crate::records;
use crate::settings::Precision;
use crate::stage::input;
use crate::training::{Example, Layout, Sequence};
use crate::tuning::{DataPart, data_parts};

pub use objective::Prefer;
pub use online::{Asked, Sampling};
pub use reference::{Reference, Said, refer};

/// A frozen model: it reads sequences of so many tokens, where its positions let it.
pub fn frozen(folder: &Path, context: usize, precision: Precision) -> Result<Model> {
    let (mut sizes, flat) = llmp_nn::weights::load(folder)?;
    if matches!(sizes.order, Order::Rotary(_)) {
        sizes.context = sizes.context.max(context);
    }
    Ok(Model::from_flat(Cpu::default(), sizes, &flat)?.with_precision(precision.into()))
}

/// What the policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Nothing.
    Nothing,
    /// The model that the stage starts from.
    From,
    /// The model of an input.
    Model(usize),
    /// What the input holds: log-probabilities that a model gave to the data before.
    Said(usize),
}

/// What a stage `prefer` has besides the arguments of every stage of post-training.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferring {
    /// The data.
    pub data: Vec<DataPart>,
    /// What is learnt.
    pub loss: PreferLoss,
    /// What the policy is compared with.
    pub against: Against,
    /// Format tokens that the loss leaves out.
    pub loss_off: Vec<FormatTokens>,
    /// Pairs of own answers, with the inputs that are the reward model and its tokenizer.
    pub online: Option<(Online, usize, usize)>,
}

impl Preferring {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Preferring, String> {
        let loss: PreferLoss = field(args, "loss")?;
        let against = match (args.get("said"), args.get("reference")) {
            (Some(Value::Input(at)), _) => Against::Said(*at),
            (_, Some(Value::Input(at))) => Against::Model(*at),
            _ if loss.needs_reference() => Against::From,
            _ => Against::Nothing,
        };
        let online = match args.get("online") {
            Some(Value::Call(call)) => {
                let judge = input(&call.args, "by")?;
                // The typed settings hold an item, which is an input here.
                let mut call = call.clone();
                call.args
                    .insert("by".into(), Value::Item(llmp_stdlib::ItemRef { item: "by".into(), part: None }));
                let settings = <Online as llmp_stdlib::Arg>::read(&Value::Call(call))?;
                Some((settings, judge, input(args, "judge_tokenizer")?))
            }
            _ => None,
        };
        Ok(Preferring {
            data: data_parts(args, "data")?,
            against: if loss.needs_reference() { against } else { Against::Nothing },
            loss,
            loss_off: field(args, "loss_off")?,
            online,
        })
    }
}

/// How a stage reads its records.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The tokenizer.
    pub vocabulary: &'a Vocabulary,
    /// The chat template in Jinja; else that beside the tokenizer.
    pub template: Option<&'a str>,
    /// Format tokens that the loss leaves out.
    pub loss_off: &'a [FormatTokens],
    /// Most positions of a sequence.
    pub context: usize,
    /// What an example is.
    pub form: Form,
}

/// What an example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Both answers of a pair.
    Pairs,
    /// One answer that is wanted or not.
    Labelled,
    /// A prompt, which the policy answers.
    Prompts,
}

impl Form {
    /// What a loss learns from.
    pub fn of(settings: &Preferring) -> Form {
        match (&settings.online, settings.loss.needs_pairs()) {
            (Some(_), _) => Form::Prompts,
            (None, true) => Form::Pairs,
            (None, false) => Form::Labelled,
        }
    }

    /// How examples become rows.
    pub fn layout(self) -> Layout {
        if self == Form::Prompts { Layout::Prompts } else { Layout::Rows }
    }
}

/// The records of one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// Examples in the order of the records.
    pub examples: Vec<Example>,
    /// Of labelled answers, whether each is wanted.
    pub wanted: Vec<bool>,
    /// Of prompts, their turns.
    pub prompts: Vec<Vec<Message>>,
    /// Records that are left out: an answer does not fit into a sequence.
    pub too_long: u64,
}

/// Columns that say whether a labelled answer is wanted, and words for yes.
const YES: &[&str] = &["1", "true", "yes", "good", "wanted", "desirable", "chosen"];

impl Reader<'_> {
    /// The examples of a folder of documents, in their order. Errors: a record that has no answers or no label, one that the
    /// template cannot write; the stop flag.
    pub fn read(&self, folder: &Path, host: &Host<'_>) -> Result<Read> {
        let chat = Chat::of(self.template, self.vocabulary, None)?;
        let mut read = Read::default();
        let take = |one| match one {
            One::Pair(example) => read.examples.push(example),
            One::Labelled(all) => {
                for (sequence, wanted) in all {
                    read.examples.push(vec![sequence]);
                    read.wanted.push(wanted);
                }
            }
            One::Prompt(sequence, prompt) => {
                read.examples.push(vec![sequence]);
                read.prompts.push(prompt);
            }
            One::TooLong => read.too_long += 1,
        };
        records::each(llmp_data::engine::documents(folder)?, host, |doc| self.one(doc, &chat), take)?;
        Ok(read)
    }

    fn one(&self, doc: &Document, chat: &Chat) -> Result<One> {
        let answer = |prompt: &[Message], answer: &[Message]| self.answer(chat, prompt, answer);
        let fits = |sequence: &Sequence| sequence.positions() <= self.context;
        Ok(match (self.form, doc.row.as_deref()) {
            (Form::Pairs, Some(Row::Preference { prompt, chosen, rejected, .. })) => {
                let pair = vec![answer(prompt, chosen)?, answer(prompt, rejected)?];
                if pair.iter().all(fits) { One::Pair(pair) } else { One::TooLong }
            }
            (Form::Labelled, Some(Row::Preference { prompt, chosen, rejected, .. })) => {
                let both = [(answer(prompt, chosen)?, true), (answer(prompt, rejected)?, false)];
                One::labelled(both.into_iter().filter(|(s, _)| fits(s)).collect())
            }
            (Form::Labelled, row) => {
                let wanted = wanted(doc)
                    .ok_or_else(|| lacks(doc, "`label` that says whether its answer is wanted"))?;
                let sequence = match row {
                    Some(Row::Answer { prompt, answer: said }) => answer(prompt, said)?,
                    _ => {
                        let asked = doc.columns.get("prompt").and_then(text);
                        let prompt: Vec<_> =
                            asked.map(|text| Message::new("user", text)).into_iter().collect();
                        answer(&prompt, &[Message::new("assistant", doc.text.as_str())])?
                    }
                };
                One::labelled(Some((sequence, wanted)).into_iter().filter(|(s, _)| fits(s)).collect())
            }
            (
                Form::Prompts,
                Some(Row::Prompt { prompt } | Row::Answer { prompt, .. } | Row::Preference { prompt, .. }),
            ) => {
                let ids = chat.prompt(prompt)?;
                let sequence = Sequence { ids, counted: Vec::new() };
                if fits(&sequence) { One::Prompt(sequence, prompt.clone()) } else { One::TooLong }
            }
            (Form::Pairs, _) => return Err(lacks(doc, "chosen and rejected answer")),
            (Form::Prompts, _) => return Err(lacks(doc, "prompt")),
        })
    }

    /// A prompt with an answer, of which the loss counts what the assistant says.
    fn answer(&self, chat: &Chat, prompt: &[Message], answer: &[Message]) -> Result<Sequence> {
        let rendered = chat.render(&[prompt, answer].concat())?;
        Ok(counted(rendered, prompt.len(), self.loss_off))
    }
}

/// A conversation whose turns from `answer` on the loss counts, where the assistant says them: with the headers of later turns of
/// the assistant and the token that ends each, unless they are left out. The first header belongs to the prompt.
fn counted(rendered: Rendered, answer: usize, loss_off: &[FormatTokens]) -> Sequence {
    let Rendered { ids, turns } = rendered;
    let (headers, ends) = (!loss_off.contains(&FormatTokens::Header), !loss_off.contains(&FormatTokens::End));
    let mut counted = Vec::new();
    for (number, turn) in turns.iter().skip(answer).filter(|turn| turn.role == "assistant").enumerate() {
        let from = if headers && number > 0 { turn.header.start } else { turn.content.start };
        let to = if ends { turn.end.end } else { turn.content.end };
        counted.push(from..to);
    }
    Sequence { ids, counted }
}

enum One {
    Pair(Example),
    Labelled(Vec<(Sequence, bool)>),
    Prompt(Sequence, Vec<Message>),
    TooLong,
}

impl One {
    fn labelled(all: Vec<(Sequence, bool)>) -> One {
        if all.is_empty() { One::TooLong } else { One::Labelled(all) }
    }
}

fn text(cell: &Cell) -> Option<String> {
    if let Cell::Text(text) = cell { Some(text.to_string()) } else { None }
}

fn wanted(doc: &Document) -> Option<bool> {
    match doc.columns.get("label")? {
        Cell::Bool(yes) => Some(*yes),
        Cell::Num(number) => Some(*number > 0.0),
        Cell::Text(text) => Some(YES.contains(&text.to_lowercase().as_str())),
    }
}

fn lacks(doc: &Document, what: &str) -> TrainError {
    TrainError::Settings(format!("{}: the record has no {what}", doc.id))
}
