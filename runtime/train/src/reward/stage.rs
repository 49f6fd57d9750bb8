//! The stage `reward_model`: pairs as examples, its objective, and its heads as numbers beside the weights.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use llmp_data::document::{Cell, Document};
use llmp_data::row::{Message, Row};
use llmp_nn::reward::{CLASSES, RewardHead};
use llmp_nn::weights::save_reward;
use llmp_nn::{Architecture, Extras, Grads, Model, NnError, ParamInfo, SaveOptions};
use llmp_stdlib::Record;

use crate::adapter::Adapter;
use crate::chat::Chat;
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::kinds::decoder::field;
use crate::kinds::reward_model::{Margin, MarginRule, RewardLoss};
use crate::losses::{Graded, bradley_terry, ranked, soft_labels};
use crate::records;
use crate::training::{self, Batch, Micro, Objective, Overlay, Sequence, Sums};
use crate::tuning::{DataPart, data_parts, held_out};

/// What a stage `reward_model` has besides the arguments of every stage of post-training.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewarding {
    /// The data.
    pub data: Vec<DataPart>,
    /// Pairs that are held out, by the name of their data.
    pub held_out: Vec<(String, usize)>,
    /// What it learns.
    pub loss: RewardLoss,
}

impl Rewarding {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> std::result::Result<Rewarding, String> {
        Ok(Rewarding {
            data: data_parts(args, "data")?,
            held_out: held_out(args)?,
            loss: field(args, "loss")?,
        })
    }
}

/// What is known of a pair besides its answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    /// What the chosen answer must be ahead.
    pub margin: f64,
    /// Probability that it is better.
    pub better: f64,
    /// The classes of the grades of the chosen and of the rejected answer, where the data have them.
    pub grades: [Vec<Option<usize>>; 2],
    /// There is an edited answer, the third sequence.
    pub edited: bool,
}

/// How a stage reads its records.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The tokenizer.
    pub vocabulary: &'a Vocabulary,
    /// The chat template in Jinja; else that beside the tokenizer.
    pub template: Option<&'a str>,
    /// What is learnt.
    pub loss: &'a RewardLoss,
    /// Most positions of a sequence.
    pub context: usize,
}

/// The records of one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// Both answers, with the edited one where there is one. The last token of each is one that is not read.
    pub examples: Vec<training::Example>,
    /// What is known of every pair.
    pub pairs: Vec<Example>,
    /// Records that are left out: an answer does not fit into a sequence.
    pub too_long: u64,
}

/// Strengths of a preference, the strongest first.
const STRENGTHS: &[&str] = &["significantly", "better", "slightly", "negligibly"];

/// Llama 2's small margin for them.
const MARGINS: [f64; 4] = [1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0];

/// Names of the grades: `chosen_truthfulness` and `rejected_truthfulness` are columns with a class from 0 to 2.
const GRADES: &[&str] = &["following", "concision", "truthfulness", "harmlessness"];

impl Reader<'_> {
    /// The pairs of a folder of documents, in their order. Errors: a record that is no pair, one without the strength that the loss
    /// asks for, one that the template cannot write; the stop flag.
    pub fn read(&self, folder: &Path, host: &Host<'_>) -> Result<Read> {
        let chat = Chat::of(self.template, self.vocabulary, None)?;
        let mut read = Read::default();
        let take = |one| match one {
            Some((sequences, pair)) => {
                read.examples.push(sequences);
                read.pairs.push(pair);
            }
            None => read.too_long += 1,
        };
        records::each(llmp_data::engine::documents(folder)?, host, |doc| self.one(doc, &chat), take)?;
        Ok(read)
    }

    fn one(&self, doc: &Document, chat: &Chat) -> Result<Option<(training::Example, Example)>> {
        let lacks = |what: &str| TrainError::Settings(format!("{}: the record has no {what}", doc.id));
        let Some(Row::Preference { prompt, chosen, rejected, edited }) = doc.row.as_deref() else {
            return Err(lacks("chosen and rejected answer"));
        };
        let render =
            |answer: &[Message]| Ok::<_, TrainError>(closed(chat.render(&[prompt, answer].concat())?.ids));
        let (mut strength, mut pair) = (None, Example { better: 1.0, ..Example::default() });
        if let Some(Cell::Text(word)) = doc.columns.get("strength") {
            strength = STRENGTHS.iter().position(|known| *known == &**word);
        }
        let of_strength =
            || strength.ok_or_else(|| lacks("`strength`: significantly, better, slightly or negligibly"));
        let mut sequences = vec![render(chosen)?, render(rejected)?];
        match self.loss {
            RewardLoss::BradleyTerry(settings) => {
                pair.margin = match settings.margin {
                    Margin::Rule(MarginRule::Off) => 0.0,
                    Margin::Rule(MarginRule::Strength) => MARGINS[of_strength()?],
                    Margin::Fixed(margin) => margin,
                };
                if let Some(edited) = edited.as_ref().filter(|_| settings.edited) {
                    sequences.push(render(edited)?);
                    pair.edited = true;
                }
            }
            RewardLoss::SoftLabels(settings) => {
                let level = of_strength()?;
                let last = settings.levels.len() - 1;
                pair.better = settings.levels[level.min(last)];
                let names = &GRADES[..GRADES.len().min(settings.grades as usize)];
                let grade = |side: &str| {
                    let one = |name: &&str| match doc.columns.get(format!("{side}_{name}").as_str()) {
                        Some(Cell::Num(class)) => Some((class.max(0.0) as usize).min(CLASSES - 1)),
                        _ => None,
                    };
                    names.iter().map(one).collect()
                };
                pair.grades = [grade("chosen"), grade("rejected")];
            }
        }
        let fits = sequences.iter().all(|sequence| sequence.positions() <= self.context);
        Ok(fits.then_some((sequences, pair)))
    }
}

