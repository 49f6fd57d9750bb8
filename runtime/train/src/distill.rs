//! The objective of a distillation stage: what teachers say, now or before, beside the true tokens.

use std::path::{Path, PathBuf};

use llmp_nn::{Divergence, Grads, MicroBatch, Model, Pick, Targets, Teaching, teach};
use llmp_stdlib::{Record, Value};

use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::kinds::decoder::field;
use crate::kinds::distill::DistillLoss;
use crate::kinds::distill::{self as settings};
use crate::on_policy::Writing;
use crate::stage::Stage;
use crate::stored::Stored;
use crate::training::{Batch, Micro, Objective, Sums};

/// What a distillation stage has besides the arguments of every stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Distilling {
    /// What is minimised.
    pub loss: DistillLoss,
    /// Indices of the inputs that teach; where what they say is stored, only those whose heads are needed.
    pub teachers: Vec<usize>,
    /// Index of the input that holds what they say.
    pub stored: Option<usize>,
    /// Indices of the teachers' tokenizers, where the plan does not know that they are the student's.
    pub tokenizers: Vec<usize>,
}

impl Distilling {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Distilling, String> {
        Ok(Distilling {
            loss: field(args, "loss")?,
            teachers: inputs(args, "teacher")?,
            stored: inputs(args, "stored")?.first().copied(),
            tokenizers: inputs(args, "teacher_tokenizers")?,
        })
    }
}

/// Indices of the inputs that an argument names, one or several or none.
pub(crate) fn inputs(args: &Record, name: &str) -> Result<Vec<usize>, String> {
    let one = |value: &Value| match value {
        Value::Input(index) => Ok(*index),
        other => Err(format!("`{name}` is not a trained model: {other}")),
    };
    match args.get(name) {
        None | Some(Value::None) => Ok(Vec::new()),
        Some(Value::List(all)) => all.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}

/// Sums of the two parts of the loss since they were last asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    teacher: f64,
    truth: f64,
    targets: u64,
}

/// Learning from teachers that run beside the student, or from what they said before.
#[derive(Debug)]
pub struct Distil {
    loss: DistillLoss,
    teachers: Vec<Model>,
    stored: Option<Stored>,
    /// How the student writes, where it learns from that.
    writing: Option<Writing>,
    stream: u64,
    parts: Parts,
}

/// A place in the rows of a stage, and the seed of what is drawn there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) stream: u64,
    pub(crate) step: u64,
    /// First row of the micro-batch in its batch.
    pub(crate) row: u64,
}

