//! One model out of several, without training: every method says how one tensor is made of those of the models (F34).
//!
//! Tensors are read, merged and written one after the other. A tensor is what the written folder names, so `q`, `k` and `v`
//! count each for itself, as in mergekit.

mod arc;
mod dare;
mod linear;
mod slerp;
mod task_arithmetic;
mod ties;
mod warp;

use std::path::{Path, PathBuf};

use llmp_nn::{SaveOptions, weights};
use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{Arg, Event, Record, Value};

use crate::chat::FILE;
use crate::distill::inputs;
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::kinds::merge::MergeMethod;
use crate::stage::input_of;

/// One tensor of every model.
struct Tensor<'a> {
    /// Its name in the written folder.
    name: &'a str,
    /// Its numbers in the models that are merged.
    models: &'a [Vec<f32>],
    /// Its numbers in the model that they were trained from; empty where the method has none.
    base: &'a [f32],
}

/// How a method makes one tensor.
trait Blend {
    /// The models that are merged; the result has the sizes of the first.
    fn models(&self) -> Vec<&ModelRef>;

    /// The model that they were trained from.
    fn base(&self) -> Option<&ModelRef>;

    /// The merged tensor.
    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32>;
}

fn rule(method: &MergeMethod) -> &dyn Blend {
    match method {
        MergeMethod::Dare(it) => it,
        MergeMethod::Mean(it) => it,
        MergeMethod::Slerp(it) => it,
        MergeMethod::TaskArithmetic(it) => it,
        MergeMethod::Ties(it) => it,
        MergeMethod::Warp(it) => it,
    }
}

/// Arguments of the step `merge`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Merging {
    /// The method, whose models are inputs of the step.
    pub method: MergeMethod,
    /// Indices of the inputs that are the models' tokenizers, each once.
    pub tokenizers: Vec<usize>,
}

impl Merging {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Merging, String> {
        let method = MergeMethod::read(args.get("method").unwrap_or(&Value::None))?;
        Ok(Merging { method, tokenizers: inputs(args, "tokenizers")? })
    }

    /// Indices of the inputs that are models: those that are merged, then the base.
    pub fn models(&self) -> Result<Vec<usize>, String> {
        let rule = rule(&self.method);
        rule.models().into_iter().chain(rule.base()).map(|model| input_of("models", &model.0)).collect()
    }
}

/// Writes the folder `to` with the model that is made of those in `folders`, in the order of [`Merging::models`].
///
/// Errors: tokenizers or shapes that are not the same; the stop flag.
pub fn merge(
    method: &MergeMethod,
    folders: &[PathBuf],
    tokenizers: &[PathBuf],
    to: &Path,
    host: &Host<'_>,
) -> Result<()> {
    let extra = match tokenizers.split_first() {
        Some((first, others)) => {
            same_tokenizer(first, others)?;
            Vocabulary::load(first)?.config()
        }
        None => Default::default(),
    };
    let rule = rule(method);
    let count = rule.models().len();
    let from: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let mut done = 0;
    let options = SaveOptions { extra, ..SaveOptions::default() };
    let mut blend = |name: &str, values: &[Vec<f32>]| {
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        done += 1;
        host.tell(Event::Progress { step: host.step.to_owned(), done });
        let (models, base) = values.split_at(count);
        Ok(rule.blend(&Tensor { name, models, base: base.first().map_or(&[], Vec::as_slice) }))
    };
    weights::combine(&from, to, &options, &mut blend)?;
    // How conversations are written for the first model is how they are for the result.
    let template = from.first().map(|first| first.join(FILE)).filter(|path| path.is_file());
    let copied =
        template.map(|path| std::fs::copy(&path, to.join(FILE)).map_err(TrainError::io("copy", &path)));
    copied.transpose().map(drop)
}

fn same_tokenizer(first: &Path, others: &[PathBuf]) -> Result<()> {
    let read = |path: &Path| std::fs::read(path).map_err(TrainError::io("read", path));
    let own = read(first)?;
    for path in others {
        if read(path)? != own {
            let (a, b) = (first.display(), path.display());
            let message =
                format!("{a} and {b} are different tokenizers: the rows of their models do not match");
            return Err(TrainError::Settings(message));
        }
    }
    Ok(())
}

/// Weights as a program gives them; where it gives none, `each` for every model.
fn weights_or(weights: &[f64], models: usize, each: f64) -> Vec<f32> {
    if weights.is_empty() { vec![each as f32; models] } else { weights.iter().map(|w| *w as f32).collect() }
}

/// What a model changed of the base.
fn change(model: &[f32], base: &[f32]) -> Vec<f32> {
    model.iter().zip(base).map(|(x, b)| x - b).collect()
}