/// A text whose last token is read: behind it stands one that is not, at whose place the reward is.
fn closed(mut ids: Vec<u32>) -> Sequence {
    ids.push(0);
    let last = ids.len() - 1..ids.len();
    Sequence { ids, counted: vec![last] }
}

/// The numbers of the heads in a step, and their slopes.
#[derive(Debug, Default)]
struct Shared {
    numbers: Vec<f32>,
    slopes: Vec<f32>,
}

/// The heads as numbers beside the weights, with an adapter where there is one.
#[derive(Debug)]
pub struct Heads {
    head: RewardHead,
    adapter: Option<Adapter>,
    /// Numbers of the adapter; they stand before those of the heads.
    before: usize,
    init: (u64, f64),
    shared: Rc<RefCell<Shared>>,
}

/// The objective of a stage `reward_model`.
#[derive(Debug)]
pub struct Judging {
    loss: RewardLoss,
    pairs: Vec<Example>,
    head: RewardHead,
    shared: Rc<RefCell<Shared>>,
    told: BTreeMap<&'static str, f64>,
    seen: f64,
}

impl Judging {
    /// The objective over pairs in the order of their examples, and the heads that it trains. The deviation of their first numbers is
    /// that of the model's.
    pub fn new(
        loss: &RewardLoss,
        pairs: Vec<Example>,
        sizes: &Architecture,
        adapter: Option<Adapter>,
        seed: u64,
    ) -> (Judging, Heads) {
        let grades = match loss {
            RewardLoss::SoftLabels(settings) => GRADES.len().min(settings.grades as usize),
            RewardLoss::BradleyTerry(_) => 0,
        };
        let head = RewardHead { width: sizes.width, grades };
        let shared = Rc::new(RefCell::new(Shared::default()));
        let before = adapter.as_ref().map_or(0, |a| a.params().iter().map(ParamInfo::count).sum());
        let heads = Heads { head, adapter, before, init: (seed, sizes.init_std), shared: Rc::clone(&shared) };
        let (told, seen) = (BTreeMap::new(), 0.0);
        (Judging { loss: loss.clone(), pairs, head, shared, told, seen }, heads)
    }

    /// The loss of one pair and the slopes by all that the heads said of its sequences.
    fn of_pair(&mut self, example: usize, said: &[&[f32]]) -> (f64, Vec<Vec<f64>>) {
        let pair = &self.pairs[example];
        let reward = |at: usize| f64::from(said[at][0]);
        let mut slopes: Vec<Vec<f64>> = said.iter().map(|one| vec![0.0; one.len()]).collect();
        let mut loss;
        match &self.loss {
            RewardLoss::BradleyTerry(_) if pair.edited => {
                let (value, [edited, chosen, rejected]) =
                    ranked(reward(2), reward(0), reward(1), pair.margin);
                loss = value;
                (slopes[0][0], slopes[1][0], slopes[2][0]) = (chosen, rejected, edited);
            }
            RewardLoss::BradleyTerry(_) => {
                let (value, [chosen, rejected]) = bradley_terry(reward(0), reward(1), pair.margin);
                loss = value;
                (slopes[0][0], slopes[1][0]) = (chosen, rejected);
            }
            RewardLoss::SoftLabels(settings) => {
                let (value, [chosen, rejected]) = soft_labels(reward(0), reward(1), pair.better);
                loss = value;
                (slopes[0][0], slopes[1][0]) = (chosen, rejected);
                for (side, classes) in pair.grades.iter().enumerate() {
                    for (grade, class) in classes.iter().enumerate() {
                        let Some(class) = *class else { continue };
                        let from = 1 + grade * CLASSES;
                        let graded = Graded { logits: &said[side][from..from + CLASSES], class };
                        let (value, own) = graded.cross_entropy();
                        loss += settings.weight * value;
                        let into = &mut slopes[side][from..from + CLASSES];
                        into.iter_mut().zip(own).for_each(|(all, own)| *all += settings.weight * own);
                    }
                }
            }
        }
        let ahead = reward(0) - reward(1);
        let mut tell = |name, value: f64| *self.told.entry(name).or_default() += value;
        tell("accuracy", f64::from(u8::from(ahead > 0.0)));
        tell("margin", ahead);
        tell("chosen", reward(0));
        tell("rejected", reward(1));
        self.seen += 1.0;
        (loss, slopes)
    }
}