/// Tokens of the teachers for a micro-batch.
pub(crate) fn ask(teachers: &[&Model], batch: &MicroBatch, choice: Pick, place: Place) -> Result<Targets> {
    let first = place.row * batch.length as u64;
    // A stream of its own for every position of every step.
    let stream = |at: usize| {
        let at = (place.step << 32).wrapping_add(first + at as u64);
        place.stream ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    Ok(teach(teachers, batch, choice, &stream)?)
}

/// Opens teachers.
pub(crate) fn open(folders: &[PathBuf]) -> Result<Vec<Model>> {
    folders.iter().map(|path| Ok(Model::load(path)?)).collect()
}

/// Refuses tokenizers that are not the student's.
pub fn check_tokenizers(own: &Path, theirs: &[PathBuf]) -> Result<()> {
    let read = |path: &Path| std::fs::read(path).map_err(TrainError::io("read", path));
    let own = read(own)?;
    for path in theirs {
        if read(path)? != own {
            let message = format!(
                "the teacher's tokenizer {} is not the student's: their predictions cannot be compared",
                path.display()
            );
            return Err(TrainError::Settings(message));
        }
    }
    Ok(())
}

impl Distil {
    /// Opens the teachers. Errors: a tokenizer that is not the student's.
    pub fn new(
        stage: &Stage,
        loss: DistillLoss,
        teachers: &[PathBuf],
        tokenizers: (&Path, &[PathBuf]),
    ) -> Result<Distil> {
        let (own, theirs) = tokenizers;
        check_tokenizers(own, theirs)?;
        let writing = match &loss {
            DistillLoss::OnPolicy(settings) => Some(Writing {
                settings: settings.clone(),
                stream: stage.stream("student"),
                end: Vocabulary::load(own)?.end().map(|(_, id)| id),
                attention: stage.attention,
            }),
            DistillLoss::Full(_) | DistillLoss::Sampled(_) | DistillLoss::Top1(_) => None,
        };
        let (teachers, stream) = (open(teachers)?, stage.stream("teacher"));
        Ok(Distil { loss, teachers, stored: None, writing, stream, parts: Parts::default() })
    }

    /// The same with what the teachers said before, in a folder that [`crate::stored::write`] wrote for a stage that draws
    /// the same rows.
    pub fn stored(self, folder: &Path) -> Distil {
        Distil { stored: Some(Stored::new(folder)), ..self }
    }

    fn place(&self, micro: &Micro<'_>) -> Place {
        let noise = micro.extras.noise;
        let (step, row) = noise.map_or((0, 0), |noise| (noise.step, noise.row));
        Place { stream: self.stream, step, row }
    }

    /// Tokens of the teachers for a micro-batch.
    fn tokens(&mut self, micro: &Micro<'_>, choice: Pick) -> Result<Targets> {
        let place = self.place(micro);
        match &mut self.stored {
            Some(stored) => stored.tokens(place, micro.batch),
            None => ask(&self.teachers.iter().collect::<Vec<_>>(), micro.batch, choice, place),
        }
    }
}

impl Objective for Distil {
    fn prepare(&mut self, model: &Model, batch: Batch, step: u64) -> Result<Batch> {
        match &self.writing {
            Some(writing) => Ok(Batch { micros: writing.write(model, &batch.micros, step)?, ..batch }),
            None => Ok(batch),
        }
    }

    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        if micro.gpu.is_some() {
            return Err(TrainError::Settings("this version distils on the processor only".to_owned()));
        }
        let (batch, counted, extras) = (micro.batch, micro.counted, micro.extras);
        let mut step =
            |teaching: &Teaching<'_>| model.distill_and_grads(batch, counted, teaching, extras, grads);
        let sums = match self.loss.clone() {
            DistillLoss::Full(full) => {
                let temperature = full.temperature as f32;
                let place = self.place(micro);
                match &mut self.stored {
                    Some(stored) => {
                        let widths: Vec<usize> = self.teachers.iter().map(|t| t.spec().width).collect();
                        let states = stored.states(place, batch, &widths)?;
                        let teachers: Vec<_> = self.teachers.iter().zip(states).collect();
                        step(&Teaching::States { teachers: &teachers, temperature })?
                    }
                    None => {
                        let teachers: Vec<&Model> = self.teachers.iter().collect();
                        let divergence = Divergence::Forward;
                        step(&Teaching::Whole { teachers: &teachers, temperature, divergence })?
                    }
                }
            }
            DistillLoss::Sampled(sampled) => {
                let targets = self.tokens(micro, Pick::Drawn(sampled.n as usize))?;
                step(&Teaching::Tokens { targets: &targets, teacher: 1.0, truth: 0.0 })?
            }
            DistillLoss::Top1(top) => {
                let targets = self.tokens(micro, Pick::Likeliest(1))?;
                let (teacher, truth) = (top.teacher as f32, top.truth as f32);
                step(&Teaching::Tokens { targets: &targets, teacher, truth })?
            }
            DistillLoss::OnPolicy(how) => {
                let teachers: Vec<&Model> = self.teachers.iter().collect();
                let divergence = match how.divergence {
                    settings::Divergence::Forward => Divergence::Forward,
                    settings::Divergence::Reverse => Divergence::Reverse,
                    settings::Divergence::Jsd => Divergence::Middle,
                };
                step(&Teaching::Whole { teachers: &teachers, temperature: 1.0, divergence })?
            }
        };
        self.parts.teacher += sums.teacher_sum;
        self.parts.truth += sums.truth.nll_sum;
        self.parts.targets += sums.truth.targets;
        Ok(Sums { loss: sums.loss_sum, z: sums.truth.z_sum })
    }

    fn parts(&mut self) -> Option<(f64, f64)> {
        let parts = std::mem::take(&mut self.parts);
        let n = parts.targets.max(1) as f64;
        Some((parts.teacher / n, parts.truth / n))
    }
}
