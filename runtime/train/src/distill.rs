//! The objective of a distillation stage: a living teacher, or several, beside the true tokens.

use std::path::{Path, PathBuf};

use llmp_nn::{Grads, Model, Pick, Teaching, teach};
use llmp_stdlib::{Record, Value};

use crate::error::{Result, TrainError};
use crate::kinds::decoder::field;
use crate::kinds::distill::DistillLoss;
use crate::stage::Stage;
use crate::training::{Micro, Objective, Sums};

/// What a distillation stage has besides the arguments of every stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Distilling {
    /// What is minimised.
    pub loss: DistillLoss,
    /// Indices of the inputs that teach.
    pub teachers: Vec<usize>,
    /// Indices of the teachers' tokenizers, where the plan does not know that they are the student's.
    pub tokenizers: Vec<usize>,
}

impl Distilling {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Distilling, String> {
        let inputs = |name: &str| match args.get(name) {
            None | Some(Value::None) => Ok(Vec::new()),
            Some(Value::List(all)) => all.iter().map(|v| input(name, v)).collect(),
            Some(one) => Ok(vec![input(name, one)?]),
        };
        Ok(Distilling {
            loss: field(args, "loss")?,
            teachers: inputs("teacher")?,
            tokenizers: inputs("teacher_tokenizers")?,
        })
    }
}

fn input(name: &str, value: &Value) -> Result<usize, String> {
    match value {
        Value::Input(index) => Ok(*index),
        other => Err(format!("`{name}` is not a trained model: {other}")),
    }
}

/// Sums of the two parts of the loss since they were last asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    teacher: f64,
    truth: f64,
    targets: u64,
}

/// Learning from teachers that run beside the student.
#[derive(Debug)]
pub struct Distil {
    loss: DistillLoss,
    teachers: Vec<Model>,
    stream: u64,
    parts: Parts,
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
        let open = |path: &PathBuf| Ok(Model::load(path)?);
        let teachers = teachers.iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(Distil { loss, teachers, stream: stage.stream("teacher"), parts: Parts::default() })
    }

    /// Tokens of the teachers for a micro-batch.
    fn tokens(&self, micro: &Micro<'_>, choice: Pick) -> Result<llmp_nn::Targets> {
        let noise = micro.extras.noise;
        let (step, row) = noise.map_or((0, 0), |noise| (noise.step, noise.row));
        let first = row * micro.batch.length as u64;
        // A stream of its own for every position of every step.
        let stream = |at: usize| {
            let place = (step << 32).wrapping_add(first + at as u64);
            self.stream ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let teachers: Vec<&Model> = self.teachers.iter().collect();
        Ok(teach(&teachers, micro.batch, choice, &stream)?)
    }
}

impl Objective for Distil {
    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        if micro.gpu.is_some() {
            return Err(TrainError::Settings("this version distils on the processor only".to_owned()));
        }
        let (batch, counted, extras) = (micro.batch, micro.counted, micro.extras);
        let teachers: Vec<&Model> = self.teachers.iter().collect();
        let mut step =
            |teaching: &Teaching<'_>| model.distill_and_grads(batch, counted, teaching, extras, grads);
        let sums = match &self.loss {
            DistillLoss::Full(full) => {
                step(&Teaching::Whole { teachers: &teachers, temperature: full.temperature as f32 })?
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
            DistillLoss::OnPolicy(_) => {
                return Err(TrainError::Settings(
                    "this version cannot distil on what the student writes".into(),
                ));
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