impl Objective for Judging {
    fn prepare(&mut self, _model: &Model, batch: Batch, _step: u64) -> Result<Batch> {
        (self.told, self.seen) = (BTreeMap::new(), 0.0);
        Ok(batch)
    }

    fn counted(&self, batch: &Batch) -> f64 {
        batch.placed.iter().flatten().filter(|one| one.part == 0).count() as f64
    }

    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        if micro.gpu.is_some() {
            let words = "this version trains reward models on the processor only";
            return Err(TrainError::Settings(words.to_owned()));
        }
        let (batch, placed, says) = (micro.batch, micro.placed, self.head.says());
        let at: Vec<usize> = placed.iter().map(|one| one.row * batch.length + one.at.end - 1).collect();
        let mut sum = 0.0;
        let mut back = |states: &[f32]| -> std::result::Result<Vec<f32>, NnError> {
            let numbers = self.shared.borrow().numbers.clone();
            let said = self.head.forward(&numbers, states)?;
            let rows: Vec<&[f32]> = said.chunks_exact(says).collect();
            let mut slopes = Vec::with_capacity(said.len());
            let mut from = 0;
            // The sequences of an example stand side by side.
            for example in placed.chunk_by(|a, b| a.example == b.example) {
                let (loss, own) = self.of_pair(example[0].example, &rows[from..from + example.len()]);
                from += example.len();
                sum += loss;
                slopes.extend(own.into_iter().flatten().map(|slope| (slope / micro.counted) as f32));
            }
            let (by_states, own) = self.head.backward(&numbers, states, &slopes)?;
            let shared = &mut self.shared.borrow_mut().slopes;
            shared.iter_mut().zip(own).for_each(|(all, own)| *all += own);
            Ok(by_states)
        };
        let extras = Extras { z_loss: 0.0, ..micro.extras };
        model.states_and_grads(batch, extras, &at, &mut back, grads)?;
        Ok(Sums { loss: sum, z: 0.0 })
    }

    fn told(&mut self) -> BTreeMap<&'static str, f64> {
        let n = self.seen.max(1.0);
        std::mem::take(&mut self.told).into_iter().map(|(name, sum)| (name, sum / n)).collect()
    }
}

impl Overlay for Heads {
    fn params(&self) -> Vec<ParamInfo> {
        let own = self.head.params();
        self.adapter.as_ref().map(Overlay::params).into_iter().flatten().chain(own).collect()
    }

    fn begin(&self, weights: &[&[f32]]) -> Vec<f32> {
        let mut numbers = self.adapter.as_ref().map_or_else(Vec::new, |adapter| adapter.begin(weights));
        numbers.extend(self.head.init(self.init.0, self.init.1));
        numbers
    }

    fn trains_weights(&self) -> bool {
        self.adapter.is_none()
    }

    fn covers(&self) -> Vec<usize> {
        self.adapter.as_ref().map_or_else(Vec::new, Overlay::covers)
    }

    fn lay(&self, numbers: &[f32], done: f64, weights: &mut [&mut [f32]]) -> Result<()> {
        let (adapter, own) = numbers.split_at(self.before);
        *self.shared.borrow_mut() = Shared { numbers: own.to_vec(), slopes: vec![0.0; own.len()] };
        self.adapter.as_ref().map_or(Ok(()), |it| it.lay(adapter, done, weights))
    }

    fn pull(&self, numbers: &[f32], done: f64, weights: &[&[f32]], grads: &mut Grads) -> Result<Vec<f32>> {
        let mut all = match &self.adapter {
            Some(it) => it.pull(&numbers[..self.before], done, weights, grads)?,
            None => Vec::new(),
        };
        all.extend_from_slice(&self.shared.borrow().slopes);
        Ok(all)
    }

    fn finish(&self, numbers: &[f32], model: &Model) -> Result<(Architecture, Vec<f32>)> {
        match &self.adapter {
            Some(it) => it.finish(&numbers[..self.before], model),
            None => Ok((model.spec().clone(), model.to_flat())),
        }
    }

    fn save(&self, numbers: &[f32], model: &Model, folder: &Path, options: &SaveOptions) -> Result<()> {
        let (sizes, flat) = self.finish(numbers, model)?;
        Ok(save_reward(folder, (&sizes, &flat), (&self.head, &numbers[self.before..]), options)?)
    }

    fn leave(&self, numbers: &[f32], folder: &Path) -> Result<()> {
        self.adapter.as_ref().map_or(Ok(()), |it| it.leave(&numbers[..self.before], folder))
    }
}
